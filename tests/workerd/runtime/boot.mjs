// Starts CPython (npm "pyodide") inside a workerd isolate. workerd's own Python support downloads another build of the
// same interpreter; this one comes from npm. The numbered parts answer what Pyodide asks of a browser and workerd refuses.
import unsafeEval from "workerd:unsafe-eval";
import pyodideWasm from "pyodide.asm.wasm";
import stdlibZip from "python_stdlib.zip";
import lockText from "pyodide-lock.json";

const BASE = "https://pyodide.invalid/";

const optional = async (name) => {
  try {
    return (await import(name)).default;
  } catch {
    return undefined;
  }
};
const snapshot = await optional("snapshot.bin"); // the memory of an interpreter that had started before
const preimport = await optional("preimport.py"); // present when this run makes that snapshot

// 1. Compiling WebAssembly from bytes is refused inside a request, where dlopen() needs it.
const RealModule = WebAssembly.Module;
const toBytes = (source) =>
  source instanceof ArrayBuffer
    ? new Uint8Array(source)
    : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
const compile = (source) =>
  source instanceof RealModule ? source : unsafeEval.newWasmModule(toBytes(source).slice());
WebAssembly.Module = new Proxy(RealModule, { construct: (_target, [source]) => compile(source) });
WebAssembly.compile = async (source) => compile(source);
WebAssembly.instantiate = async (source, imports) => {
  const module = compile(source);
  const instance = new WebAssembly.Instance(module, imports);
  return source instanceof RealModule ? instance : { module, instance };
};

// 2. There are no random numbers before the first event. CPython needs some to start: fixed ones. Whatever asks for
// more while the user's module is imported is counted, because production refuses it.
let inRequest = false;
export const startup = { randomCalls: 0, isImporting: false };
const realRandom = crypto.getRandomValues.bind(crypto);
Object.defineProperty(crypto, "getRandomValues", {
  configurable: true,
  writable: true,
  value(view) {
    if (inRequest) return realRandom(view);
    if (startup.isImporting) startup.randomCalls++;
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(43);
    return view;
  },
});

// 3. There are no timers before the first event; a delay of zero can be a microtask.
const realSetTimeout = globalThis.setTimeout;
globalThis.setTimeout = (callback, delay, ...args) => {
  if (!inRequest && !delay) {
    queueMicrotask(() => callback(...args));
    return 0;
  }
  return realSetTimeout(callback, delay, ...args);
};

// 4. Pyodide's loader compiles its main module from bytes; it gets the one that workerd has compiled.
function useCompiledModule(settings) {
  const inner = settings.instantiateWasm;
  settings.instantiateWasm = (imports, done) => {
    const was = WebAssembly.instantiate;
    WebAssembly.instantiate = async (_bytes, given) => {
      WebAssembly.instantiate = was;
      delete WebAssembly.instantiateStreaming;
      return { module: pyodideWasm, instance: new WebAssembly.Instance(pyodideWasm, given) };
    };
    WebAssembly.instantiateStreaming = (_response, given) => WebAssembly.instantiate(null, given);
    return inner(imports, done);
  };
}

// 5. Its files look at the globals when they are evaluated, to tell a browser from Node: show them a browser's.
function disguise() {
  const hidden = {};
  const show = (name, value) => {
    hidden[name] = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  };
  show("process", undefined);
  show("WorkerGlobalScope", undefined);
  show("window", { document: {}, sessionStorage: {} });
  show("document", { createElement() {} });
  show("sessionStorage", {});
  show("addEventListener", () => {});
  show("MessageChannel", undefined); // a port made now would belong to no request
  show("location", new URL(BASE));
  show("fetch", async (url) => {
    const name = String(url).slice(BASE.length);
    if (name === "python_stdlib.zip") return { ok: true, arrayBuffer: async () => stdlibZip };
    if (name === "pyodide.asm.wasm") return { ok: true, arrayBuffer: async () => new ArrayBuffer(0) };
    throw new Error(`no such file while Python starts: ${url}`);
  });
  return () => {
    for (const [name, descriptor] of Object.entries(hidden)) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete globalThis[name];
    }
  };
}

async function load() {
  const undisguise = disguise();
  try {
    const { default: create } = await import("pyodide.asm.mjs");
    const { loadPyodide } = await import("pyodide.mjs");
    return await loadPyodide({
      indexURL: BASE,
      lockFileContents: JSON.parse(lockText),
      packageBaseUrl: BASE,
      env: { HOME: "/session", PYTHONHASHSEED: "111" },
      stdout: (text) => console.log(text),
      stderr: (text) => console.error(text),
      ...(snapshot ? { _loadSnapshot: snapshot } : {}),
      ...(preimport ? { _makeSnapshot: true } : {}),
      createPyodideModule(settings) {
        useCompiledModule(settings);
        return create(settings);
      },
    });
  } finally {
    undisguise();
  }
}

export const pyodide = await load();

export let image;
if (preimport) {
  pyodide.runPython(preimport);
  image = pyodide.makeMemorySnapshot();
}

// Write files, given as one index of [path, offset, length] and one blob of their contents.
export function mount(index, blob, root) {
  const bytes = new Uint8Array(blob);
  for (const [path, offset, length] of index) {
    const full = `${root}/${path}`;
    pyodide.FS.mkdirTree(full.slice(0, full.lastIndexOf("/")));
    pyodide.FS.writeFile(full, bytes.slice(offset, offset + length), { canOwn: true });
  }
  pyodide.runPython("import importlib; importlib.invalidate_caches()");
}

export function enterRequest() {
  if (inRequest) return;
  inRequest = true;
  pyodide.runPython("import random; random.seed()");
}
