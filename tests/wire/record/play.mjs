// Does to a server what scenarios.mjs says and writes down what came back, one file of JSON lines for each theme.
//   node play.mjs HOST:PORT FOLDER HIBERNATE_MS EXPECTED
// pytest plays our own server so, with the number of lines EXPECTED of each step (JSON: theme, name, list of numbers), which
// saves waiting for silence; record.mjs does the same with the JavaScript SDK.
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scenarios } from "./scenarios.mjs";

const WebSocket = createRequire(new URL("../../js/package.json", import.meta.url))("ws");
const QUIET_MS = 1_000; // a step is over when nothing has arrived for so long
const SURPLUS_MS = 60; // the same, when all that is expected has arrived
const LIMIT_MS = 5_000;
const VOLATILE = new Set(["date", "connection", "content-length", "transfer-encoding", "keep-alive"]);

// Chance and the server's own stack traces are no part of the protocol.
const normalise = (text) =>
  text
    .replace(/^hello [\w-]{21}$/, "hello <random id>")
    .replace(/^\{"error":"Error: .*\\n    at .*\}$/s, '{"error":"<stack>"}')
    .replace(/^Error: .*\n    at .*$/s, "<stack>");

class Recording {
  constructor(host, hibernateMs) { this.host = host; this.hibernateMs = hibernateMs; this.sockets = new Map(); this.arrived = []; this.lastMs = 0; }

  note(line) { this.arrived.push(line); this.lastMs = Date.now(); }

  async quiet(expected) {
    const isOver = () => {
      if (expected === undefined) return Date.now() - this.lastMs > QUIET_MS;
      return Date.now() - this.lastMs > (this.arrived.length < expected ? LIMIT_MS : SURPLUS_MS);
    };
    this.lastMs = Date.now();
    while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 20));
    const order = [...this.sockets.keys()]; // the order between two sockets is chance; within one it is not
    const lines = this.arrived.sort((one, other) => order.indexOf(one.socket) - order.indexOf(other.socket));
    this.arrived = [];
    return lines;
  }

  open({ socket: name, path }) {
    const socket = new WebSocket(`ws://${this.host}${path}`);
    this.sockets.set(name, socket);
    socket.on("message", (data, isBinary) => this.note(isBinary ? { socket: name, got_bytes: data.toString("hex") } : { socket: name, got: normalise(String(data)) }));
    socket.on("close", (code, reason) => this.note({ socket: name, closed: code, reason: String(reason) }));
    socket.on("unexpected-response", (_request, response) => this.note({ socket: name, refused: response.statusCode }));
    socket.on("error", () => {});
    return new Promise((resolve) => { for (const event of ["open", "unexpected-response", "error"]) socket.once(event, resolve); });
  }

  fetch({ method, path, body }) {
    return new Promise((resolve, reject) => {
      const request = http.request({ host: this.host.split(":")[0], port: this.host.split(":")[1], method, path }, async (response) => {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        const headers = Object.fromEntries(Object.entries(response.headers).filter(([name]) => !VOLATILE.has(name)).sort());
        this.note({ status: response.statusCode, headers, body: normalise(text) });
        resolve();
      });
      request.on("error", reject).end(body);
    });
  }

  async run(step, expected) {
    const socket = this.sockets.get(step.socket);
    if (step.do === "open") await this.open(step);
    else if (step.do === "send") for (const frame of step.frames) socket.send(frame);
    else if (step.do === "send_bytes") socket.send(Buffer.from(step.hex, "hex"));
    else if (step.do === "close") socket.close(step.code, step.reason);
    else if (step.do === "fetch") await this.fetch(step);
    else if (step.do === "hibernate") await new Promise((resolve) => setTimeout(resolve, this.hibernateMs));
    return [step, ...(await this.quiet(expected))];
  }

  async play({ name, steps }, expected = []) {
    const lines = [{ transcript: name }];
    for (const [index, step] of steps.entries()) lines.push(...(await this.run(step, expected[index])));
    for (const socket of this.sockets.values()) socket.terminate();
    return lines.map((line) => JSON.stringify(line));
  }
}

/** Plays the themes and writes FOLDER/THEME.jsonl for each. */
export async function playAll(host, folder, hibernateMs, { themes = Object.keys(scenarios), expected = {} } = {}) {
  mkdirSync(folder, { recursive: true });
  for (const theme of themes) {
    const played = await Promise.all(
      scenarios[theme].map((transcript) => new Recording(host, hibernateMs).play(transcript, expected[theme]?.[transcript.name])),
    );
    writeFileSync(join(folder, `${theme}.jsonl`), played.flat().map((line) => `${line}\n`).join(""));
    console.log(`${theme}: ${played.length} transcripts`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [host, folder, hibernateMs, expected] = process.argv.slice(2);
  await playAll(host, folder, Number(hibernateMs), { expected: JSON.parse(expected) });
}
