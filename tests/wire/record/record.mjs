// Runs the agents of worker.js with the JavaScript SDK in workerd and writes what they answer into tests/wire/golden.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import workerd from "workerd";
import { playAll } from "./play.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const HIBERNATE_MS = 17_000; // workerd drops an idle object after 10 s

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

const server = await startServer();
try {
  const themes = process.argv.slice(2);
  await playAll(`127.0.0.1:${server.port}`, join(here, "..", "golden"), HIBERNATE_MS, themes.length ? { themes } : {});
} finally {
  server.stop();
}
