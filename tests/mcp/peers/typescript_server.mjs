// Servers made with the official TypeScript SDKs: both eras (/new), sessions (/old), and the oldest transport (/sse).
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer as OldServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const sum = ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }], structuredContent: { sum: a + b } });
const NUMBERS = { a: z.number().describe("One"), b: z.number() };
const schema = (fields) => z.object(fields);

function fill(server, wrap) {
    server.registerTool("add", { description: "Add.", inputSchema: wrap(NUMBERS), outputSchema: wrap({ sum: z.number() }) }, sum);
    server.registerTool("fail", { description: "Fail.", inputSchema: wrap({}) }, () => {
        throw new Error("it failed on purpose");
    });
    server.registerResource("note", "note://one", { mimeType: "text/plain" }, (uri) => ({
        contents: [{ uri: uri.href, text: "a note" }],
    }));
    server.registerPrompt("greet", { argsSchema: wrap({ who: z.string() }) }, ({ who }) => ({
        messages: [{ role: "user", content: { type: "text", text: `Hello ${who}` } }],
    }));
    return server;
}

const QUESTION = { type: "object", properties: { color: { type: "string", default: "blue" } } };

function oldServer() {
    const server = fill(new OldServer({ name: "old", version: "1" }, { instructions: "Old." }), (fields) => fields);
    server.registerTool("ask", { description: "Ask.", inputSchema: {} }, async () => {
        const answer = await server.server.elicitInput({ message: "Which color?", requestedSchema: QUESTION });
        return { content: [{ type: "text", text: JSON.stringify(answer) }] };
    });
    server.registerTool("grow", { description: "Offer one more tool.", inputSchema: {} }, () => {
        server.registerTool("grown", { description: "New.", inputSchema: {} }, () => ({ content: [] }));
        return { content: [] };
    });
    server.registerTool("work", { description: "Tell progress.", inputSchema: {} }, async (_, extra) => {
        for (const progress of [1, 2]) {
            const params = { progressToken: extra._meta.progressToken, progress, total: 2 };
            await extra.sendNotification({ method: "notifications/progress", params });
        }
        return { content: [] };
    });
    return server;
}

function newServer() {
    const server = fill(new McpServer({ name: "new", version: "1" }, { instructions: "New." }), schema);
    server.registerTool("ask", { description: "Ask.", inputSchema: schema({}) }, async (_, context) => {
        const answers = context.mcpReq.inputResponses;
        if (answers?.color === undefined) {
            const asked = inputRequired.elicit({ message: "Which color?", requestedSchema: QUESTION });
            return inputRequired({ inputRequests: { color: asked } });
        }
        return { content: [{ type: "text", text: JSON.stringify(answers.color) }] };
    });
    return server;
}

const modern = toNodeHandler(createMcpHandler(newServer));
const sessions = new Map();
const streams = new Map();

async function body(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
}

async function sessionful(request, response) {
    const known = sessions.get(request.headers["mcp-session-id"]);
    if (known) return known.handleRequest(request, response, await body(request));
    if (request.headers["mcp-session-id"]) return response.writeHead(404).end("no such session");
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => sessions.set(id, transport),
    });
    transport.onclose = () => sessions.delete(transport.sessionId);
    await oldServer().connect(transport);
    return transport.handleRequest(request, response, await body(request));
}

async function oldest(request, response, path) {
    if (request.method === "GET" && path === "/sse") {
        const transport = new SSEServerTransport("/messages", response);
        streams.set(transport.sessionId, transport);
        response.on("close", () => streams.delete(transport.sessionId));
        return oldServer().connect(transport);
    }
    const transport = streams.get(new URL(request.url, "http://x").searchParams.get("sessionId"));
    if (request.method === "POST" && transport) return transport.handlePostMessage(request, response);
    return response.writeHead(path === "/sse" ? 405 : 404).end();
}

const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://x").pathname;
    try {
        if (path === "/new") await modern(request, response);
        else if (path === "/old") await sessionful(request, response);
        else if (path === "/forget") sessions.clear(), response.end("forgotten");
        else await oldest(request, response, path);
    } catch (error) {
        console.error(error);
        if (!response.headersSent) response.writeHead(500).end();
    }
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
