// Listens to the changes that a page names, and lets the parts of it that are live load anew.

const EVERY = 700; // ms between two loads at most
const AGAIN = 3000; // ms until a refused connection is tried again
const STALE = 5000; // ms until a page shows what time alone changes: a lease that has ended, a wait that is longer
const MODES = [
  "changed", "run.queued", "run.started", "run.interrupted", "run.suspended", "run.resumed",
  "run.finished", "step.started", "step.finished", "step.retry", "step.interrupted",
];

let due = 0;

/** Let the parts that are live load anew, now. */
export function reload() {
  document.body.dispatchEvent(new CustomEvent("runschanged"));
}

/** Tell the page that something has changed, at most once in a while. */
export function announce() {
  if (due) return;
  due = setTimeout(() => {
    due = 0;
    reload();
  }, EVERY);
}

/**
 * Show whether changes come by themselves.
 * @param {string} state
 */
export function showState(state) {
  const place = document.getElementById("live-state");
  if (!place) return;
  place.textContent = state;
  place.dataset.state = state;
}

/**
 * Follow a stream of events while the page is visible; returns what ends it.
 * @param {string} address
 * @param {string[]} names of the events
 * @param {(event: MessageEvent<string>) => void} take
 * @param {() => string} cursor where to go on
 */
export function follow(address, names, take, cursor = () => address) {
  /** @type {EventSource | null} */
  let source = null;
  let timer = 0;
  let last = ""; // the name of the last event
  /** @param {MessageEvent<string>} event */
  const taken = (event) => {
    last = event.type;
    take(event);
  };
  const open = () => {
    clearTimeout(timer);
    if (source || document.hidden) return;
    const made = new EventSource(cursor());
    source = made;
    made.onopen = () => showState("live");
    made.onerror = () => {
      if (made.readyState !== EventSource.CLOSED) {
        // The browser asks once more behind the end of a run, and hears that nothing comes.
        return showState(last === "run.finished" ? "" : "connecting");
      }
      showState("");
      source = null;
      timer = setTimeout(check, AGAIN);
    };
    for (const name of names) made.addEventListener(name, taken);
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
  /** @param {MessageEvent<string>} event */
  const take = (event) => {
    seen = event.lastEventId || seen;
    announce();
  };
  const cursor = () => (seen ? changes.replace(/after=\d+/, `after=${seen}`) : changes);
  follow(changes, MODES, take, cursor);
}

// A part that is live loads the address of the page: what somebody has opened meanwhile stands in it.
document.body.addEventListener("htmx:configRequest", (found) => {
  const { detail } = /** @type {CustomEvent<{ elt: Element, path: string }>} */ (found);
  if (!detail.elt.matches("[data-live]")) return;
  const wanted = new URL(detail.path, location.href);
  if (wanted.pathname === location.pathname) detail.path = location.pathname + location.search;
});

// What somebody has opened, chosen or is writing survives a load.
/** @type {[string, boolean][]} */
let open = [];
/** @type {[string, string, number] | null} */
let focused = null;

/**
 * Say where an element is, so that the one in its place can be found.
 * @param {Element} element
 * @returns {[string, string, number] | null}
 */
function place(element) {
  const owner = element.closest("[id]");
  if (!owner) return null;
  return [owner.id, element.tagName, [...owner.querySelectorAll(element.tagName)].indexOf(element)];
}

/** @typedef {CustomEvent<{ target: HTMLElement, xhr: XMLHttpRequest, shouldSwap: boolean }>} Swap */

document.body.addEventListener("htmx:beforeSwap", (found) => {
  const { detail } = /** @type {Swap} */ (found);
  const region = detail.target;
  if (!region.matches("[data-live]")) return;
  if (detail.xhr.status !== 200) detail.shouldSwap = false;
  else if (!detail.xhr.responseText.includes(`id="${region.id}"`)) {
    detail.shouldSwap = false;
    location.reload(); // what came is the login: the session is over
  }
  const active = document.activeElement;
  const isInside = active !== null && region.contains(active);
  if (isInside && active.matches("input, textarea, select")) {
    detail.shouldSwap = false; // what is being written stays; the next change loads again
    return;
  }
  focused = isInside ? place(active) : null;
  const parts = /** @type {NodeListOf<HTMLDetailsElement>} */ (region.querySelectorAll("details[id]"));
  open = [...parts].map((each) => [each.id, each.open]);
});

document.body.addEventListener("htmx:afterSwap", (found) => {
  const { detail } = /** @type {Swap} */ (found);
  for (const [id, isOpen] of open) {
    const part = document.getElementById(id);
    if (part instanceof HTMLDetailsElement) part.open = isOpen;
  }
  if (focused) {
    const [id, tag, at] = focused;
    const part = document.getElementById(id)?.querySelectorAll(tag)[at];
    if (part instanceof HTMLElement) part.focus({ preventScroll: true });
  }
  open = [];
  focused = null;
  const loaded = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  const icon = loaded.querySelector("link[rel=icon]")?.getAttribute("href");
  if (icon) document.querySelector("link[rel=icon]")?.setAttribute("href", icon); // htmx sets the title
});

// Only while the page is followed: nothing changes of a run that is over.
setInterval(() => {
  if (!document.hidden && document.getElementById("live-state")?.dataset.state === "live") announce();
}, STALE);
