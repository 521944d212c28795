# workerd runs the recorded agents: SQLite-backed objects on a scratch disk, loopback only.
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "storage", writable = true)),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);
const worker :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "bundle.js") ],
  compatibilityDate = "2026-04-20",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  durableObjectNamespaces = [
    (className = "Basic", uniqueKey = "basic", enableSql = true),
    (className = "Plain", uniqueKey = "plain", enableSql = true),
    (className = "Nameless", uniqueKey = "nameless", enableSql = true),
    (className = "Greeter", uniqueKey = "greeter", enableSql = true),
    (className = "Guarded", uniqueKey = "guarded", enableSql = true),
    (className = "Broken", uniqueKey = "broken", enableSql = true),
    (className = "Web", uniqueKey = "web", enableSql = true),
    (className = "Watched", uniqueKey = "watched", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "Basic", durableObjectNamespace = "Basic"),
    (name = "Plain", durableObjectNamespace = "Plain"),
    (name = "Nameless", durableObjectNamespace = "Nameless"),
    (name = "Greeter", durableObjectNamespace = "Greeter"),
    (name = "Guarded", durableObjectNamespace = "Guarded"),
    (name = "Broken", durableObjectNamespace = "Broken"),
    (name = "Web", durableObjectNamespace = "Web"),
    (name = "Watched", durableObjectNamespace = "Watched"),
  ],
);
