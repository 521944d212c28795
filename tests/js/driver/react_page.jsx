// A page with useAgent of npm `agents`, unmodified. What it shows is what the scenarios look at.
import { StrictMode, Suspense, useState } from "react";
import { createRoot } from "react-dom/client";
import { useAgent } from "agents/react";

const parameters = new URLSearchParams(location.search);
const seen = (window.seen = { states: [], stateErrors: [], identities: [], mcp: [], messages: [], opens: 0, closes: [] });

function Counter() {
  const [reply, setReply] = useState("");
  const agent = useAgent({
    agent: parameters.get("agent") ?? "Probe",
    name: parameters.get("name"),
    minReconnectionDelay: 100,
    maxReconnectionDelay: 500,
    ...(parameters.has("sub") ? { sub: JSON.parse(parameters.get("sub")) } : {}),
    ...(parameters.has("id") ? { id: parameters.get("id") } : {}),
    ...(parameters.has("readonly") ? { query: { readonly: "1" } } : {}),
    ...(parameters.has("token") ? { query: fetchToken } : {}),
    onStateUpdate: (state, source) => seen.states.push([source, state]),
    onStateUpdateError: (error) => seen.stateErrors.push(error),
    onIdentity: (...identity) => seen.identities.push(identity),
    onMcpUpdate: (mcp) => seen.mcp.push(mcp),
    onMessage: ({ data }) => seen.messages.push(data),
    onOpen: () => seen.opens++,
    onClose: ({ code }) => seen.closes.push(code),
  });
  window.agent = agent;
  const show = (promise) => promise.then((value) => setReply(JSON.stringify(value ?? null)), (error) => setReply(error.message));
  return (
    <main>
      <p id="identity">{agent.identified ? `${agent.agent}/${agent.name}` : "unknown"}</p>
      <output id="count">{agent.state?.count ?? "-"}</output>
      <button id="increment" onClick={() => show(agent.stub.increment())}>+</button>
      <button id="set" onClick={() => agent.setState({ count: 100 })}>100</button>
      <button id="reject" onClick={() => agent.setState({ count: -1 })}>-1</button>
      <button id="fail" onClick={() => show(agent.call("fail", ["no such luck"]))}>fail</button>
      <p id="reply">{reply}</p>
    </main>
  );
}

const fetchToken = async () => ({ token: parameters.get("token") });

createRoot(document.getElementById("root")).render(
  <StrictMode><Suspense fallback="waiting for the query"><Counter /></Suspense></StrictMode>,
);
