// The official TypeScript clients, old and new, drive a server. Prints what they got as JSON.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [, , era, url] = process.argv;
const info = { name: "typescript", version: "1" };
const capabilities = { elicitation: {}, sampling: {}, roots: {} };
const client =
    era === "old"
        ? new OldClient(info, { capabilities: {} })
        : new Client(info, { capabilities, versionNegotiation: { mode: "auto" } });
if (era !== "old") {
    client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { name: "Ada" } }));
}
await client.connect(era === "old" ? new OldTransport(new URL(url)) : new StreamableHTTPClientTransport(new URL(url)));
const progress = [];
const call = (name, args, options) =>
    era === "old"
        ? client.callTool({ name, arguments: args ?? {} }, undefined, options)
        : client.callTool({ name, arguments: args ?? {} }, options);
const said = {
    tools: (await client.listTools()).tools.length,
    text: (await call("test_simple_text")).content[0].text,
    image: (await call("test_image_content")).content[0].mimeType,
    failed: (await call("test_error_handling")).isError,
    resource: (await client.readResource({ uri: "test://template/7/data" })).contents[0].text,
    prompt: (await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } }))
        .messages[0].content.text,
};
await call("test_tool_with_progress", {}, { onprogress: (step) => progress.push(step.progress) });
said.progress = progress;
if (era !== "old") {
    said.asked = (await call("test_input_required_result_elicitation")).content[0].text;
    said.header = (await call("test_x_mcp_header", { region: "Zürich" })).content[0].text;
}
console.log(JSON.stringify(said));
await client.close();
