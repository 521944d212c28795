// The agent of entry file `desk_agent.py`, in JavaScript: each finds what the other has stored.
import { Agent, callable, routeAgentRequest } from "agents";

export class Desk extends Agent {
  initialState = { count: 0 };

  increment(by) {
    this.setState({ ...this.state, count: this.state.count + by });
    return this.state;
  }

  async plan() {
    await this.schedule(3600, "remind", { text: "in an hour é" });
    await this.schedule("0 9 * * 1", "remind", { text: "on Mondays" });
    await this.scheduleEvery(600, "remind", { text: "every ten minutes" });
    return await this.planned();
  }

  async planSoon(seconds) {
    await this.schedule(seconds, "remind", { text: "soon, from JavaScript" });
    return "planned";
  }

  async planned() {
    const found = [];
    for (const one of await this.getSchedules()) {
      found.push([one.type, one.callback, one.payload.text, one.cron ?? null, one.intervalSeconds ?? null]);
    }
    return found.sort();
  }

  async remind(payload) {
    this.setState({ ...this.state, reminded: `JavaScript: ${payload.text}` });
  }

  look() {
    return this.state;
  }
}

for (const name of ["increment", "plan", "planSoon", "planned", "look"]) {
  callable()(Desk.prototype[name], { kind: "method", name });
}

export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) ?? new Response("no agent", { status: 404 });
  },
};
