// Switches between the theme of the system, light and dark; it is not shown without scripts.

const THEMES = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const KEY = "penstock-theme";

class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.addEventListener("click", () => {
      const at = THEMES.indexOf(this.theme);
      this.choose(THEMES[(at + 1) % THEMES.length]);
      this.show(button);
    });
    this.append(button);
    this.show(button);
  }

  /** The theme that was chosen. */
  get theme() {
    return document.documentElement.dataset.theme ?? "system";
  }

  /** @param {string} theme */
  choose(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // storage is off: the choice holds for this page
    }
  }

  /** @param {HTMLButtonElement} button */
  show(button) {
    const theme = /** @type {keyof typeof SIGNS} */ (this.theme);
    button.textContent = SIGNS[theme];
    button.title = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}; switch`);
  }
}

customElements.define("theme-switch", ThemeSwitch);
