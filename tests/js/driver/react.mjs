// Scenarios with useAgent of npm `agents`, unmodified, in a React page in Chromium.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { close, shows, withPages } from "./chromium.mjs";
import { pause, until } from "./until.mjs";

export { close };

const here = dirname(fileURLToPath(import.meta.url));
let bundle = null;

/** The page in one script, made when it is first needed. */
async function script() {
  bundle ??= build({
    entryPoints: [join(here, "react_page.jsx")], bundle: true, write: false, format: "esm", jsx: "automatic", target: "es2022",
    define: { "process.env.NODE_ENV": '"development"' }, logLevel: "silent",
  });
  return (await bundle).outputFiles[0].text;
}

/** Opens the React page, which the worker answers; its script is bundled here instead of being among a server's files. */
const withReact = ({ host, name }, work) => withPages(async (open, { context, weather }) => {
  await context.route("**/react/page.js", async (route) => route.fulfill({ contentType: "text/javascript", body: await script() }));
  const visit = async (parameters = {}) => {
    const page = await open(`http://${host}/react/?${new URLSearchParams({ name, ...parameters })}`);
    page.call = (method, args = []) => page.evaluate(([m, a]) => window.agent.call(m, a), [method, args]);
    page.seen = () => page.evaluate(() => window.seen);
    return page;
  };
  await work(visit, weather);
});

export const identity_and_first_state = (given) => withReact(given, async (visit) => {
  const page = await visit();
  await shows(page, "#identity", `probe/${given.name}`);
  await shows(page, "#count", 0);
  await page.evaluate(() => window.agent.ready);
  const seen = await page.seen();
  assert.deepEqual(seen.identities.at(-1), [given.name, "probe"]);
  assert.deepEqual(seen.states.at(-1), ["server", { count: 0 }]);
  assert.deepEqual(seen.mcp.at(-1), { servers: {}, tools: [], prompts: [], resources: [] });
});

export const state_in_two_pages = (given) => withReact(given, async (visit) => {
  const [one, other] = [await visit(), await visit()];
  await shows(other, "#count", 0);
  await one.click("#increment");
  for (const page of [one, other]) await shows(page, "#count", 1);
  await other.click("#set");
  for (const page of [one, other]) await shows(page, "#count", 100);
  assert.deepEqual((await other.seen()).states.at(-1), ["client", { count: 100 }]);
  assert.deepEqual((await one.seen()).states.at(-1), ["server", { count: 100 }]);
});

export const mcp_servers = (given) => withReact(given, async (visit) => {
  const page = await visit();
  await shows(page, "#count", 0);
  await page.call("use_tools");
  const last = async (some = page) => (await some.seen()).mcp.at(-1);
  await until(async () => (await last())?.servers.crate?.state === "ready", "a server that is ready");
  const { servers, tools } = await last();
  assert.deepEqual(servers.crate, {
    name: "Crate", server_url: "rpc:crate", auth_url: null, state: "ready", error: null, instructions: null, capabilities: { tools: {} },
  });
  assert.deepEqual(tools, [{ name: "open", inputSchema: { type: "object" }, serverId: "crate" }]);
  const states = (await page.seen()).mcp.map((mcp) => mcp.servers.crate?.state).filter(Boolean);
  assert.deepEqual([...new Set(states)], ["connecting", "connected", "discovering", "ready"]);
  const other = await visit();
  await until(async () => (await last(other))?.tools.length === 1, "its tool on the second page");
  await other.call("drop_tools");
  for (const some of [page, other]) await until(async () => Object.keys((await last(some)).servers).length === 0, "the end of the server");
});

export const calls_and_errors = (given) => withReact(given, async (visit) => {
  const page = await visit();
  await shows(page, "#count", 0);
  await page.click("#increment");
  await shows(page, "#reply", 1);
  await page.click("#fail");
  await shows(page, "#reply", "no such luck");
  assert.deepEqual(await page.call("echo", [{ list: ["ü", null] }]), { list: ["ü", null] });
  await assert.rejects(page.call("missing"), /Method missing does not exist/);
  await assert.rejects(page.call("hidden"), /Method hidden is not callable/);
});

