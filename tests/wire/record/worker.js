// The agents whose frames are recorded. tests/wire/worker/entry.py says the same in Python;
// a change here needs the same change there, and a new recording.
import { Agent, callable, routeAgentRequest } from "agents";

class Talker extends Agent {
  inherited() { return "from the base class"; }
  overridden() { return "from the base class"; }

  onMessage(connection, message) {
    if (message === "explode") throw new Error("secret of the house");
    connection.send(typeof message === "string" ? `heard ${message}` : `heard ${message.byteLength} bytes`);
  }
}

export class Basic extends Talker {
  initialState = { count: 0 };

  validateStateChange(next) {
    if (next?.count < 0) throw new Error("count must not be negative");
  }

  add(a, b) { return a + b; }
  nothing() {}
  null() { return null; }
  echo(value) { return value; }
  raises() { throw new Error("kaboom"); }
  unserialisable() { const loop = {}; loop.loop = loop; return loop; }
  increment(by = 1) { this.setState({ count: this.state.count + by }); return this.state.count; }
  twice() { this.setState({ count: 1 }); this.setState({ count: 2 }); return "done"; }
  reject() { this.setState({ count: -1 }); }
  async after(ms, value) { await new Promise((resolve) => setTimeout(resolve, ms)); return value; }
  shout(text) { this.broadcast(text); }
  shoutToOthers(text, mine) { this.broadcast(text, [mine]); return [...this.getConnections()].length; }
  hidden() { return "nobody may call this"; }
  countTo(stream, n) { for (let i = 1; i <= n; i++) stream.send(i); stream.end(); }
  countWithResult(stream, n) { for (let i = 1; i <= n; i++) stream.send(i); stream.end({ total: n }); }
  countThenRaise(stream, n) { for (let i = 1; i <= n; i++) stream.send(i); throw new Error("midway"); }
  softError(stream) {
    stream.error("soft");
    const sent = stream.send("late");
    this.broadcast(`late send: ${sent}`);
  }
  neverEnds(stream) { stream.send("only"); }
}

export class Plain extends Talker {
  overridden() { return "not decorated again"; }
}

export class Watched extends Talker {
  initialState = { count: 0 };
  onStateChanged(state, source) {
    this.broadcast(`${source === "server" ? "the agent" : source.id} made it ${state.count}`);
  }
  increment(by = 1) { this.setState({ count: this.state.count + by }); return this.state.count; }
  incrementAndShout() { this.setState({ count: this.state.count + 1 }); this.broadcast("after setting it"); }
  async incrementAndWait() { this.setState({ count: this.state.count + 1 }); await new Promise((resolve) => setTimeout(resolve, 20)); return this.state.count; }
  async vanish() { await this.destroy(); }
}

export class Nameless extends Talker {
  static options = { sendIdentityOnConnect: false };
  initialState = { count: 0 };
}

export class Greeter extends Talker {
  initialState = { greeted: 0 };
  getConnectionTags(connection, ctx) { return (new URL(ctx.request.url).searchParams.get("tags") ?? "").split(",").filter(Boolean); }
  onConnect(connection) {
    connection.setState({ at: "door" });
    connection.send(`hello ${connection.id}`);
    this.setState({ greeted: this.state.greeted + 1 });
  }
  onClose(connection, code, reason) { this.broadcast(`left ${connection.id} ${code} ${reason}`); }
  whoami() { const { id, tags, state } = [...this.getConnections()][0]; return { id, tags: [...tags], state }; }
  tagged(tag) { return [...this.getConnections(tag)].map((connection) => connection.id).sort(); }
  moveTo(place) { for (const connection of this.getConnections()) connection.setState({ at: place }); }
  dismiss(code, reason) { for (const connection of this.getConnections()) connection.close(code, reason); }
}

export class Guarded extends Talker {
  initialState = { count: 0 };
  shouldConnectionBeReadonly(connection, ctx) { return new URL(ctx.request.url).searchParams.has("readonly"); }
  shouldSendProtocolMessages(connection, ctx) { return !new URL(ctx.request.url).searchParams.has("quiet"); }
  increment(by = 1) { this.setState({ count: this.state.count + by }); return this.state.count; }
  get() { return this.state.count; }
  setReadonly(id, readonly) { this.setConnectionReadonly(this.getConnection(id), readonly); }
}

export class Broken extends Talker {
  onConnect() { throw new Error("secret of the house"); }
  onRequest() { throw new Error("secret of the house"); }
}

export class Web extends Talker {
  async onRequest(request) {
    const url = new URL(request.url);
    return Response.json({ name: this.name, method: request.method, path: url.pathname + url.search, body: await request.text() },
      { status: 201, headers: { "x-seen": "yes" } });
  }
}

const exposed = [
  [Talker, "inherited overridden", {}],
  [Watched, "increment incrementAndShout incrementAndWait vanish", {}],
  [Basic, "add nothing null echo raises unserialisable increment twice reject after shout shoutToOthers", {}],
  [Basic, "countTo countWithResult countThenRaise softError neverEnds", { streaming: true }],
  [Greeter, "whoami tagged moveTo dismiss", {}],
  [Guarded, "increment get setReadonly", {}],
];
for (const [cls, names, metadata] of exposed)
  for (const name of names.split(" ")) callable(metadata)(cls.prototype[name], { kind: "method", name });

export default {
  async fetch(request, env) {
    const cors = new URL(request.url).searchParams.has("cors");
    return (await routeAgentRequest(request, env, { cors })) ?? new Response("no agent here", { status: 404 });
  },
};
