// Scenarios with AgentClient and agentFetch of npm `agents`, unmodified, in Node.
import assert from "node:assert/strict";
import { AgentClient, agentFetch } from "agents/client";
import WebSocket from "ws";
import { pause, until, within } from "./until.mjs";

const FAST_RECONNECT = { minReconnectionDelay: 100, maxReconnectionDelay: 500, connectionTimeout: 2_000 };

/** Runs `work` with a function that makes clients; closes them all afterwards. */
async function withClients(host, name, work) {
  const clients = [];
  const make = (options = {}) => {
    const seen = { states: [], stateErrors: [], messages: [], closes: [], identities: [] };
    const client = new AgentClient({
      agent: "Probe", name, host, protocol: "ws", WebSocket, ...FAST_RECONNECT,
      onStateUpdate: (state, source) => seen.states.push([source, state]),
      onStateUpdateError: (error) => seen.stateErrors.push(error),
      onIdentity: (...identity) => seen.identities.push(identity),
      onConnectionError: (error) => { seen.connectionError = error; },
      ...options,
    });
    client.addEventListener("message", ({ data }) => seen.messages.push(data));
    client.addEventListener("close", ({ code, reason }) => seen.closes.push([code, reason]));
    client.seen = seen;
    clients.push(client);
    return client;
  };
  try {
    await work(make);
  } finally {
    for (const client of clients) client.close();
  }
}

const ready = async (client) => { await within(client.ready, "the identity frame"); return client; };
const refused = (promise, text) => assert.rejects(within(promise, "the call to fail"), (error) => { assert.equal(error.message, text); return true; });

export const identity = ({ host, name }) => withClients(host, name, async (make) => {
  const client = make();
  assert.equal(client.identified, false);
  await ready(client);
  assert.equal(client.identified, true);
  assert.deepEqual(client.seen.identities, [[name, "probe"]]);
  assert.deepEqual(client.state, { count: 0 }); // `ready` waits for the state that follows
  assert.deepEqual(client.seen.states, [["server", { count: 0 }]]);
});

export const identity_without_state = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make({ agent: "Plain" }));
  assert.equal(client.agent, "plain");
  assert.equal(client.state, undefined);
});

export const state_reaches_the_other_client_once = ({ host, name }) => withClients(host, name, async (make) => {
  const one = await ready(make());
  const other = await ready(make());
  one.setState({ count: 7 });
  await until(() => other.state.count === 7, "the other client's state");
  other.setState({ count: 8, extra: ["ü", null] });
  await until(() => one.state.count === 8, "the first client's state");
  assert.deepEqual(one.state, { count: 8, extra: ["ü", null] });
  await other.call("increment"); // by now an echo of anything before would have arrived
  assert.deepEqual(one.seen.states.map(([source, { count }]) => [source, count]), [["server", 0], ["client", 7], ["server", 8], ["server", 9]]);
  assert.deepEqual(other.seen.states.map(([source, { count }]) => [source, count]), [["server", 0], ["server", 7], ["client", 8], ["server", 9]]);
});

export const state_set_by_the_agent_arrives_before_the_reply = ({ host, name }) => withClients(host, name, async (make) => {
  const one = await ready(make());
  const other = await ready(make());
  assert.equal(await one.call("increment", [3]), 3);
  assert.deepEqual(one.state, { count: 3 });
  await until(() => other.state.count === 3, "the other client's state");
});

export const rejected_state_is_taken_back = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  client.setState({ count: -1 });
  await until(() => client.seen.stateErrors.length, "the rejection");
  assert.deepEqual(client.seen.stateErrors, ["State update rejected"]);
  await until(() => client.state.count === 0, "the true state");
});

export const calls = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  const value = { text: "grüße 🦊", list: [1, -2.5, true, null], deep: { empty: "" } };
  assert.deepEqual(await client.call("echo", [value]), value);
  assert.equal(await client.call("echo", [null]), null);
  assert.equal(await client.stub.echo("through the stub"), "through the stub");
  const order = [];
  await Promise.all([client.call("slow", [0.3, "late"]).then((text) => order.push(text)), client.call("slow", [0.01, "soon"]).then((text) => order.push(text)), client.call("echo", ["now"]).then((text) => order.push(text))]);
  assert.deepEqual(order, ["now", "soon", "late"]);
});

