// Makes classes that workerd can run from the Python classes of the user's main module.
import * as cloudflareWorkers from "cloudflare:workers";
import * as cloudflareSockets from "cloudflare:sockets";
import unsafe from "workerd:unsafe";
import borderSource from "border.py";
import { EmailMessage, SendEmail, deliver, takeSent } from "mail.mjs";
import { enterRequest, mount, pyodide, startup } from "boot.mjs";

const { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } = cloudflareWorkers;
const BASES = { object: DurableObject, entrypoint: WorkerEntrypoint, workflow: WorkflowEntrypoint };
const UNCONVERTED = {
  object: new Set(["alarm", "webSocketMessage", "webSocketClose", "webSocketError", "connect"]),
  entrypoint: new Set(["connect", "queue", "scheduled", "email", "tail"]),
  workflow: new Set(["run"]),
};
const patched = new WeakSet();

// The SDK asks for this once per execution context: what Python gives to waitUntil must live until it has finished.
function patchWaitUntil(ctx) {
  if (Object.prototype.toString.call(ctx) !== "[object ExecutionContext]" || patched.has(ctx)) return;
  const original = ctx.waitUntil.bind(ctx);
  ctx.waitUntil = (promise) => {
    const own = typeof promise?.copy === "function" ? promise.copy() : promise;
    original(
      (async () => {
        try {
          await own;
        } finally {
          own?.destroy?.();
        }
      })(),
    );
  };
  patched.add(ctx);
}

const call = async (callable, ...args) => await callable.callWithOptions({ promising: true }, ...args);

export function start({ doAnImport, index, blob, mainModule }) {
  pyodide.registerJsModule("_pyodide_entrypoint_helper", {
    doAnImport: async (module) => (module === "cloudflare:email" ? { EmailMessage } : await doAnImport(module)),
    cloudflareWorkersModule: cloudflareWorkers,
    cloudflareSocketsModule: cloudflareSockets,
    workerEntrypoint: WorkerEntrypoint,
    patchWaitUntil,
  });
  pyodide.registerJsModule("_cloudflare_compat_flags", { python_workflows_implicit_dependencies: true });
  mount(JSON.parse(index), blob, "/session/metadata");
  const border = pyodide.runPython("import types; types.ModuleType('border')");
  pyodide.runPython(borderSource, { globals: border.__dict__, filename: "border.py" });
  border.set_up_path();
  startup.isImporting = true;
  const main = pyodide.pyimport(mainModule);
  startup.isImporting = false;

  return (name, kind) => {
    return class extends BASES[kind] {
      constructor(ctx, env) {
        super(ctx, env);
        enterRequest();
        const made = call(main[name], ctx, env);
        made.catch(() => {});
        return new Proxy(this, {
          get(target, property, receiver) {
            if (typeof property !== "string") return Reflect.get(target, property, receiver);
            return async (...args) => {
              enterRequest();
              const instance = await made;
              if (UNCONVERTED[kind].has(property)) return await call(border.call_raw, instance, property, ...args);
              return await call(border.call_converted, property === "fetch", instance, property, ...args);
            };
          },
        });
      }
    };
  };
}

// What tests may do from outside. Never part of the code under test.
async function control(env, ctx, request) {
  const url = new URL(request.url);
  const { binding, name, method, args, mail } = await request.json();
  switch (url.pathname) {
    case "/call":
      try {
        return Response.json({ value: await env[binding].getByName(name)[method](...args) });
      } catch (error) {
        return Response.json({ error: { name: error.name, message: error.message } });
      }
    case "/evict":
      await unsafe.evict(env[binding].getByName(name));
      break;
    case "/evict-all":
      await unsafe.evictAllDurableObjects();
      break;
    case "/delete-all":
      await unsafe.deleteAllDurableObjects();
      break;
    case "/email":
      try {
        return Response.json({ value: await deliver(ctx.exports.default, mail) });
      } catch (error) {
        return Response.json({ error: { name: error.name, message: error.message } });
      }
    case "/sent":
      return Response.json({ value: takeSent() });
    case "/ready":
      break;
    default:
      return new Response("no such control", { status: 404 });
  }
  return Response.json({ value: { randomCallsAtImport: startup.randomCalls } });
}

export { SendEmail };

export class Control extends WorkerEntrypoint {
  async fetch(request) {
    return await control(this.env, this.ctx, request);
  }
}
