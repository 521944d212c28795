# workerd runs the bundle: SQLite Durable Objects on local disk, idle eviction after 10 s as by default.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .counters),
    (name = "disk", disk = (path = "do-storage", writable = true)),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:18787", http = (), service = "main") ],
);

const counters :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "bundle.js") ],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["nodejs_compat"],
  durableObjectNamespaces = [ (className = "Counter", uniqueKey = "counter-bench", enableSql = true) ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [ (name = "Counter", durableObjectNamespace = "Counter") ],
);
