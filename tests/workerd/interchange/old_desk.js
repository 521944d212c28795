// What npm `agents` 0.21 leaves in the storage of a Desk, in plain SQL: a state, schedules, queue items.
import { DurableObject } from "cloudflare:workers";

const SCHEDULES = `CREATE TABLE IF NOT EXISTS cf_agents_schedules (
  id TEXT PRIMARY KEY NOT NULL DEFAULT (randomblob(9)), callback TEXT, payload TEXT,
  type TEXT NOT NULL CHECK(type IN ('scheduled', 'delayed', 'cron', 'interval')), time INTEGER,
  delayInSeconds INTEGER, cron TEXT, intervalSeconds INTEGER, running INTEGER DEFAULT 0,
  created_at INTEGER DEFAULT (unixepoch()), execution_started_at INTEGER, retry_options TEXT, owner_path TEXT,
  owner_path_key TEXT)`;
const QUEUES = `CREATE TABLE IF NOT EXISTS cf_agents_queues (
  id TEXT PRIMARY KEY NOT NULL, payload TEXT, callback TEXT, created_at INTEGER DEFAULT (unixepoch()),
  retry_options TEXT)`;
// Before there were intervals, retries and owners.
const OLDER_SCHEDULES = `CREATE TABLE IF NOT EXISTS cf_agents_schedules (
  id TEXT PRIMARY KEY NOT NULL DEFAULT (randomblob(9)), callback TEXT, payload TEXT,
  type TEXT NOT NULL CHECK(type IN ('scheduled', 'delayed', 'cron')), time INTEGER, delayInSeconds INTEGER, cron TEXT,
  created_at INTEGER DEFAULT (unixepoch()))`;
const OLDER_QUEUES = `CREATE TABLE IF NOT EXISTS cf_agents_queues (
  id TEXT PRIMARY KEY NOT NULL, payload TEXT, callback TEXT, created_at INTEGER DEFAULT (unixepoch()))`;

const ROWS = [
  ["in-an-hour", "remind", "in an hour é", "delayed", 3600, { delayInSeconds: 3600 }],
  ["mondays", "remind", "on Mondays", "cron", 86400, { cron: "0 9 * * 1" }],
  ["often", "remind", "every ten minutes", "interval", 600, { intervalSeconds: 600 }],
  ["soon", "remind", "soon, from before", "scheduled", 1, {}],
];

export class Desk extends DurableObject {
  async fetch(request) {
    const isOlder = new URL(request.url).pathname === "/older";
    const sql = this.ctx.storage.sql;
    const now = Math.floor(Date.now() / 1000);
    await this.ctx.storage.put("__ps_name", this.ctx.id.name);
    sql.exec("CREATE TABLE IF NOT EXISTS cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT)");
    sql.exec(
      "INSERT INTO cf_agents_state VALUES ('cf_state_row_id', ?), ('cf_state_was_changed', 'true')",
      JSON.stringify({ count: 21 }),
    );
    if (!isOlder) sql.exec("INSERT INTO cf_agents_state VALUES ('cf_schema_version', '8')");
    sql.exec(isOlder ? OLDER_SCHEDULES : SCHEDULES);
    for (const [id, callback, text, type, seconds, more] of ROWS) {
      if (isOlder && type === "interval") continue;
      const row = { id, callback, payload: JSON.stringify({ text }), type, time: now + seconds, ...more };
      const names = Object.keys(row);
      const marks = names.map(() => "?").join(", ");
      sql.exec(`INSERT INTO cf_agents_schedules (${names.join(", ")}) VALUES (${marks})`, ...Object.values(row));
    }
    sql.exec(isOlder ? OLDER_QUEUES : QUEUES);
    for (const [number, text] of ["first", "second", "third"].entries()) {
      const values = [`item-${number}`, JSON.stringify({ kind: "note", text }), "note"];
      sql.exec("INSERT INTO cf_agents_queues (id, payload, callback) VALUES (?, ?, ?)", ...values);
    }
    await this.ctx.storage.setAlarm((now + 1) * 1000);
    return new Response("left");
  }

  alarm() {
    // It is for whoever takes over: throwing makes the runtime keep it.
    throw new Error("not yet");
  }
}

export default {
  async fetch(request, env) {
    return await env.Desk.getByName(new URL(request.url).pathname.slice(1)).fetch(request);
  },
};
