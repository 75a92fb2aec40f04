// Keys: / search, j k Enter in lists, g and a letter to go, a letter for a button, ? for help.

const base = document.body.dataset.base;
const PLACES = { o: "/", r: "/runs", q: "/questions", f: "/failures", u: "/queues" };
const HELP = [
  ["/", "search"], ["j k", "next, previous line"], ["Enter", "open it"], ["Esc", "leave, or go back"],
  ["g o", "overview"], ["g r", "runs"], ["g q", "questions"], ["g f", "failures"], ["g u", "queues"],
  ["a", "answer"], ["c", "cancel"], ["r", "resume"], ["f", "follow the stream, or stop"], ["?", "these keys"],
];

let isGoing = false;
let chosen = ""; // where the chosen line leads: lines are made anew when the list is

function lines() {
  return [...document.querySelectorAll("[data-list] tr[data-href]")];
}

function choose(step) {
  const all = lines();
  if (!all.length) return;
  const at = all.findIndex((each) => each.dataset.href === chosen);
  const line = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  chosen = line.dataset.href;
  mark();
  line.scrollIntoView({ block: "nearest" });
}

function mark() {
  for (const each of lines()) each.classList.toggle("chosen", each.dataset.href === chosen);
}

function help() {
  const found = document.querySelector("dialog.keys");
  if (found) return found.showModal();
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
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

function press(key) {
  const button = document.querySelector(`[data-key="${key}"]:not([disabled])`);
  if (!button) return;
  const form = button.closest("form.answer");
  if (form) form.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  else if (button.matches("summary")) {
    button.click();
    button.parentElement.querySelector("button")?.focus();
  } else button.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const isWriting = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && isWriting) return event.target.blur();
  if (isWriting) return;
  if (isGoing && PLACES[event.key]) location.href = base + PLACES[event.key];
  else if (event.key === "g") return (isGoing = true);
  else if (event.key === "/") document.querySelector("input[type=search]")?.focus();
  else if (event.key === "j" || event.key === "k") choose(event.key === "j" ? 1 : -1);
  else if (event.key === "Enter" && chosen && event.target === document.body) location.href = chosen;
  else if (event.key === "Escape") history.back();
  else if (event.key === "?") help();
  else if ("acrf".includes(event.key)) press(event.key);
  else return (isGoing = false);
  isGoing = false;
  event.preventDefault();
});

document.body.addEventListener("htmx:afterSwap", mark);