export const calls_before_the_connection_is_open = ({ host, name }) => withClients(host, name, async (make) => {
  const client = make();
  assert.equal(await within(client.call("increment", [2]), "the result"), 2);
});

export const failing_calls = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  await refused(client.call("fail", ["no such luck"]), "no such luck");
  await refused(client.call("missing"), "Method missing does not exist");
  await refused(client.call("hidden"), "Method hidden is not callable");
  await refused(client.call("set_state", [{ count: 9 }]), "Method set_state is not callable");
  await refused(client.call("destroy"), "Method destroy is not callable");
  assert.equal(await client.call("echo", ["still here"]), "still here");
  assert.deepEqual(client.state, { count: 0 });
});

export const call_timeout = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  await refused(client.call("slow", [0.4, "late"], { timeout: 100 }), "RPC call to slow timed out after 100ms");
  assert.equal(await client.call("slow", [0.5, "in time"], { timeout: 5_000 }), "in time");
});

const stream = (client, method, args) => {
  const chunks = [];
  const ends = [];
  const result = client.call(method, args, { stream: { onChunk: (chunk) => chunks.push(chunk), onDone: (final) => ends.push(["done", final]), onError: (error) => ends.push(["error", error]) } });
  return { chunks, ends, result };
};

export const streaming = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  const words = stream(client, "words", ["one two three"]);
  const numbers = stream(client, "count_to", [3]);
  assert.equal((await within(words.result, "the end of the words")) ?? null, null);
  assert.deepEqual(words.chunks, ["one", "two", "three"]);
  assert.deepEqual(await within(numbers.result, "the end of the numbers"), { total: 3 });
  assert.deepEqual(numbers.chunks, [1, 2, 3]);
  assert.deepEqual(numbers.ends, [["done", { total: 3 }]]);
});

export const streaming_that_fails = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  const words = stream(client, "words_then_fail", ["one two"]);
  await refused(words.result, "ran out of words");
  assert.deepEqual(words.chunks, ["one", "two"]);
  assert.deepEqual(words.ends, [["error", "ran out of words"]]);
  const missing = stream(client, "missing", []);
  await refused(missing.result, "Method missing does not exist");
});

export const readonly_connection = ({ host, name }) => withClients(host, name, async (make) => {
  const reader = await ready(make({ query: { readonly: "1" } }));
  const writer = await ready(make());
  reader.setState({ count: 5 });
  await until(() => reader.seen.stateErrors.length, "the refusal");
  assert.deepEqual(reader.seen.stateErrors, ["Connection is readonly"]);
  await refused(reader.call("increment"), "Connection is readonly");
  assert.equal(await reader.call("echo", ["reading is fine"]), "reading is fine");
  assert.equal(await writer.call("increment"), 1);
  await until(() => reader.state.count === 1, "the writer's state");
});

export const custom_id_and_query = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make({ id: "my-own-id", query: async () => ({ token: "t 1&2", nothing: null }) }));
  const me = await client.call("me");
  assert.equal(me.id, "my-own-id");
  assert.deepEqual(Object.fromEntries(new URLSearchParams(me.state.query)), { _pk: "my-own-id", token: "t 1&2" });
});

export const base_path = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make({ basePath: `mine/${name}`, name: "whatever" }));
  assert.deepEqual([client.name, client.agent], [name, "probe"]);
  assert.equal(await client.call("increment"), 1);
  const usual = await ready(make());
  assert.deepEqual(usual.state, { count: 1 });
});

export const messages_both_ways = ({ host, name }) => withClients(host, name, async (make) => {
  const one = await ready(make());
  const other = await ready(make());
  one.binaryType = "arraybuffer";
  one.send("plain text");
  one.send(new Uint8Array([0, 255, 16]));
  await until(() => one.seen.messages.includes("plain text") && one.seen.messages.some((data) => typeof data !== "string"), "both echoes");
  const bytes = one.seen.messages.find((data) => typeof data !== "string");
  assert.deepEqual([...new Uint8Array(bytes)], [0, 255, 16]);
  await one.call("shout", ["to everybody"]);
  await until(() => other.seen.messages.includes("to everybody"), "the broadcast");
  assert.ok(!other.seen.messages.includes("plain text"));
});

