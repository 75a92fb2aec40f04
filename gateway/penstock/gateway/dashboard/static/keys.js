// Keys: / search, j k Enter in lists, g and a letter to go, a letter for a button, ? for help.

const base = document.body.dataset.base ?? "";
/** @type {Record<string, string>} */
const PLACES = {
  o: "/", r: "/runs", q: "/questions", f: "/failures", u: "/queues", t: "/threads", e: "/entrypoints", s: "/system",
};
const HELP = [
  ["/", "search"], ["j k", "next, previous line"], ["Enter", "open it"], ["Esc", "leave, or go back"],
  ["g o", "overview"], ["g r", "runs"], ["g q", "questions"], ["g f", "failures"], ["g t", "threads"], ["g u", "queues"], ["g e", "entrypoints"], ["g s", "system"],
  ["a", "answer"], ["c", "cancel"], ["r", "resume"], ["f", "follow the stream, or stop"], ["?", "these keys"],
];

let isGoing = false;
let chosen = ""; // where the chosen line leads: lines are made anew when the list is

/** @returns {HTMLElement[]} */
function lines() {
  return [...document.querySelectorAll("[data-list] tr[data-href]")].filter(
    (each) => each instanceof HTMLElement,
  );
}

/** @param {number} step */
function choose(step) {
  const all = lines();
  if (!all.length) return;
  const at = all.findIndex((each) => each.dataset.href === chosen);
  const line = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  chosen = line.dataset.href ?? "";
  mark();
  line.scrollIntoView({ block: "nearest" });
}

function mark() {
  for (const each of lines()) each.classList.toggle("chosen", each.dataset.href === chosen);
}

function help() {
  const found = document.querySelector("dialog");
  if (found) return found.showModal();
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
  dialog.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  for (const [key, does] of HELP) {
    const row = document.createElement("div");
    for (const [kind, text] of [["dt", key], ["dd", does]]) {
      const part = document.createElement(kind);
      part.textContent = text;
      row.append(part);
    }
    list.append(row);
  }
  dialog.append(list);
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} key */
function press(key) {
  const button = document.querySelector(`[data-key="${key}"]:not([disabled])`);
  if (!(button instanceof HTMLElement)) return;
  const form = button.closest("form.answer");
  if (form) {
    const input = form.querySelector("input:not([type=hidden]), select, textarea");
    if (input instanceof HTMLElement) input.focus();
  } else if (button.matches("summary")) {
    button.click();
    button.parentElement?.querySelector("button")?.focus();
  } else button.click();
}

/** @param {KeyboardEvent} event */
function take(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isWriting = target instanceof HTMLElement && target.matches("input, textarea, select");
  if (isWriting) {
    if (key === "Escape") target.blur();
    return;
  }
  const wasGoing = isGoing;
  isGoing = false;
  if (wasGoing && PLACES[key]) location.href = base + PLACES[key];
  else if (key === "g") isGoing = true;
  else if (key === "/") /** @type {HTMLElement | null} */ (document.querySelector("input[type=search]"))?.focus();
  else if (key === "j" || key === "k") choose(key === "j" ? 1 : -1);
  else if (key === "Enter" && chosen && target === document.body) location.href = chosen;
  else if (key === "Escape") history.back();
  else if (key === "?") help();
  else if ("acrf".includes(key)) press(key);
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", take);
document.body.addEventListener("htmx:afterSwap", mark);
