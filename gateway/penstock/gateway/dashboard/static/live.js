// Listens to the changes that a page names, and lets the parts of it that are live load anew.

const EVERY = 700; // ms between two loads at most
const AGAIN = 3000; // ms until a refused connection is tried again
const MODES = [
  "changed", "run.queued", "run.started", "run.interrupted", "run.suspended", "run.resumed",
  "run.finished", "step.started", "step.finished", "step.retry", "step.interrupted",
];

/** Tell the page that something has changed, at most once in a while. */
let due = 0;
export function announce() {
  if (due) return;
  due = setTimeout(() => {
    due = 0;
    document.body.dispatchEvent(new CustomEvent("runschanged"));
  }, EVERY);
}

/** Show whether changes come by themselves. */
export function say(state) {
  const place = document.getElementById("live-state");
  if (!place) return;
  place.textContent = state;
  place.dataset.state = state;
}

/** Follow a stream of events while the page is visible; returns what ends it. */
export function follow(address, names, take, cursor = () => address) {
  let source = null;
  let timer = 0;
  const open = () => {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource(cursor());
    source.onopen = () => say("live");
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return say("connecting");
      say("");
      source = null;
      timer = setTimeout(check, AGAIN);
    };
    for (const name of names) source.addEventListener(name, take);
  };
  // A closed source is one that was refused, or one whose run is over: only the first is for us.
  const check = async () => {
    const aborted = new AbortController();
    try {
      const found = await fetch(cursor(), { signal: aborted.signal });
      if (found.redirected) location.reload(); // to the login: the session is over
      else if (found.status === 200 || found.status === 429 || found.status >= 500) open();
    } catch {
      timer = setTimeout(check, AGAIN);
    } finally {
      aborted.abort();
    }
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const turn = () => {
    if (document.hidden) return close();
    announce();
    open();
  };
  document.addEventListener("visibilitychange", turn);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && turn());
  open();
  return () => {
    close();
    document.removeEventListener("visibilitychange", turn);
  };
}

const changes = document.body.dataset.changes;
if (changes) {
  let seen = "";
  const take = (event) => {
    seen = event.lastEventId || seen;
    announce();
  };
  const cursor = () => (seen ? changes.replace(/after=\d+/, `after=${seen}`) : changes);
  follow(changes, MODES, take, cursor);
}

// What somebody has opened, chosen or is writing survives a load.
let open = [];
let focused = null;

/** Say where an element is, so that the one in its place can be found. */
function place(element) {
  const owner = element.closest("[id]");
  if (!owner) return null;
  return [owner.id, element.tagName, [...owner.querySelectorAll(element.tagName)].indexOf(element)];
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const region = event.detail.target;
  if (!region.matches("[data-live]")) return;
  if (event.detail.xhr.status !== 200) event.detail.shouldSwap = false;
  else if (!event.detail.xhr.responseText.includes(`id="${region.id}"`)) {
    event.detail.shouldSwap = false;
    location.reload(); // what came is the login: the session is over
  }
  const active = document.activeElement;
  const isInside = region.contains(active);
  if (isInside && active.matches("input, textarea, select")) {
    event.detail.shouldSwap = false; // what is being written stays; the next change loads again
    return;
  }
  focused = isInside ? place(active) : null;
  open = [...region.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  for (const [id, isOpen] of open) {
    const found = document.getElementById(id);
    if (found) found.open = isOpen;
  }
  if (focused) {
    const [id, tag, at] = focused;
    document.getElementById(id)?.querySelectorAll(tag)[at]?.focus({ preventScroll: true });
  }
  open = [];
  focused = null;
  const loaded = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const icon = loaded.querySelector("link[rel=icon]")?.getAttribute("href");
  if (icon) document.querySelector("link[rel=icon]").setAttribute("href", icon); // htmx sets the title
});
