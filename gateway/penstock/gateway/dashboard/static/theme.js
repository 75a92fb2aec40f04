// Puts on the theme that somebody has chosen, before the page is drawn; without a choice, the system's.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("penstock-theme");
  } catch {
    // storage is off: the system's theme it is
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
