// Shows times as the clock of the reader has them; the server writes them in UTC.

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function ago(seconds) {
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  if (at < 0) return "now";
  const [unit, size] = UNITS[at];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function show() {
  for (const each of document.querySelectorAll("time")) {
    const moment = new Date(each.dateTime);
    if ("ago" in each.dataset) {
      each.textContent = ago((Date.now() - moment) / 1000);
    } else if (!each.dataset.local) {
      each.dataset.local = "yes";
      each.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    }
  }
}

show();
setInterval(show, 5000);
document.body.addEventListener("htmx:afterSwap", show);
