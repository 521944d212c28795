// The JavaScript side of the benchmarks: the same Counter as bench/worker/entry.py, on npm `agents`.
//   GET /agents/counter/NAME            the state, read
//   GET /agents/counter/NAME?op=inc     one durable increment
//   GET /agents/counter/NAME?op=seen    how many requests this life of the object has answered
// and the callables echo and increment over a WebSocket.
import { Agent, callable, routeAgentRequest } from "agents";

export class Counter extends Agent {
  initialState = { count: 0 };
  seen = 0;

  increment(by = 1) {
    this.setState({ count: this.state.count + by });
    return this.state.count;
  }

  echo(value) {
    return value;
  }

  onRequest(request) {
    this.seen++;
    const op = new URL(request.url).searchParams.get("op");
    if (op === "inc") return Response.json({ count: this.increment() });
    if (op === "seen") return Response.json({ seen: this.seen });
    return Response.json({ count: this.state.count });
  }
}

// Without a build step for decorators: what `@callable()` before a method does.
for (const name of ["increment", "echo"]) callable()(Counter.prototype[name], { kind: "method", name });

export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) ?? new Response("Not found", { status: 404 });
  }
};
