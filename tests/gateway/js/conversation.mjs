// What a page does with LangGraph's own client: node conversation.mjs <url of a gateway>
//
// Prints one JSON document: what came of each part, by its name.
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.argv[2], apiKey: null });

async function collected(stream) {
  const parts = [];
  for await (const { event, data } of stream) parts.push([event, data]);
  return parts;
}

async function threads() {
  const { thread_id } = await client.threads.create({ metadata: { from: "js" } });
  const found = await client.threads.search({ metadata: { from: "js" } });
  return { made: thread_id, found: found.map((each) => each.thread_id) };
}

async function streamed() {
  const { thread_id } = await client.threads.create();
  let created;
  const options = {
    input: 4,
    streamMode: ["values", "custom"],
    onRunCreated: (run) => (created = run),
  };
  const live = await collected(client.runs.stream(thread_id, "doubled", options));
  const joined = await collected(client.runs.joinStream(thread_id, created.run_id));
  const modes = { streamMode: ["custom", "updates"] };
  const others = await collected(client.runs.joinStream(thread_id, created.run_id, modes));
  const runs = await client.runs.list(thread_id, { select: ["run_id", "status"] });
  return { thread_id, created, live, joined, others: others.map(([event]) => event), runs: runs.map(({ run_id, status }) => [run_id, status]) };
}

async function answered() {
  const { thread_id } = await client.threads.create();
  const asked = await client.runs.wait(thread_id, "asking", { input: 1 });
  const state = await client.threads.getState(thread_id);
  const command = { resume: true };
  const answer = await collected(client.runs.stream(thread_id, "asking", { command }));
  const twice = await client.runs
    .create(thread_id, "asking", { command })
    .then(() => 200, (error) => error.status);
  const runs = await client.runs.list(thread_id);
  return {
    asked: asked.__interrupt__,
    tasks: state.tasks.map((task) => task.interrupts),
    answer,
    twice,
    runs: runs.map(({ status }) => status),
  };
}

async function graph() {
  const messages = [{ type: "human", content: "hi", id: "h1" }];
  const { thread_id } = await client.threads.create();
  const options = { input: { messages }, streamMode: "messages-tuple" };
  const parts = await collected(client.runs.stream(thread_id, "talking", options));
  const words = parts.filter(([event]) => event === "messages").map(([, [chunk]]) => chunk.content);
  const { values } = await client.threads.getState(thread_id);
  const history = await client.threads.getHistory(thread_id);
  return { words, said: values.messages.map(({ content }) => content), history: history.length };
}

async function failed() {
  const { thread_id } = await client.threads.create();
  const parts = await collected(client.runs.stream(thread_id, "broken", { input: 1 }));
  return parts.at(-1);
}

async function cancelled() {
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "paced", { input: { numbers: 600, pause: 0.02 } });
  await client.runs.cancel(thread_id, run.run_id, true);
  return (await client.runs.get(thread_id, run.run_id)).status;
}

async function followed() {
  const { thread_id } = await client.threads.create();
  for (const input of [1, 2]) await client.runs.wait(thread_id, "doubled", { input });
  const values = [], control = new AbortController();
  const options = { lastEventId: "-1", signal: control.signal };
  for await (const { event, data } of client.threads.joinStream(thread_id, options)) {
    if (event === "values") values.push(data.result);
    if (event === "metadata" && data.status === "run_done" && values.length === 2) break;
  }
  control.abort(); // such a stream has no end, and would keep this process
  return values;
}

async function batch() {
  const runs = await client.runs.createBatch([1, 2].map((input) => ({ assistantId: "doubled", input })));
  return Promise.all(runs.map(({ thread_id, run_id }) => client.runs.join(thread_id, run_id)));
}

async function kept() {
  await client.store.putItem(["js", "notes"], "one", { text: "hello" });
  const item = await client.store.getItem(["js", "notes"], "one");
  const assistants = await client.assistants.search({ graphId: "doubled" });
  return { item: item.value, assistants: assistants.map(({ name }) => name) };
}

const found = {};
for (const part of [threads, streamed, answered, graph, failed, cancelled, followed, batch, kept]) {
  found[part.name] = await part();
}
console.log(JSON.stringify(found));
