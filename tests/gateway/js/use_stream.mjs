// What a page does with the React hook of LangGraph's client: node use_stream.mjs <url of a gateway>
//
// Prints one JSON document: what the page has shown in each conversation, by its name.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<div></div>", { url: "http://localhost/" });
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const { useStream } = await import("@langchain/langgraph-sdk/react");

const human = (content) => ({ messages: [{ type: "human", content, id: "h1" }] });
const shown = (input) => ({ optimisticValues: (before) => ({ ...before, ...input }) }); // as agent-chat-ui does

/** A page with one chat; `shown` has each text of it that differs from the one before. */
class Page {
  constructor(assistantId, options = {}) {
    this.shown = [];
    const Chat = () => {
      const all = { apiUrl: process.argv[2], apiKey: null, assistantId, messagesKey: "messages", ...options };
      this.stream = useStream({ ...all, onThreadId: (name) => (this.threadId = name) });
      const text = this.texts.join(" | ");
      if (text !== this.shown.at(-1)) this.shown.push(text);
      useEffect(() => void (this.isThere = true), []);
      return null;
    };
    this.root = createRoot(document.createElement("div"));
    this.root.render(createElement(Chat));
  }

  get texts() {
    return this.stream.messages.map(({ content }) => content);
  }

  async until(isTrue) {
    for (let tries = 0; tries < 1000; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (this.isThere && isTrue(this.stream)) return;
    }
    throw new Error(`it shows ${JSON.stringify(this.shown)}, and is ${this.stream?.isLoading ? "" : "not "}loading`);
  }

  async submit(...given) {
    await this.until(() => true);
    await this.stream.submit(...given);
  }
}

async function chatted() {
  const page = new Page("chat");
  await page.submit(human("hi"));
  await page.until(({ isLoading }) => !isLoading);
  return { shown: page.shown, texts: page.texts };
}

async function asked() {
  const page = new Page("asking_chat");
  await page.submit(human("hi"), shown(human("hi")));
  await page.until(({ isLoading, interrupt }) => !isLoading && interrupt);
  const before = { texts: page.texts, question: page.stream.interrupt.value };
  await page.submit(undefined, { command: { resume: "yes" } });
  await page.until(({ isLoading, interrupt }) => !isLoading && !interrupt);
  return { before, texts: page.texts };
}

async function reopened() {
  const page = new Page("asking_chat");
  await page.submit(human("hello"));
  await page.until(({ isLoading, interrupt }) => !isLoading && interrupt);
  const other = new Page("asking_chat", { threadId: page.threadId });
  await other.until(({ interrupt }) => interrupt);
  return { texts: other.texts, question: other.stream.interrupt.value };
}

async function takenBack() {
  const page = new Page("stammering");
  await page.submit(`js-${process.argv[3]}`);
  await page.until(({ isLoading }) => !isLoading);
  return { shown: page.shown, texts: page.texts };
}

async function hosted() {
  const page = new Page("talking");
  await page.submit(human("hi"));
  await page.until(({ isLoading }) => !isLoading);
  return { texts: page.texts };
}

async function failed() {
  const page = new Page("broken");
  await page.submit(1);
  await page.until(({ isLoading }) => !isLoading);
  return { error: String(page.stream.error) };
}

const found = {};
for (const part of [chatted, asked, reopened, takenBack, hosted, failed]) {
  found[part.name] = await part();
}
process.stdout.write(JSON.stringify(found), () => process.exit());
