// The JavaScript side of the benchmarks: the same Counter as bench/worker/entry.py, on npm `agents`.
//   GET /agents/counter/NAME            the state, read
//   GET /agents/counter/NAME?op=inc     one durable increment
//   GET /agents/counter/NAME?op=seen    how many requests this life of the object has answered
//   GET /agents/counter/NAME?op=schedule&n=N&at=S   N schedules, one by one, for a moment (seconds), or for in an hour
//   GET /agents/counter/NAME?op=queue&n=N           N queue items, one by one
//   GET /agents/counter/NAME?op=fiber&n=N&stashes=S   N fibers, one after the other, of S stashes each
//   GET /agents/counter/NAME?op=sub&n=N   N calls to a sub-agent (subinc: that are durable; sub3: three deep; own: to itself)
//   GET /agents/counter/NAME?op=hits    how many of them this life of the object has run
// and the callables echo, increment and ran over a WebSocket.
import { Agent, callable, routeAgentRequest } from "agents";

export class Part extends Agent {
  initialState = { count: 0 };

  async echo(value) {
    return value;
  }

  async increment() {
    this.setState({ count: this.state.count + 1 });
    return this.state.count;
  }

  async deepEcho(depth, value) {
    return depth ? (await this.subAgent(this.constructor, "part")).deepEcho(depth - 1, value) : value;
  }
}

export class Counter extends Agent {
  initialState = { count: 0 };
  seen = 0;
  hits = 0;

  increment(by = 1) {
    this.setState({ count: this.state.count + by });
    return this.state.count;
  }

  echo(value) {
    return value;
  }

  ran() {
    return this.hits;
  }

  hit() {
    this.hits++;
  }

  async fill(n, stashes) {
    for (let number = 0; number < n; number++) {
      await this.runFiber("bench", async (fiber) => {
        for (let step = 0; step < stashes; step++) fiber.stash({ step });
      });
    }
    return Response.json({ filled: n });
  }

  async plan(op, n, at) {
    for (let number = 0; number < n; number++) {
      if (op === "queue") await this.queue("hit", { number });
      else await this.schedule(at ? new Date(at * 1000) : 3600, "hit", { number });
    }
    return Response.json({ planned: n });
  }

  async own(value) {
    return value;
  }

  async callParts(op, n) {
    const part = await this.subAgent(Part, "part");
    for (let number = 0; number < n; number++) {
      if (op === "sub") await part.echo(number);
      else if (op === "subinc") await part.increment();
      else if (op === "sub3") await part.deepEcho(2, number);
      else await this.own(number);
    }
    return Response.json({ called: n });
  }

  async onRequest(request) {
    this.seen++;
    const query = new URL(request.url).searchParams;
    const op = query.get("op");
    if (op === "schedule" || op === "queue") return this.plan(op, Number(query.get("n")), Number(query.get("at")));
    if (op === "fiber") return this.fill(Number(query.get("n")), Number(query.get("stashes")));
    if (["sub", "subinc", "sub3", "own"].includes(op)) return this.callParts(op, Number(query.get("n")));
    if (op === "hits") return Response.json({ hits: this.hits });
    if (op === "inc") return Response.json({ count: this.increment() });
    if (op === "seen") return Response.json({ seen: this.seen });
    return Response.json({ count: this.state.count });
  }
}

// Without a build step for decorators: what `@callable()` before a method does.
for (const name of ["increment", "echo", "ran"]) callable()(Counter.prototype[name], { kind: "method", name });

export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) ?? new Response("Not found", { status: 404 });
  }
};
