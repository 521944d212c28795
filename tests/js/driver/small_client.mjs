// Scenarios with examples/public/agent-client.js, the small client that the example pages use.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { AgentClient } from "../../../examples/public/agent-client.js";
import { until, within } from "./until.mjs";

globalThis.WebSocket ??= WebSocket;

async function withClients(host, name, work) {
  const clients = [];
  const make = (agent = "probe", query = {}) => {
    const client = new AgentClient(agent, name, { host, secure: false, query });
    client.seen = [];
    for (const event of ["state", "message", "status", "rejected", "refused"]) client.on(event, (detail) => client.seen.push([event, detail]));
    clients.push(client);
    return client;
  };
  try {
    await work(make);
  } finally {
    for (const client of clients) client.close();
  }
}

const refused = (promise, text) => assert.rejects(within(promise, "the call to fail"), (error) => { assert.equal(error.message, text); return true; });
const open = async (client) => { await until(() => client.status === "open" && client.state, "the state"); return client; };

export const state_and_calls = ({ host, name }) => withClients(host, name, async (make) => {
  const one = await open(make());
  const other = await open(make());
  assert.equal(await one.call("increment", [2]), 2);
  assert.deepEqual(one.state, { count: 2 });
  other.setState({ count: 5 });
  await until(() => one.state.count === 5, "the state set by the other client");
  await refused(one.call("fail", ["no such luck"]), "no such luck");
  await refused(one.call("hidden"), "Method hidden is not callable");
  await refused(one.call("slow", [5], { timeout: 50 }), "slow got no answer in 50 ms");
  await one.call("shout", ['{"kind":"news"}']);
  await until(() => other.seen.some(([event, detail]) => event === "message" && detail.kind === "news"), "the broadcast");
});

export const rejected_state_is_taken_back = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await open(make());
  client.setState({ count: -1 });
  await until(() => client.seen.some(([event]) => event === "rejected") && client.state.count === 0, "the rejection and the true state");
});

export const streams = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await open(make());
  const words = [];
  await within(client.call("words", ["one two three"], { onChunk: (word) => words.push(word) }), "the end of the words");
  assert.deepEqual(words, ["one", "two", "three"]);
  await refused(client.call("words_then_fail", ["one"], { onChunk: () => {} }), "ran out of words");
});

export const closed_for_good = ({ host, name }) => withClients(host, name, async (make) => {
  const client = await open(make());
  client.call("dismiss", [4001, "closing time"]).catch(() => {});
  await until(() => client.status === "closed", "the end");
  assert.deepEqual(client.seen.at(-1), ["refused", { code: 4001, reason: "closing time" }]);
});

export const server_killed_and_started_again = ({ host, name, ask }) => withClients(host, name, async (make) => {
  const client = await open(make());
  assert.equal(await client.call("increment", [5]), 5);
  const cut = refused(client.call("slow", [60]), "the connection was lost; the call may or may not have run");
  await client.call("echo", ["the slow call has been received"]);
  await ask("kill");
  await cut;
  await until(() => client.status === "connecting", "the loss of the connection");
  const buffered = client.call("increment");
  await ask("start");
  assert.equal(await within(buffered, "the call made while the server was down", 15_000), 6);
  assert.deepEqual(client.state, { count: 6 });
});