export const sub_agents = (given) => withReact(given, async (visit) => {
  const chain = [{ agent: "Probe", name: "kid a/b" }, { agent: "Probe", name: "grandkid" }];
  const [parent, kid] = [await visit(), await visit({ sub: JSON.stringify(chain.slice(0, 1)) })];
  const [one, other] = [await visit({ sub: JSON.stringify(chain) }), await visit({ sub: JSON.stringify(chain) })];
  await shows(kid, "#identity", "probe/kid a/b");
  for (const page of [one, other]) await shows(page, "#identity", "probe/grandkid");
  await one.click("#increment");
  for (const page of [one, other]) await shows(page, "#count", 1);
  await other.click("#set");
  for (const page of [one, other]) await shows(page, "#count", 100);
  await one.click("#fail");
  await shows(one, "#reply", "no such luck");
  for (const page of [parent, kid]) await shows(page, "#count", 0);
  assert.deepEqual((await one.seen()).identities.at(-1), ["grandkid", "probe"]);
});

export const streaming = (given) => withReact(given, async (visit) => {
  const page = await visit();
  await shows(page, "#count", 0);
  const run = (method, args) => page.evaluate(async ([m, a]) => {
    const chunks = [];
    const options = { stream: { onChunk: (chunk) => chunks.push(chunk), onDone: (final) => chunks.push({ final: final ?? null }), onError: (error) => chunks.push({ error }) } };
    await window.agent.call(m, a, options).catch(() => {});
    return chunks;
  }, [method, args]);
  assert.deepEqual(await run("words", ["one two"]), ["one", "two", { final: null }]);
  assert.deepEqual(await run("count_to", [2]), [1, 2, { final: { total: 2 } }]);
  assert.deepEqual(await run("words_then_fail", ["one two"]), ["one", "two", { error: "ran out of words" }]);
});

export const rejected_and_readonly_state = (given) => withReact(given, async (visit) => {
  const [writer, reader] = [await visit(), await visit({ readonly: "1" })];
  await shows(reader, "#count", 0);
  await writer.click("#reject");
  await until(async () => (await writer.seen()).stateErrors.length, "the rejection");
  await shows(writer, "#count", 0); // the agent sent the true state back
  await reader.click("#set");
  await until(async () => (await reader.seen()).stateErrors.length, "the refusal");
  await reader.click("#increment");
  await shows(reader, "#reply", "Connection is readonly");
  await writer.click("#increment");
  await shows(reader, "#count", 1);
  assert.deepEqual([(await writer.seen()).stateErrors, (await reader.seen()).stateErrors], [["State update rejected"], ["Connection is readonly"]]);
});

export const custom_id_and_async_query = (given) => withReact(given, async (visit) => {
  const page = await visit({ id: "my-own-id", token: "t 1&2" });
  await shows(page, "#count", 0);
  const me = await page.call("me");
  assert.equal(me.id, "my-own-id");
  assert.equal(new URLSearchParams(me.state.query).get("token"), "t 1&2");
});

export const http_url_of_the_agent = (given) => withReact(given, async (visit) => {
  const page = await visit();
  await shows(page, "#count", 0);
  const answer = await page.evaluate(async () => (await fetch(window.agent.getHttpUrl(), { method: "POST", body: "hello" })).json());
  assert.deepEqual(answer, { method: "POST", body: "hello", count: 0 });
});

export const hibernation = (given) => withReact(given, async (visit) => {
  const [page, other] = [await visit({ id: "sleeper" }), await visit()];
  await shows(other, "#count", 0);
  await page.click("#increment");
  await shows(other, "#count", 1);
  await page.call("remember", ["the window seat"]);
  assert.equal(await page.call("life"), 1);
  await pause(given.idleMs);
  assert.equal(await page.call("life"), 1, "the object should have been rebuilt");
  assert.deepEqual((await page.call("me")).state, { remembered: "the window seat" });
  await page.click("#increment");
  await shows(other, "#count", 2);
  assert.equal((await other.seen()).closes.length, (await other.seen()).opens - 1, "the other page's connection stayed open");
});

export const server_killed_and_started_again = (given) => withReact(given, async (visit, weather) => {
  const [page, other] = [await visit({ id: "same-as-before" }), await visit()];
  await shows(other, "#count", 0);
  await page.click("#increment");
  await shows(other, "#count", 1);
  weather.serverMayBeDown = true;
  await given.ask("kill");
  await shows(page, "#identity", "unknown");
  await given.ask("start");
  for (const one of [page, other]) await shows(one, "#identity", `probe/${given.name}`);
  await pause(200); // what Chromium still has to say about its last failed attempt
  weather.serverMayBeDown = false;
  await shows(page, "#count", 1);
  await other.click("#increment");
  await shows(page, "#count", 2);
  assert.equal((await page.call("me")).id, "same-as-before");
});
