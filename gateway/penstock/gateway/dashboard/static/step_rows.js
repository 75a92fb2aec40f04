// Keeps the steps that somebody has opened in the address, and loads what is shown of them.

import { reload } from "./live.js";

/** @param {Event} event */
function turned(event) {
  const row = event.target;
  if (!(row instanceof HTMLDetailsElement) || !row.dataset.step) return;
  const address = new URL(location.href);
  const open = address.searchParams.getAll("step");
  const isKnown = open.includes(row.dataset.step);
  if (row.open === isKnown) return;
  address.searchParams.delete("step");
  for (const each of open) if (each !== row.dataset.step) address.searchParams.append("step", each);
  if (row.open) address.searchParams.append("step", row.dataset.step);
  address.hash = "";
  history.replaceState(history.state, "", address);
  if (row.open && row.querySelector(".more")) reload();
}

document.addEventListener("toggle", turned, true);
