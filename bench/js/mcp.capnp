# workerd runs the bundle of the MCP benchmarks, as config.capnp does that of the others.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .sessions),
    (name = "disk", disk = (path = "mcp-storage", writable = true)),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:18787", http = (), service = "main") ],
);

const sessions :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "mcp-bundle.js") ],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["nodejs_compat"],
  durableObjectNamespaces = [ (className = "Session", uniqueKey = "session-bench", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "Session", durableObjectNamespace = "Session") ],
);
