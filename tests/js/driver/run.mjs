// Runs scenarios for pytest: `node run.mjs MODULE`. One request a line on stdin, what happens a line each on stdout.
//   in:  {"run": scenario, ...arguments}   or the answer to what was asked: {"answer": anything}
//   out: {"log": text} | {"ask": what} | {"done": true} | {"failed": text}
import { createInterface } from "node:readline";
import { inspect } from "node:util";
import { pathToFileURL } from "node:url";

const scenarios = await import(pathToFileURL(process.argv[2]));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let answered = null;

/** What every scenario is given besides the arguments of its request. */
const tools = {
  log: (...parts) => say({ log: parts.map((part) => (typeof part === "string" ? part : inspect(part))).join(" ") }),
  ask: (what) => {
    say({ ask: what });
    return new Promise((resolve) => { answered = resolve; });
  },
};
for (const level of ["log", "info", "warn", "error", "debug"]) console[level] = (...parts) => tools.log(`console.${level}:`, ...parts);

async function run({ run: name, ...given }) {
  try {
    if (!scenarios[name]) throw new Error(`no scenario named ${name} in ${process.argv[2]}`);
    await scenarios[name]({ ...tools, ...given });
    say({ done: true });
  } catch (error) {
    say({ failed: error?.stack ?? inspect(error) });
  }
}

process.on("unhandledRejection", (error) => say({ failed: `unhandled rejection: ${error?.stack ?? inspect(error)}` }));
createInterface({ input: process.stdin })
  .on("line", (text) => {
    const line = JSON.parse(text);
    if ("answer" in line) answered(line.answer);
    else void run(line);
  })
  .on("close", async () => {
    await scenarios.close?.();
    process.exit(0);
  });
say({ done: true });
