// The words of a run as they come: steps, messages joined, void words struck through.

import { announce, follow } from "./live.js";

const MOST = 2000; // lines that are kept in the page
const LONG = 4000; // characters of a line
const MODES = [
  "run.queued", "run.started", "run.interrupted", "run.suspended", "run.resumed", "run.finished",
  "step.started", "step.finished", "step.retry", "step.interrupted", "custom", "message", "graph",
];

function text(value) {
  const found = typeof value === "string" ? value : JSON.stringify(value);
  return found.length > LONG ? `${found.slice(0, LONG)}…` : found;
}

function chunkText(chunk) {
  if (chunk && typeof chunk === "object" && "content" in chunk) chunk = chunk.content;
  return text(chunk);
}

class RunStream extends HTMLElement {
  connectedCallback() {
    this.messages = new Map(); // id of a message -> its line
    this.seen = 0;
    this.isFollowing = true;
    const bar = document.createElement("p");
    bar.className = "buttons";
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.dataset.key = "f";
    this.button.addEventListener("click", () => this.follow(!this.isFollowing));
    bar.append(this.button);
    this.lines = document.createElement("ol");
    this.lines.setAttribute("aria-label", "Stream");
    this.replaceChildren(bar, this.lines);
    this.follow(true);
    const address = this.dataset.events;
    const cursor = () => `${address}?after=${this.seen}`;
    this.end = follow(address, MODES, (event) => this.take(event), cursor);
  }

  disconnectedCallback() {
    this.end();
  }

  follow(isFollowing) {
    this.isFollowing = isFollowing;
    this.button.textContent = isFollowing ? "Stop following" : "Follow";
    if (isFollowing) this.lines.lastElementChild?.scrollIntoView({ block: "nearest" });
  }

  take(event) {
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

  /** Say what a fact is, in a line. */
  sentence({ mode, data }) {
    if (mode === "custom") return text(data);
    if (mode === "graph") return `${data.mode} ${text(data.chunk)}`;
    if (mode === "run.finished") return `${data.status}${data.reason ? `: ${text(data.reason)}` : ""}`;
    if (mode === "run.interrupted") return data.interrupts.map((each) => text(each.value)).join("\n");
    if (mode === "step.retry" && data.error) return `tried again: ${text(data.error.message ?? data.error)}`;
    if (mode === "step.finished" && data.outcome?.error) return `failed: ${text(data.outcome.error.message ?? data.outcome.error)}`;
    if (mode === "step.finished") return data.outcome && "value" in data.outcome ? text(data.outcome.value) : "";
    if (mode === "step.started" && data.input) return text(data.input[0]).slice(1, -1);
    return "";
  }

  line(fact, step, said) {
    const line = document.createElement("li");
    line.dataset.seq = fact.seq;
    line.dataset.step = step;
    line.className = fact.mode.replace(".", "-");
    for (const [kind, words] of [["mode", fact.mode], ["step", step], ["said", said]]) {
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = words;
      line.append(part);
    }
    this.lines.append(line);
    if (this.lines.childElementCount > MOST) this.lines.firstElementChild.remove();
    return line;
  }

  message(fact, step) {
    const known = this.messages.get(fact.data.id);
    if (known?.isConnected && !known.classList.contains("void")) {
      known.querySelector(".said").textContent += chunkText(fact.data.chunk);
    } else {
      this.messages.set(fact.data.id, this.line(fact, step, chunkText(fact.data.chunk)));
    }
  }

  /** Strike what a step, and what is nested in it, has said in a try that is lost. */
  strike(step, from) {
    for (const line of this.lines.children) {
      const of = line.dataset.step;
      const isOfIt = !step || of === step || of.startsWith(`${step}/`);
      if (isOfIt && Number(line.dataset.seq) >= from) line.classList.add("void");
    }
  }
}

customElements.define("run-stream", RunStream);
