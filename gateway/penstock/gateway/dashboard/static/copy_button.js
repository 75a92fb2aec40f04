// Copies a text; it is not shown where that is not possible.

class CopyButton extends HTMLElement {
  connectedCallback() {
    if (this.firstChild || !navigator.clipboard) return;
    const { text = "", label = "copy" } = this.dataset;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = label), 1500);
    });
    this.append(button);
  }
}

customElements.define("copy-button", CopyButton);
