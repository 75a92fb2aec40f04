// Shows times as the clock of the reader has them; the server writes them in UTC, which is their title.

/** @type {[string, number][]} */
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/**
 * Say how long ago something was.
 * @param {number} seconds
 */
function ago(seconds) {
  const found = UNITS.find(([, size]) => seconds >= size);
  if (!found) return "now";
  const [unit, size] = found;
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

/**
 * Write a time of the reader's clock; the day only if it is another one than today.
 * @param {Date} moment
 * @param {boolean} isPrecise
 */
function local(moment, isPrecise) {
  const isToday = moment.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  if (isPrecise) time.fractionalSecondDigits = 3;
  if (isToday) return moment.toLocaleTimeString(undefined, time);
  return moment.toLocaleString(undefined, { year: "numeric", month: "short", day: "numeric", ...time });
}

function show() {
  for (const each of document.querySelectorAll("time")) {
    const moment = new Date(each.dateTime);
    if ("ago" in each.dataset) {
      each.textContent = ago((Date.now() - moment.getTime()) / 1000);
    } else if (!each.dataset.local) {
      each.dataset.local = "yes";
      each.textContent = local(moment, "precise" in each.dataset);
    }
  }
}

show();
setInterval(show, 5000);
document.body.addEventListener("htmx:afterSwap", show);
