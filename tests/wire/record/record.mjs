// Runs the agents of worker.js in workerd, does what scenarios.mjs says and writes tests/wire/golden/*.jsonl.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import workerd from "workerd";
import WebSocket from "ws";
import { scenarios } from "./scenarios.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const golden = join(here, "..", "golden");
const QUIET_MS = 250; // a step is over when nothing has arrived for so long
const HIBERNATE_MS = 17_000; // workerd drops an idle object after 10 s
// Chance and the server's own stack traces are no part of the protocol.
const normalise = (text) =>
  text
    .replace(/^hello [\w-]{21}$/, "hello <random id>")
    .replace(/^\{"error":"Error: .*\\n    at .*\}$/s, '{"error":"<stack>"}')
    .replace(/^Error: .*\n    at .*$/s, "<stack>");
const VOLATILE = new Set(["date", "connection", "content-length", "transfer-encoding", "keep-alive"]);

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), "wire-record-"));
  mkdirSync(join(folder, "storage"));
  cpSync(join(here, "config.capnp"), join(folder, "config.capnp"));
  await build({
    entryPoints: [join(here, "worker.js")], outfile: join(folder, "bundle.js"), bundle: true, format: "esm", platform: "browser",
    mainFields: ["module", "main"], conditions: ["workerd", "worker", "browser", "import"], external: ["cloudflare:*", "node:*"],
    alias: { path: "node:path", "cloudflare:email": join(here, "email-stub.js") }, keepNames: true, target: "es2022", logLevel: "warning",
  });
  const server = spawn(workerd.default ?? workerd, ["serve", "config.capnp", "--experimental", "--control-fd=3"],
    { cwd: folder, stdio: ["ignore", "ignore", process.env.VERBOSE ? "inherit" : "ignore", "pipe"] });
  const port = await new Promise((resolve, reject) => {
    server.once("exit", (code) => reject(new Error(`workerd ended with ${code}`)));
    server.stdio[3].on("data", (data) => {
      for (const line of String(data).split("\n").filter(Boolean)) {
        const event = JSON.parse(line);
        if (event.event === "listen") resolve(event.port);
      }
    });
  });
  return { port, stop: () => { server.removeAllListeners("exit"); server.kill(); rmSync(folder, { recursive: true, force: true }); } };
}

class Recording {
  constructor(port) { this.port = port; this.sockets = new Map(); this.arrived = []; this.lastMs = 0; }

  note(line) { this.arrived.push(line); this.lastMs = Date.now(); }

  async quiet() {
    this.lastMs = Date.now();
    while (Date.now() - this.lastMs < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 20));
    const order = [...this.sockets.keys()]; // the order between two sockets is chance; within one it is not
    const lines = this.arrived.sort((one, other) => order.indexOf(one.socket) - order.indexOf(other.socket));
    this.arrived = [];
    return lines;
  }

  open({ socket: name, path }) {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}${path}`);
    this.sockets.set(name, socket);
    socket.on("message", (data, isBinary) => this.note(isBinary ? { socket: name, got_bytes: data.toString("hex") } : { socket: name, got: normalise(String(data)) }));
    socket.on("close", (code, reason) => this.note({ socket: name, closed: code, reason: String(reason) }));
    socket.on("unexpected-response", (_request, response) => this.note({ socket: name, refused: response.statusCode }));
    socket.on("error", () => {});
    return new Promise((resolve) => { for (const event of ["open", "unexpected-response", "error"]) socket.once(event, resolve); });
  }

  fetch({ method, path, body }) {
    return new Promise((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port: this.port, method, path }, async (response) => {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        const headers = Object.fromEntries(Object.entries(response.headers).filter(([name]) => !VOLATILE.has(name)).sort());
        this.note({ status: response.statusCode, headers, body: normalise(text) });
        resolve();
      });
      request.on("error", reject).end(body);
    });
  }

  async run(step) {
    const socket = this.sockets.get(step.socket);
    if (step.do === "open") await this.open(step);
    else if (step.do === "send") for (const frame of step.frames) socket.send(frame);
    else if (step.do === "send_bytes") socket.send(Buffer.from(step.hex, "hex"));
    else if (step.do === "close") socket.close(step.code, step.reason);
    else if (step.do === "fetch") await this.fetch(step);
    else if (step.do === "hibernate") await new Promise((resolve) => setTimeout(resolve, HIBERNATE_MS));
    return [step, ...(await this.quiet())];
  }

  async play({ name, steps }) {
    const lines = [{ transcript: name }];
    for (const step of steps) lines.push(...(await this.run(step)));
    for (const socket of this.sockets.values()) socket.terminate();
    return lines.map((line) => JSON.stringify(line));
  }
}

const server = await startServer();
try {
  mkdirSync(golden, { recursive: true });
  const wanted = process.argv.slice(2);
  for (const [file, transcripts] of Object.entries(scenarios)) {
    if (wanted.length && !wanted.includes(file)) continue;
    const recorded = await Promise.all(transcripts.map((transcript) => new Recording(server.port).play(transcript)));
    writeFileSync(join(golden, `${file}.jsonl`), recorded.flat().map((line) => `${line}\n`).join(""));
    console.log(`${file}: ${transcripts.length} transcripts`);
  }
} finally {
  server.stop();
}
