// A small client for agents: reconnects by itself, keeps the state up to date, calls methods, streams results.
//
//   const agent = new AgentClient("counter", "demo");
//   agent.on("state", (state) => render(state));
//   await agent.call("change", [1, "Ada"]);
//   await agent.call("ask", ["why?"], { onChunk: (text) => append(text) });
//
// It speaks the protocol of the npm package `agents`, whose AgentClient and useAgent() work just as well here.

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
const CALL_TIMEOUT_MS = 30_000;

export class AgentClient {
  #socket = null;
  #listeners = new Map(); // event -> Set of functions
  #calls = new Map(); // id -> { frame, sent, resolve, reject, onChunk, timer }
  #retries = 0;
  #retryTimer = null;
  #closed = false;

  state = undefined;
  status = "connecting"; // "connecting" | "open" | "closed"

  constructor(agent, name = "default", { host = location.host, secure = location.protocol === "https:", query = {} } = {}) {
    this.id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`; // randomUUID is missing on plain http to another machine
    const parameters = new URLSearchParams({ _pk: this.id, ...query });
    this.url = `${secure ? "wss" : "ws"}://${host}/agents/${agent}/${encodeURIComponent(name)}?${parameters}`;
    globalThis.addEventListener?.("online", () => this.#retryNow());
    globalThis.document?.addEventListener("visibilitychange", () => document.hidden || this.#retryNow());
    this.#connect();
  }

  /**
   * Events: state; mcp (the agent's MCP servers and what they offer); message (any other text, decoded when it is JSON);
   * status; rejected (the agent did not accept our setState: a text); refused (the server closed the connection for
   * good: { code, reason }).
   */
  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return () => this.#listeners.get(event).delete(listener);
  }

  /** Replace the state of the agent: here at once, for everybody else as soon as the agent has stored it. Not while offline. */
  setState(state) {
    this.state = state;
    this.#socket?.readyState === WebSocket.OPEN && this.#socket.send(JSON.stringify({ type: "cf_agent_state", state }));
    this.#emit("state", state);
  }

  /** Call a method of the agent. What is called while offline is sent after the next connect. */
  call(method, args = [], { onChunk, timeout = onChunk ? 0 : CALL_TIMEOUT_MS } = {}) {
    const id = crypto.randomUUID?.() ?? `${this.id}-${Math.random()}`;
    return new Promise((resolve, reject) => {
      const timer = timeout && setTimeout(() => this.#settle(id, { error: `${method} got no answer in ${timeout} ms` }), timeout);
      this.#calls.set(id, { frame: JSON.stringify({ type: "rpc", id, method, args }), sent: false, resolve, reject, onChunk, timer });
      this.#flush();
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#socket?.close(1000, "bye");
    for (const id of [...this.#calls.keys()]) this.#settle(id, { error: "the connection was closed" });
    this.#setStatus("closed");
  }

  #connect() {
    if (this.#closed) return;
    const socket = (this.#socket = new WebSocket(this.url));
    let openedAt = Infinity;
    socket.onopen = () => {
      openedAt = Date.now();
      this.#setStatus("open");
      this.#flush();
    };
    socket.onerror = () => {}; // a close always follows
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket || this.#closed) return;
      for (const [id, call] of [...this.#calls]) if (call.sent) this.#settle(id, { error: "the connection was lost; the call may or may not have run" });
      if (code === 1008 || (code >= 4000 && code < 5000)) {
        this.close();
        this.#emit("refused", { code, reason });
        return;
      }
      this.#setStatus("connecting");
      if (Date.now() - openedAt > LONGEST_RETRY_MS) this.#retries = 0; // it worked for a while, so be quick again
      const delay = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 1.6 ** this.#retries++);
      this.#retryTimer = setTimeout(() => this.#connect(), delay * (0.75 + Math.random() / 2));
    };
  }

  #retryNow() {
    if (this.#closed || !this.#socket || this.#socket.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  #flush() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (const call of this.#calls.values()) {
      if (!call.sent) this.#socket.send(call.frame);
      call.sent = true;
    }
  }

  #receive(data) {
    let frame = data;
    try { frame = JSON.parse(data); } catch { /* not JSON: the agent sent plain text or bytes */ }
    if (frame?.type === "rpc") this.#answer(frame);
    else if (frame?.type === "cf_agent_state") this.#emit("state", (this.state = frame.state));
    else if (frame?.type === "cf_agent_mcp_servers") this.#emit("mcp", frame.mcp);
    else if (frame?.type === "cf_agent_state_error") this.#emit("rejected", frame.error);
    else if (!String(frame?.type).startsWith("cf_agent_")) this.#emit("message", frame);
  }

  #answer(frame) {
    if (frame.success && frame.done === false) this.#calls.get(frame.id)?.onChunk?.(frame.result);
    else this.#settle(frame.id, frame);
  }

  #settle(id, { error, result }) {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(error));
  }

  #setStatus(status) {
    if (status !== this.status) this.#emit("status", (this.status = status));
  }

  #emit(event, detail) {
    for (const listener of this.#listeners.get(event) ?? []) listener(detail);
  }
}
