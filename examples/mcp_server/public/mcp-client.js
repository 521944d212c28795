// A small MCP client over streamable HTTP: calls, progress, questions of the server, and a session that goes on.
//
//   const client = new McpClient("/session", { onQuestion: async ({ message }) => ({ action: "accept", content: {} }) });
//   const { tools } = await client.request("tools/list");
//   await client.request("tools/call", { name: "scale", arguments: { recipe: "dal" } }, { onProgress: ({ progress, total }) => {} });

const VERSION = "2025-11-25";
const RETRY_MS = 500;

export class McpClient {
  #url;
  #onQuestion;
  #onSession;
  #ids = 0;
  #opening = null;

  /** `session` goes on with an earlier one; `onSession` hears of a new one, to keep it. */
  constructor(url, { session = null, onQuestion = async () => ({ action: "decline" }), onSession = () => {} } = {}) {
    this.#url = url;
    this.session = session;
    this.#onQuestion = onQuestion;
    this.#onSession = onSession;
    if (session) this.#opening = Promise.resolve();
  }

  /** The result of a request. Throws what the server answers instead, or that it could not be reached. */
  async request(method, params = {}, { onProgress } = {}) {
    await (this.#opening ??= this.#open());
    const id = ++this.#ids;
    const meta = onProgress ? { _meta: { progressToken: id } } : {};
    const answer = await this.#post({ id, method, params: { ...params, ...meta } });
    if (answer.status === 404 && this.session) { // the session is over: begin another
      this.session = null;
      this.#opening = null;
      return this.request(method, params, { onProgress });
    }
    for await (const message of messagesOf(answer)) {
      if (message.method === "notifications/progress") onProgress?.(message.params);
      else if (message.method && message.id !== undefined) this.#answer(message);
      else if (message.id === id && message.error) throw new Error(message.error.message);
      else if (message.id === id) return message.result;
    }
    throw new Error("the connection was lost; the call may or may not have run");
  }

  /** Listens for what the server tells of by itself, and reconnects. `onStatus` hears "open" and "connecting". */
  async listen(onStatus) {
    for (;;) {
      try {
        await (this.#opening ??= this.#open());
        const answer = await fetch(this.#url, { headers: this.#headers({ accept: "text/event-stream" }) });
        if (answer.ok) {
          onStatus("open");
          for await (const _ of messagesOf(answer)); // this server tells of nothing by itself
        } else if (answer.status === 404) {
          this.session = this.#opening = null;
        }
      } catch {
        if (!this.session) this.#opening = null;
      }
      onStatus("connecting");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #open() {
    const params = { protocolVersion: VERSION, capabilities: { elicitation: {} }, clientInfo: { name: "page", version: "1" } };
    const answer = await this.#post({ id: ++this.#ids, method: "initialize", params });
    for await (const message of messagesOf(answer)) if (message.error) throw new Error(message.error.message);
    this.session = answer.headers.get("mcp-session-id");
    if (this.session) this.#onSession(this.session);
    await this.#post({ method: "notifications/initialized" });
  }

  async #answer({ id, method, params }) {
    if (method === "elicitation/create") await this.#post({ id, result: await this.#onQuestion(params) });
    else await this.#post({ id, error: { code: -32601, message: "Method not found" } });
  }

  #headers(more) {
    return { ...more, "mcp-protocol-version": VERSION, ...(this.session ? { "mcp-session-id": this.session } : {}) };
  }

  #post(message) {
    const headers = this.#headers({ "content-type": "application/json", accept: "application/json, text/event-stream" });
    return fetch(this.#url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) });
  }
}

/** The messages of an answer, as they come: one in JSON, or a stream of events. */
async function* messagesOf(answer) {
  if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
    const text = await answer.text();
    if (text) yield JSON.parse(text);
    return;
  }
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}
