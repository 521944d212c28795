// The JavaScript side of the MCP benchmarks: the same tool as bench/mcp_worker/entry.py, on npm `agents`.
//   POST /mcp       createMcpHandler: each request by itself
//   POST /session   McpAgent: a Durable Object for each session
import { McpAgent } from "agents/mcp";
import { createMcpHandler } from "agents/mcp/server";
import { McpServer as SessionServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const INFO = { name: "bench", version: "1.0.0" };
const FIELDS = { name: z.string(), times: z.number().int().default(1) };
const STATELESS = z.object(FIELDS);
const greet = async ({ name, times }) => ({ content: [{ type: "text", text: Array(times).fill(`Hello, ${name}!`).join(" ") }] });
const description = "Greet somebody, some times.";

export class Session extends McpAgent {
  server = new SessionServer(INFO);

  async init() {
    this.server.registerTool("greet", { description, inputSchema: FIELDS }, greet);
  }
}

const stateless = createMcpHandler(() => {
  const server = new McpServer(INFO);
  server.registerTool("greet", { description, inputSchema: STATELESS }, greet);
  return server;
});
const sessions = Session.serve("/session", { binding: "Session" });

export default {
  fetch(request, env, ctx) {
    return new URL(request.url).pathname === "/mcp" ? stateless(request, env, ctx) : sessions.fetch(request, env, ctx);
  }
};
