// A reader in another language, written from docs/reference/events.md alone: node reader.mjs PORT RUN_ID [CURSOR]
// Prints each event as a line of JSON, and ends with the run.

import net from "node:net";

const [port, run, cursorGiven] = process.argv.slice(2);
const events = `penstock:events:${run}`;
let cursor = Number(cursorGiven ?? 0);

// The smallest client of Redis: commands go out, replies come back in order; messages come by themselves.
class Connection {
  constructor(onReply, onClose) {
    this.buffer = Buffer.alloc(0);
    this.socket = net.connect(Number(port), "127.0.0.1");
    this.socket.on("data", (data) => {
      this.buffer = Buffer.concat([this.buffer, data]);
      for (let found; (found = parse(this.buffer, 0)); ) {
        this.buffer = this.buffer.subarray(found.end);
        onReply(found.value);
      }
    });
    this.socket.on("error", () => {});
    this.socket.on("close", onClose);
  }
  send(...words) {
    const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    this.socket.write(`*${words.length}\r\n${parts.join("")}`);
  }
}

function parse(buffer, at) {
  const eol = buffer.indexOf("\r\n", at);
  if (eol < 0) return null;
  const text = buffer.toString("utf8", at + 1, eol);
  const kind = String.fromCharCode(buffer[at]);
  if (kind === "-") throw new Error(text);
  if (kind === "+") return { value: text, end: eol + 2 };
  if (kind === ":") return { value: Number(text), end: eol + 2 };
  const length = Number(text);
  if (length < 0) return { value: null, end: eol + 2 };
  if (kind === "$") {
    const end = eol + 2 + length;
    return buffer.length < end + 2 ? null : { value: buffer.toString("utf8", eol + 2, end), end: end + 2 };
  }
  const items = [];
  let end = eol + 2;
  for (let n = 0; n < length; n++) {
    const item = parse(buffer, end);
    if (!item) return null;
    items.push(item.value);
    end = item.end;
  }
  return { value: items, end };
}

const waiting = [];
let commands = open();

function open() {
  return new Connection(
    (reply) => waiting.shift().resolve(reply),
    () => {
      for (const each of waiting.splice(0)) each.reject(new Error("closed"));
      commands = open();
    },
  );
}

function ask(...words) {
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    commands.send(...words);
  });
}

function give(seq, event) {
  if (seq !== cursor + 1) throw new Error(`event ${seq} after ${cursor}`);
  cursor = seq;
  console.log(JSON.stringify({ seq, mode: event.mode, data: event.data }));
  return event.mode === "run.finished";
}

// Step 2: read what is stored; tells whether the run is over.
async function read() {
  for (;;) {
    const items = await ask("LRANGE", events, Math.max(cursor - 1, 0), cursor + 499);
    let over = false;
    for (const item of items) {
      const space = item.indexOf(" ");
      const seq = Number(item.slice(0, space));
      const event = JSON.parse(item.slice(space + 1));
      over = event.mode === "run.finished";
      if (seq <= cursor) continue;
      if (event.ref) event.data.outcome = JSON.parse(await ask("HGET", `penstock:checkpoints:${run}`, event.ref));
      give(seq, event);
    }
    if (items.length < 500) return over;
  }
}

// Step 3: take a message; tells whether the stored events have to be read.
function take(frame) {
  const [first, ...lines] = frame.split("\n");
  for (const [n, line] of lines.entries()) {
    const seq = Number(first) + n;
    if (seq <= cursor) continue;
    if (seq > cursor + 1 || line === "*") return true;
    if (give(seq, JSON.parse(line))) return true; // is it the last, or was the run taken up again?
  }
  return false;
}

let reading = Promise.resolve();
let idle;

function readSoon() {
  reading = reading.then(read).then(
    (over) => over && process.stdout.write("", () => process.exit(0)), // once all is written
    () => setTimeout(readSoon, 100),
  );
  return reading;
}

function listen() {
  const connection = new Connection(
    ([kind, , frame]) => {
      clearTimeout(idle);
      idle = setTimeout(readSoon, 5000);
      if (kind === "subscribe") readSoon();
      else reading = reading.then(() => { if (take(frame)) readSoon(); });
    },
    () => setTimeout(listen, 100),
  );
  connection.send("SUBSCRIBE", `penstock:channel:${run}`);
}

listen();