export const large_values = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  const text = "0123456789abcdef".repeat(60_000); // about 1 MB
  assert.equal(await within(client.call("echo", [text]), "the large echo"), text);
  client.setState({ count: 1, text });
  await client.call("echo", ["the state has been received"]);
  const other = await ready(make());
  assert.equal(other.state.text.length, text.length);
});

export const agent_fetch = async ({ host, name }) => {
  const options = { agent: "Probe", name, host, protocol: "http" };
  const answer = await agentFetch(options, { method: "POST", body: "hello" });
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { method: "POST", body: "hello", count: 0 });
  assert.equal((await agentFetch({ ...options, agent: "Plain" })).status, 404);
  assert.equal((await agentFetch({ ...options, agent: "Nobody" })).status, 400);
};

export const hibernation = ({ host, name, idleMs }) => withClients(host, name, async (make) => {
  const client = await ready(make({ id: "sleeper" }));
  const other = await ready(make());
  await client.call("increment", [41]);
  await client.call("remember", ["the window seat"]);
  assert.equal(await client.call("life"), 1);
  assert.equal(await client.call("life"), 2);
  await pause(idleMs);
  assert.equal(await client.call("life"), 1, "the object should have been rebuilt");
  assert.deepEqual(await client.call("me"), { id: "sleeper", state: { remembered: "the window seat" }, others: 1 });
  assert.equal(await client.call("increment"), 42);
  await until(() => other.state.count === 42, "the state at the other sleeping connection");
  assert.deepEqual(client.seen.closes, []);
});

export const server_killed_and_started_again = ({ host, name, ask }) => withClients(host, name, async (make) => {
  const client = await ready(make({ id: "same-as-before" }));
  assert.equal(await client.call("increment", [5]), 5);
  const cut = client.call("slow", [60, "never"]);
  const failed = refused(cut, "Connection closed");
  await client.call("echo", ["the slow call has been received"]);
  await ask("kill");
  await failed;
  assert.equal(client.identified, false);
  const buffered = client.call("increment");
  await ask("start");
  assert.equal(await within(buffered, "the call made while the server was down", 15_000), 6);
  await ready(client);
  assert.deepEqual(client.state, { count: 6 });
  assert.equal((await client.call("me")).id, "same-as-before");
  assert.deepEqual(client.seen.identities, [[name, "probe"], [name, "probe"]]);
  assert.equal(client.seen.closes[0][0], 1006);
});

export const server_stopped_politely = ({ host, name, ask }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  await client.call("increment", [5]);
  await ask("stop");
  await until(() => client.seen.closes.length, "the close");
  assert.equal(client.seen.closes[0][0], 1012);
  await ask("start");
  await within(client.ready, "the identity after the restart", 15_000);
  assert.deepEqual(client.state, { count: 5 });
});

export const closed_for_good = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  client.call("dismiss", [4001, "closing time"]).catch(() => {});
  await until(() => client.seen.connectionError, "the connection error");
  assert.deepEqual([client.seen.connectionError.code, client.seen.connectionError.reason], [4001, "closing time"]);
  await refused(client.call("echo", [1]), "Connection closed");
});

export const sub_agents = ({ host, name }) => withClients(host, name, async (make) => {
  const parent = await ready(make());
  const [one, other] = [await ready(make({ path: "sub/probe/kid%20a" })), await ready(make({ path: "sub/probe/kid%20a" }))];
  assert.deepEqual(one.seen.identities, [["kid a", "probe"]]);
  assert.equal(await one.call("increment", [3]), 3);
  await until(() => other.state.count === 3, "the other client's state");
  other.setState({ count: 8 });
  await until(() => one.state.count === 8, "the first client's state");
  const chunks = [];
  await one.call("words", ["one two"], { stream: { onChunk: (chunk) => chunks.push(chunk) } });
  assert.deepEqual(chunks, ["one", "two"]);
  await refused(one.call("fail", ["no such luck"]), "no such luck");
  assert.deepEqual(parent.state, { count: 0 });
});

export const manual_reconnect = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await ready(make());
  await client.call("increment");
  client.reconnect();
  await until(() => client.seen.identities.length === 2, "the second identity");
  assert.deepEqual(client.state, { count: 1 });
  await until(async () => (await client.call("me")).others === 0, "the end of the first connection");
});
