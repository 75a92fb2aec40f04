// The words of a run as they come: steps, messages joined, void words struck through.

import { announce, follow } from "./live.js";

const MOST = 2000; // lines that are kept in the page
const LONG = 4000; // characters of a line
const MODES = [
  "run.queued", "run.started", "run.interrupted", "run.suspended", "run.resumed", "run.finished",
  "step.started", "step.finished", "step.retry", "step.interrupted", "custom", "message", "graph",
];

/** @typedef {{ seq: number, mode: string, namespace: string[], data: any }} Fact */

/**
 * Write a value on a line.
 * @param {unknown} value
 * @returns {string}
 */
function text(value) {
  const found = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return found.length > LONG ? `${found.slice(0, LONG)}…` : found;
}

/**
 * Write a chunk of a message.
 * @param {any} chunk
 */
function chunkText(chunk) {
  return text(chunk && typeof chunk === "object" && "content" in chunk ? chunk.content : chunk);
}

/**
 * Say how many tokens a message took, if it carries that.
 * @param {any} chunk
 */
function usage(chunk) {
  const found = chunk?.usage_metadata ?? chunk?.usage;
  if (!found || typeof found !== "object") return "";
  const tokens = found.total_tokens ?? (found.input_tokens ?? 0) + (found.output_tokens ?? 0);
  const cost = found.total_cost ?? found.cost;
  return `${tokens ? ` ${tokens} tokens` : ""}${cost ? `, ${cost}` : ""}`;
}

class RunStream extends HTMLElement {
  /** @type {Map<string, HTMLLIElement>} */
  messages = new Map(); // id of a message -> its line
  seen = 0;
  isFollowing = true;
  button = document.createElement("button");
  lines = document.createElement("ol");
  end = () => {};

  connectedCallback() {
    const bar = document.createElement("p");
    bar.className = "buttons";
    this.button.type = "button";
    this.button.dataset.key = "f";
    this.button.addEventListener("click", () => this.follow(!this.isFollowing));
    bar.append(this.button);
    this.lines.setAttribute("aria-label", "Stream");
    this.replaceChildren(bar, this.lines);
    this.follow(true);
    const address = this.dataset.events ?? "";
    const cursor = () => `${address}?after=${this.seen}`;
    this.end = follow(address, MODES, (event) => this.take(event), cursor);
  }

  disconnectedCallback() {
    this.end();
  }

  /** @param {boolean} isFollowing */
  follow(isFollowing) {
    this.isFollowing = isFollowing;
    this.button.textContent = isFollowing ? "Stop following" : "Follow";
    if (isFollowing) this.lines.lastElementChild?.scrollIntoView({ block: "nearest" });
  }

  /** @param {MessageEvent<string>} event */
  take(event) {
    /** @type {Fact} */
    const fact = JSON.parse(event.data);
    if (fact.seq <= this.seen) return;
    this.seen = fact.seq;
    const step = fact.data?.id !== undefined && fact.mode.startsWith("step.") ? fact.data.id : fact.namespace.join("/");
    if (fact.mode === "step.retry") this.strike(step, fact.data.void_from);
    if (fact.mode === "message") this.message(fact, step);
    else this.line(fact, step, this.sentence(fact));
    if (!["custom", "message", "graph"].includes(fact.mode)) announce();
    if (this.isFollowing) this.lines.lastElementChild?.scrollIntoView({ block: "nearest" });
  }

  /**
   * Say what a fact is, in a line.
   * @param {Fact} fact
   * @returns {string}
   */
  sentence({ mode, data }) {
    if (mode === "custom") return text(data);
    if (mode === "graph") return `${data.mode} ${text(data.chunk)}`;
    if (mode === "run.finished") return `${data.status}${data.reason ? `: ${text(data.reason)}` : ""}`;
    if (mode === "run.interrupted") return data.interrupts.map((/** @type {any} */ each) => text(each.value)).join("\n");
    if (mode === "step.retry" && data.error) return `tried again: ${text(data.error.message ?? data.error)}`;
    if (mode === "step.finished" && data.outcome?.error) return `failed: ${text(data.outcome.error.message ?? data.outcome.error)}`;
    if (mode === "step.finished") return data.outcome && "value" in data.outcome ? text(data.outcome.value) : "";
    if (mode === "step.started" && data.input) return text(data.input[0]).slice(1, -1);
    return "";
  }

  /**
   * @param {Fact} fact
   * @param {string} step
   * @param {string} output
   */
  line(fact, step, output) {
    const line = document.createElement("li");
    line.dataset.seq = String(fact.seq);
    line.dataset.step = step;
    line.className = fact.mode.replace(".", "-");
    for (const [kind, words] of [["mode", fact.mode], ["step", step], ["output", output]]) {
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = words;
      line.append(part);
    }
    this.lines.append(line);
    if (this.lines.childElementCount > MOST) this.lines.firstElementChild?.remove();
    return line;
  }

  /**
   * @param {Fact} fact
   * @param {string} step
   */
  message(fact, step) {
    const { id, chunk } = fact.data;
    const known = this.messages.get(id);
    const output = known?.querySelector(".output");
    if (known?.isConnected && output && !known.classList.contains("void")) {
      output.textContent += chunkText(chunk);
    } else {
      this.messages.set(id, this.line(fact, step, chunkText(chunk)));
    }
    const used = usage(chunk);
    const mode = this.messages.get(id)?.querySelector(".mode");
    if (used && mode) mode.textContent = `message${used}`;
  }

  /**
   * Strike what a step, and what is nested in it, has streamed in a try that is lost.
   * @param {string} step
   * @param {number} from
   */
  strike(step, from) {
    for (const line of this.lines.querySelectorAll("li")) {
      const of = line.dataset.step ?? "";
      const isOfIt = !step || of === step || of.startsWith(`${step}/`);
      if (isOfIt && Number(line.dataset.seq) >= from) line.classList.add("void");
    }
  }
}

customElements.define("run-stream", RunStream);
