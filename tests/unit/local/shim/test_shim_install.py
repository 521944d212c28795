"""`import workers` on CPython, each time in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

from agents_runtime.local import shim

SDK_NAMES = {
    "Blob", "BlobEnding", "BlobValue", "Body", "Context", "DurableObject", "FetchKwargs", "FetchResponse", "File",
    "FormData", "FormDataValue", "Headers", "JSBody", "Request", "RequestInitCfProperties", "Response",
    "WorkerEntrypoint", "WorkflowEntrypoint", "env", "fetch", "handler", "import_from_javascript", "patch_env",
    "python_from_rpc", "python_to_rpc", "waitUntil", "wait_until",
}  # fmt: skip
ROOT = Path(__file__).parents[4]


def run(code):
    """What a fresh interpreter prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_public_name_of_the_sdk_is_there():
    code = """
from agents_runtime.local.shim import install
import json
install()
import workers
print(json.dumps(dir(workers)))
"""
    assert set(run(code)) >= SDK_NAMES
    assert set(shim.__all__) == SDK_NAMES


def test_a_worker_module_imports_as_on_the_platform():
    code = """
from agents_runtime.local import shim
import json, sys
assert shim.install() is shim.install()
from workers import *
from workers import env, waitUntil, wait_until, DurableObject, WorkerEntrypoint, WorkflowEntrypoint, handler
from workers.workflows import NonRetryableError
from workers.entrypoints import DurableObjectAbort
from workers.request import Request as SameRequest
import workers
from agents_runtime._platform.base import DurableObject as Base
print(json.dumps([
    SameRequest is workers.Request, DurableObject is Base, issubclass(DurableObjectAbort, Exception),
    wait_until is waitUntil, workers.__spec__.name,
]))
"""
    assert run(code) == [True, True, False, True, "workers"]


def test_it_takes_the_place_of_the_sdk_even_half_imported():
    code = """
import sys, types, json
sys.modules["workers"] = types.ModuleType("workers")
sys.modules["workers.rpc"] = types.ModuleType("workers.rpc")
from agents_runtime.local import shim
shim.install()
import workers, workers.rpc
print(json.dumps([workers.Response is shim.Response, workers.rpc.python_to_rpc is shim.python_to_rpc]))
"""
    assert run(code) == [True, True]


def test_what_is_missing_says_so():
    code = """
from agents_runtime.local import shim
import json
shim.install()
import workers
texts = []
for attempt in (
    lambda: workers.nope,
    lambda: __import__("workers.asgi"),
    lambda: workers.import_from_javascript("cloudflare:sockets"),
):
    try: attempt()
    except Exception as exc: texts.append(f"{type(exc).__name__}: {exc}")
print(json.dumps(texts))
"""
    missing, submodule, javascript = run(code)
    assert missing == "AttributeError: module 'workers' has no attribute 'nope' on CPython"
    assert submodule == "ModuleNotFoundError: No module named 'workers.asgi'"
    assert javascript.startswith("ImportError: cannot import the JavaScript module 'cloudflare:sockets' on CPython")


def test_on_the_platform_it_refuses():
    code = """
import sys, json
from agents_runtime.local import shim
sys.platform = "emscripten"
try: shim.install(); print("null")
except RuntimeError as exc: print(json.dumps(str(exc)))
"""
    assert "platform has its own" in run(code)


def test_importing_it_is_light():
    heavy = ["httpx", "uvicorn", "email", "http.client", "asyncio", "sqlite3", "ssl", "socket", "pydantic", "click"]
    code = f"""
import sys, json
import agents_runtime.local.shim as shim
shim.install()
shim.Request.from_server("GET", "http://a/", [("a", "b")]); shim.Response("x"); shim.Request("http://a.com/b")
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""
    assert run(code) == []


def test_without_httpx_fetch_says_what_to_install():
    code = """
import sys, json, asyncio
sys.modules["httpx"] = None
from agents_runtime.local.shim import fetch
try: asyncio.run(fetch("http://127.0.0.1:9/"))
except ImportError as exc: print(json.dumps(str(exc)))
"""
    assert 'pip install "agents_runtime[server]"' in run(code)
