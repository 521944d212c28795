// What the recorder does to the server. One file of tests/wire/golden for each key, one transcript for each entry.
const open = (socket, path) => ({ do: "open", socket, path });
const send = (socket, ...frames) => ({ do: "send", socket, frames });
const sendBytes = (socket, hex) => ({ do: "send_bytes", socket, hex });
const close = (socket, code, reason) => ({ do: "close", socket, code, reason });
const sleep = () => ({ do: "hibernate" });
const fetch = (method, path, extra = {}) => ({ do: "fetch", method, path, ...extra });
const rpc = (id, method, args = [], extra = {}) => JSON.stringify({ type: "rpc", id, method, args, ...extra });
const state = (value) => JSON.stringify({ type: "cf_agent_state", state: value });

const call = (name, method, args, agent = "basic") => ({ name, steps: [open("a", `/agents/${agent}/${name.replaceAll(" ", "-")}?_pk=a`), send("a", rpc("c1", method, args))] });

export const scenarios = {
  connect: [
    { name: "state", steps: [open("a", "/agents/basic/r1?_pk=me")] },
    { name: "no state", steps: [open("a", "/agents/plain/r1?_pk=me")] },
    { name: "identity not sent", steps: [open("a", "/agents/nameless/r1?_pk=me")] },
    { name: "protocol suppressed", steps: [open("a", "/agents/guarded/q1?_pk=me&quiet=1"), send("a", "anyone?")] },
    { name: "on_connect sends and sets state", steps: [open("a", "/agents/greeter/g1?_pk=a"), open("b", "/agents/greeter/g1?_pk=b")] },
    { name: "random connection id", steps: [open("a", "/agents/greeter/g2")] },
    { name: "empty connection id", steps: [open("a", "/agents/greeter/g3?_pk=")] },
    { name: "two sockets with one id", steps: [open("a", "/agents/greeter/g4?_pk=same"), open("b", "/agents/greeter/g4?_pk=same")] },
    { name: "name is not decoded", steps: [open("a", "/agents/basic/a%20b?_pk=me")] },
    { name: "path below the agent", steps: [open("a", "/agents/basic/r2/room/7?_pk=me")] },
    { name: "tags", steps: [open("a", "/agents/greeter/t1?_pk=a&tags=red,blue,a"), send("a", rpc("c1", "whoami"), rpc("c2", "tagged", ["red"]), rpc("c3", "tagged", ["green"]))] },
    { name: "too many tags", steps: [open("a", "/agents/greeter/t2?_pk=a&tags=1,2,3,4,5,6,7,8,9,10")] },
    { name: "tag too long", steps: [open("a", `/agents/greeter/t3?_pk=a&tags=${"x".repeat(257)}`)] },
    { name: "on_connect raises", steps: [open("a", "/agents/broken/b1?_pk=me")] },
    { name: "unknown binding", steps: [open("a", "/agents/nobody/r1?_pk=me")] },
  ],
  rpc: [
    call("result", "add", [1, 2]),
    call("returns nothing", "nothing"),
    call("returns null", "null"),
    call("json values", "echo", [{ text: "grüße 🦊\u2028", deep: [1, -2.5, 1e21, true, false, null, [], {}], empty: "" }]),
    call("raises", "raises"),
    call("result not serialisable", "unserialisable"),
    call("method missing", "missing"),
    call("method not exposed", "hidden"),
    call("constructor", "constructor"),
    call("inherited method not exposed", "destroy"),
    call("too few arguments", "echo"),
    call("inherited", "inherited"),
    call("overridden and decorated by nobody", "overridden", [], "plain"),
    call("set_state before the reply", "increment", [5]),
    call("two states before the reply", "twice"),
    call("set_state refused by the validator", "reject"),
    { name: "extra keys are ignored", steps: [open("a", "/agents/basic/extra?_pk=a"), send("a", rpc("c1", "add", [1, 2], { colour: "red" }))] },
    { name: "completion order", steps: [open("a", "/agents/basic/order?_pk=a"), send("a", rpc("slow", "after", [120, "slow"]), rpc("fast", "after", [10, "fast"]), rpc("now", "add", [1, 1]))] },
    { name: "replies go to the caller only", steps: [open("a", "/agents/basic/pair?_pk=a"), open("b", "/agents/basic/pair?_pk=b"), send("a", rpc("c1", "add", [2, 2])), send("b", rpc("c1", "increment"))] },
    { name: "broadcast", steps: [open("a", "/agents/basic/cast?_pk=a"), open("b", "/agents/basic/cast?_pk=b"), send("a", rpc("c1", "shout", ["hi"])), send("a", rpc("c2", "shoutToOthers", ["psst", "a"]))] },
    { name: "frames that are not calls", steps: [
      open("a", "/agents/basic/odd?_pk=a"),
      send("a", '{"type":"rpc","id":7,"method":"add","args":[1,2]}'),
      send("a", '{"type":"rpc","id":"c1","method":"add","args":{}}'),
      send("a", '{"type":"rpc","id":"c1","args":[]}'),
      send("a", '{"type":"rpc","id":"c1","method":"add"}'),
    ] },
    { name: "used after the other side closed", steps: [open("a", "/agents/basic/gone?_pk=a"), open("b", "/agents/basic/gone?_pk=b"), send("a", rpc("c1", "after", [100, 1])), close("a", 1000, "bye"), send("b", rpc("c2", "increment"))] },
  ],
  streaming: [
    call("chunks and end", "countTo", [3]),
    call("no chunks", "countTo", [0]),
    call("final result", "countWithResult", [2]),
    call("raises midway", "countThenRaise", [2]),
    call("soft error then send", "softError"),
    call("never ends", "neverEnds"),
    { name: "two streams", steps: [open("a", "/agents/basic/streams?_pk=a"), send("a", rpc("s1", "countTo", [2]), rpc("s2", "countTo", [2]))] },
  ],
  state: [
    { name: "client write", steps: [open("a", "/agents/basic/w1?_pk=a"), open("b", "/agents/basic/w1?_pk=b"), send("a", state({ count: 7 })), open("c", "/agents/basic/w1?_pk=c")] },
    { name: "both sides write", steps: [open("a", "/agents/basic/w2?_pk=a"), open("b", "/agents/basic/w2?_pk=b"), send("a", state({ count: 1 })), send("b", rpc("c1", "increment")), send("b", state({ count: 10 }))] },
    { name: "replaces, does not merge", steps: [open("a", "/agents/basic/w3?_pk=a"), send("a", state({ other: true })), open("b", "/agents/basic/w3?_pk=b")] },
    { name: "null is a state", steps: [open("a", "/agents/plain/w4?_pk=a"), send("a", state(null)), open("b", "/agents/plain/w4?_pk=b")] },
    { name: "refused by the validator", steps: [open("a", "/agents/basic/w5?_pk=a"), open("b", "/agents/basic/w5?_pk=b"), send("a", state({ count: -1 })), open("c", "/agents/basic/w5?_pk=c")] },
    { name: "readonly connection", steps: [open("a", "/agents/guarded/w6?_pk=a&readonly=1"), open("b", "/agents/guarded/w6?_pk=b"), send("a", state({ count: 5 })), send("a", rpc("c1", "increment"), rpc("c2", "get")), send("b", rpc("c3", "increment"))] },
    { name: "readonly switched at run time", steps: [open("a", "/agents/guarded/w7?_pk=a"), send("a", rpc("c1", "setReadonly", ["a", true])), send("a", state({ count: 5 })), send("a", rpc("c2", "setReadonly", ["a", false])), send("a", state({ count: 6 })), send("a", rpc("c3", "get"))] },
    { name: "protocol suppressed writer", steps: [open("a", "/agents/guarded/w8?_pk=a&quiet=1"), open("b", "/agents/guarded/w8?_pk=b"), send("a", state({ count: 5 })), send("b", rpc("c1", "increment"))] },
    { name: "frame without a state", steps: [open("a", "/agents/basic/w9?_pk=a"), send("a", '{"type":"cf_agent_state"}')] },
    { name: "on_state_changed", steps: [open("a", "/agents/watched/w11?_pk=a"), open("b", "/agents/watched/w11?_pk=b"), send("a", state({ count: 5 })), send("b", rpc("c1", "increment")), send("b", rpc("c2", "incrementAndWait")), send("b", rpc("c3", "incrementAndShout"))] },
    { name: "write then call", steps: [open("a", "/agents/basic/w10?_pk=a"), open("b", "/agents/basic/w10?_pk=b"), send("a", state({ count: 40 }), rpc("c1", "increment", [2]))] },
  ],
  messages: [
    { name: "text is delivered to on_message", steps: [open("a", "/agents/basic/m1?_pk=a"), send("a", "hello"), send("a", ""), send("a", "{broken"), send("a", "null"), send("a", "[1,2]"), send("a", '"text"'), send("a", '{"type":"unknown"}'), send("a", '{"no":"type"}')] },
    { name: "on_message raises", steps: [open("a", "/agents/basic/m4?_pk=a"), send("a", "explode"), send("a", "hello")] },
    { name: "binary", steps: [open("a", "/agents/basic/m2?_pk=a"), sendBytes("a", "00ff10"), sendBytes("a", "")] },
    { name: "binary that looks like a call", steps: [open("a", "/agents/basic/m3?_pk=a"), sendBytes("a", Buffer.from(rpc("c1", "add", [1, 2])).toString("hex"))] },
  ],
  close: [
    { name: "peer closes", steps: [open("a", "/agents/greeter/x1?_pk=a"), open("b", "/agents/greeter/x1?_pk=b"), close("a", 4000, "had enough")] },
    { name: "peer closes without a code", steps: [open("a", "/agents/greeter/x2?_pk=a"), open("b", "/agents/greeter/x2?_pk=b"), close("a")] },
    { name: "agent is destroyed", steps: [open("a", "/agents/watched/x4?_pk=a"), open("b", "/agents/watched/x4?_pk=b"), send("a", rpc("c1", "increment")), send("a", rpc("c2", "vanish")), open("c", "/agents/watched/x4?_pk=c")] },
    { name: "agent closes", steps: [open("a", "/agents/greeter/x3?_pk=a"), send("a", rpc("c1", "dismiss", [4001, "closing time"]))] },
  ],
  hibernation: [
    { name: "state, tags and connection state survive", steps: [open("a", "/agents/greeter/h1?_pk=a&tags=red"), send("a", rpc("c1", "moveTo", ["window"])), sleep(), send("a", rpc("c2", "whoami")), open("b", "/agents/greeter/h1?_pk=b")] },
    { name: "readonly survives", steps: [open("a", "/agents/guarded/h2?_pk=a&readonly=1"), sleep(), send("a", state({ count: 5 })), send("a", rpc("c1", "increment"))] },
    { name: "protocol suppression survives", steps: [open("a", "/agents/guarded/h3?_pk=a&quiet=1"), open("b", "/agents/guarded/h3?_pk=b"), sleep(), send("b", rpc("c1", "increment"))] },
  ],
  http: [
    { name: "default on_request", steps: [fetch("GET", "/agents/plain/r1")] },
    { name: "on_request sees the full request", steps: [fetch("POST", "/agents/web/r1/below/here?x=1&x=2", { body: "hello" })] },
    { name: "on_request raises", steps: [fetch("GET", "/agents/broken/r1")] },
    { name: "unknown binding", steps: [fetch("GET", "/agents/nobody/r1"), fetch("GET", "/agents/Web/r1")] },
    { name: "no match", steps: [fetch("GET", "/"), fetch("GET", "/agents"), fetch("GET", "/agents/web"), fetch("GET", "/agent/web/r1")] },
    { name: "name is not decoded", steps: [fetch("GET", "/agents/web/a%20b"), fetch("GET", "/agents/web/%C3%BC"), fetch("GET", "//agents//web//r1")] },
    { name: "cors", steps: [fetch("OPTIONS", "/agents/web/r1?cors"), fetch("GET", "/agents/web/r1?cors"), fetch("OPTIONS", "/agents/nobody/r1?cors"), fetch("OPTIONS", "/agents/web/r1")] },
    { name: "head", steps: [fetch("HEAD", "/agents/web/r1")] },
  ],
};
