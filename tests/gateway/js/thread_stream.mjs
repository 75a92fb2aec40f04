// What a page does with a stream of a whole thread: node thread_stream.mjs <url of a gateway> <url of a proxy>
//
// Prints one JSON document: what came of each part, by its name.
import { JSDOM } from "jsdom";
import { Client } from "@langchain/langgraph-sdk";

const { window } = new JSDOM("", { url: "http://localhost/" });
const webSocketFactory = (url) => new window.WebSocket(url);

function opened(assistantId, options = {}, url = process.argv[2]) {
  return new Client({ apiUrl: url, apiKey: null }).threads.stream({ assistantId, ...options });
}

async function payloads(events) {
  const found = [];
  for await (const event of events) found.push(event.params.data);
  return found;
}

async function words(messagesOfThread) {
  const messages = [];
  for await (const message of messagesOfThread) messages.push(message);
  return Promise.all(messages.map(async (message) => [message.id, await message.text]));
}

async function result() {
  const thread = opened("doubled");
  await thread.run.start({ input: 4 });
  const output = await thread.output;
  await thread.close();
  return output;
}

async function talked() {
  const thread = opened("talking");
  const input = { messages: [{ type: "human", content: "hi", id: "h1" }] };
  const streamed = thread.messages; // wanted before the run begins, else a short one is over
  await thread.run.start({ input });
  const found = await words(streamed);
  const { messages } = await thread.output;
  await thread.close();
  return { found, said: messages.map(({ content }) => content) };
}

async function tools() {
  const thread = opened("calling");
  const streamed = thread.toolCalls;
  await thread.run.start({ input: "life" });
  const calls = new Map(); // the client gives a call at its begin, and again at its end
  for await (const call of streamed) calls.set(call.callId, call);
  await thread.close();
  return Promise.all([...calls.values()].map(async ({ name, input, output }) => [name, input, await output]));
}

async function extended() {
  const thread = opened("telling");
  const streamed = thread.extensions.progress;
  await thread.run.start({ input: 3 });
  const found = [];
  for await (const payload of streamed) found.push(payload);
  await thread.close();
  return found;
}

async function asked(options = {}) {
  const thread = opened("asking", options);
  await thread.run.start({ input: 1 });
  await payloads(await thread.subscribe({ channels: ["values"] })); // it ends where the run asks
  while (!thread.interrupts.length) await new Promise((resolve) => setTimeout(resolve, 10));
  const [{ interruptId, namespace, payload }] = thread.interrupts;
  await thread.input.respond({ interrupt_id: interruptId, namespace, response: true });
  const values = await payloads(await thread.subscribe({ channels: ["values"] }));
  await thread.close();
  return { payload, answered: values.at(-1) };
}

async function overSocket() {
  return asked({ transport: "websocket", webSocketFactory });
}

async function failed() {
  const thread = opened("broken");
  await thread.run.start({ input: 1 });
  const found = await payloads(await thread.subscribe({ channels: ["lifecycle"] }));
  await thread.close();
  return found.at(-1);
}

async function turns() {
  const thread = opened("chat");
  const said = [];
  for (const content of ["one", "two"]) {
    await thread.run.start({ input: { messages: [{ type: "human", content, id: content }] } });
    const values = await payloads(await thread.subscribe({ channels: ["values"] }));
    said.push(values.at(-1).messages.map((each) => each.content));
  }
  await thread.close();
  return said;
}

async function cut() {
  const thread = opened("paced", {}, process.argv[3]);
  await thread.run.start({ input: { numbers: 12, pause: 0.1 } });
  const found = [];
  for await (const event of await thread.subscribe({ channels: ["custom"] })) {
    found.push(event.params.data.payload);
    if (found.length === 3) console.log("cut"); // whoever reads this cuts the proxy's connections
  }
  await thread.close();
  return found;
}

const found = {};
for (const part of [result, talked, tools, extended, asked, overSocket, failed, turns, cut]) {
  found[part.name] = await part();
}
process.stdout.write(JSON.stringify(found), () => process.exit());
