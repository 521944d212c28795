// The agent of entry file `desk_agent.py`, in JavaScript: each finds what the other has stored.
import { Agent, callable, routeAgentRequest } from "agents";

export class Drawer extends Agent {
  initialState = { texts: [] };

  put(text) {
    this.setState({ texts: [...this.state.texts, text] });
    return this.state.texts;
  }

  async putSoon(seconds, text) {
    await this.schedule(seconds, "late", { text });
  }

  late(payload) {
    this.put(`JavaScript: ${payload.text}`);
  }
}

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

  // Leaves items in the queue: the first one does not end in this life of the object.
  async fill(texts) {
    this.isBusy = true;
    for (const text of texts) await this.queue("note", { kind: "note", text });
    return await this.waiting();
  }

  async note(payload) {
    if (this.isBusy) await new Promise(() => {});
    this.setState({ ...this.state, noted: [...(this.state.noted ?? []), payload.text] });
  }

  async waiting() {
    return (await this.getQueues("kind", "note")).map((item) => [item.id, item.callback, item.payload.text]);
  }

  // Uses one MCP server, at which a person has to let it in.
  async join(url, host) {
    return await this.addMcpServer("work", url, { id: "work", callbackHost: host });
  }

  async server() {
    const { servers, tools } = this.getMcpServers();
    return [servers.work.state, servers.work.auth_url, tools.map((tool) => tool.name).sort()];
  }

  async use(tool) {
    await this.mcp.waitForConnections({ timeout: 5000 });
    const result = await this.mcp.callTool({ serverId: "work", name: tool, arguments: {} });
    return result.content[0].text;
  }

  look() {
    return this.state;
  }

  async put(name, text) {
    return await (await this.subAgent(Drawer, name)).put(text);
  }

  async putSoon(name, seconds, text) {
    await (await this.subAgent(Drawer, name)).putSoon(seconds, text);
    return "planned";
  }

  drawers() {
    return this.listSubAgents(Drawer).map((one) => one.name);
  }

  async removeDrawer(name) {
    await this.deleteSubAgent(Drawer, name);
    return this.drawers();
  }
}

for (const name of ["increment", "plan", "planSoon", "planned", "fill", "waiting", "look", "join", "server", "use", "put", "putSoon", "drawers", "removeDrawer"]) {
  callable()(Desk.prototype[name], { kind: "method", name });
}

export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) ?? new Response("no agent", { status: 404 });
  },
};
