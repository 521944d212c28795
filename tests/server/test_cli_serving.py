"""`agents-runtime serve` and `dev` as processes: start, refusals, signals, and what survives them."""

import asyncio
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.serving import ENTRY, INT, KILL, ROOT, TERM, command, make_project, server


async def call(url, *calls):
    """The results of RPC calls on one connection."""
    async with connect(url, proxy=None) as ws:
        results = []
        for number, (method, *args) in enumerate(calls):
            await ws.send(json.dumps({"type": "rpc", "id": str(number), "method": method, "args": args}))
            async with asyncio.timeout(10):
                while (frame := json.loads(await ws.recv())).get("type") != "rpc":
                    pass
            results.append(frame.get("result", frame.get("error")))
        return results


def test_ready_is_said_when_the_port_accepts_and_not_before(tmp_path):
    with server(make_project(tmp_path)) as running:
        assert running.request("/version") == (200, "one")
        first = json.loads(running.output.splitlines()[0])
        assert first["event"] == "ready"
        assert first["message"] == f"Ready on http://127.0.0.1:{running.port}"
        assert first["classes"] == ["Counter"]
        assert (tmp_path / ".agents").is_dir()


def test_dev_says_what_runs_and_each_request(tmp_path):
    project = make_project(tmp_path, vars={"GREETING": "hi"})
    (project / ".dev.vars").write_text("TOKEN=very-secret")
    with server(project, mode="dev") as running:
        running.request("/version")
        running.request("/boom")
        running.wait_for(r"GET /boom 500 [\d.]+ ms")
        assert "env.Counter            Agent Counter" in running.output
        assert 'env.GREETING           "hi"' in running.output
        assert "env.TOKEN              (hidden)" in running.output
        assert "very-secret" not in running.output
        assert "GET /version 200" in running.output
        assert "ValueError: secret detail" in running.output


def test_serve_reports_requests_and_faults_as_json(tmp_path):
    with server(make_project(tmp_path)) as running:
        assert running.request("/boom") == (500, "Internal Server Error")
        running.wait_for(r'"path":"/boom","status":500')
        records = [json.loads(line) for line in running.output.splitlines()]
        fault = next(record for record in records if record["level"] == "error")
        assert "ValueError: secret detail" in fault["error"]


def test_serve_may_write_text_and_leave_requests_out(tmp_path):
    with server(make_project(tmp_path), "--log-format", "text", "--no-access-log") as running:
        running.request("/version")
        running.request("/boom")
        running.wait_for("secret detail")
        assert "/version" not in running.output


def test_a_failing_request_shows_its_traceback_in_dev_only(tmp_path):
    with server(make_project(tmp_path), mode="dev") as running:
        status, page = running.request("/boom", headers={"accept": "text/html"})
        assert status == 500
        assert "ValueError: secret detail" in page
        assert "<pre>" in page
        assert "src/entry.py" in page
        assert "local/server" not in page, "frames of the server are left out"
        status, text = running.request("/boom")
        assert "<pre>" not in text
        assert "ValueError: secret detail" in text


@pytest.mark.parametrize("number", [TERM, INT])
def test_a_signal_ends_the_server_in_order(tmp_path, number):
    with server(make_project(tmp_path)) as running:
        running.request("/agents/counter/a")
        running.signal(number)
        assert running.wait() == 0


async def test_sigterm_finishes_requests_commits_and_closes_sockets_with_1012(tmp_path):
    entry = ENTRY.replace('return Response("one")', 'await sleep(1); return Response("finished")')
    entry = "from asyncio import sleep\n" + entry
    with server(make_project(tmp_path, entry)) as running:
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(running.request("/version")))
        waiting.start()
        async with connect(running.ws("/agents/counter/a"), proxy=None) as ws:
            await ws.send(json.dumps({"type": "rpc", "id": "1", "method": "increment", "args": [5]}))
            await asyncio.sleep(0.3)
            running.signal(TERM)
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(10):
                    async for _ in ws:
                        pass
            assert ws.close_code == 1012
        assert await asyncio.to_thread(running.wait) == 0
        await asyncio.to_thread(waiting.join, 5)
        assert answers == [(200, "finished")]
    with server(tmp_path) as running:
        assert await asyncio.to_thread(running.request, "/agents/counter/a") == (200, '{"count": 5}')


def test_a_second_signal_ends_it_at_once(tmp_path):
    entry = ENTRY.replace('return Response("one")', "import asyncio; await asyncio.sleep(60)")
    with server(make_project(tmp_path, entry)) as running:
        hanging = threading.Thread(target=_ask, args=[running])
        hanging.start()
        time.sleep(0.3)
        running.signal(TERM)
        time.sleep(0.3)
        running.signal(TERM)
        assert running.wait(3) == 1
        hanging.join(5)


def _ask(running):
    with contextlib.suppress(OSError, http.client.HTTPException):
        running.request("/version")


async def test_sigkill_loses_nothing_that_was_answered(tmp_path):
    project = make_project(tmp_path)
    acknowledged = 0
    for _ in range(3):
        with server(project) as running:
            async with connect(running.ws("/agents/counter/a"), proxy=None) as ws:
                for number in range(40):
                    await ws.send(json.dumps({"type": "rpc", "id": str(number), "method": "increment", "args": []}))
                killer = threading.Timer(0.15, running.signal, [KILL])
                killer.start()
                try:
                    async with asyncio.timeout(10):
                        while True:
                            frame = json.loads(await ws.recv())
                            if frame.get("type") == "rpc":
                                acknowledged = max(acknowledged, frame["result"])
                except ConnectionClosed:
                    pass
            assert await asyncio.to_thread(running.wait) == -KILL
        with server(project) as running:
            [count] = await call(running.ws("/agents/counter/a"), ("increment", 0))
            assert count >= acknowledged
            acknowledged = count
            running.signal(TERM)
            await asyncio.to_thread(running.wait)
    assert acknowledged > 0


# Refusals


def refused(folder, *arguments):
    with command(*arguments, cwd=folder) as running:
        code = running.wait()
    assert "Traceback" not in running.output or "cannot be imported" in running.output
    return code, running.output


@pytest.mark.parametrize("mode", ["dev", "serve"])
def test_a_port_in_use_names_the_port_and_the_option(tmp_path, mode):
    project = make_project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(project, mode, "--port", str(port))
    assert code == 1
    assert f"port {port} is in use" in said
    assert "--port" in said
    assert "Ready" not in said


def test_a_host_that_is_not_ours_is_named(tmp_path):
    code, said = refused(make_project(tmp_path), "serve", "--host", "203.0.113.1", "--port", "0")
    assert code == 1
    assert "--host" in said


def test_one_server_per_data_folder(tmp_path):
    with server(make_project(tmp_path)) as running:
        code, said = refused(tmp_path, "serve", "--port", "0")
        assert code == 1
        assert f"another server (process {json.loads(running.output.splitlines()[0])['process']}) uses" in said
        assert "--data" in said
        with server(tmp_path, "--data", str(tmp_path / "other")) as second:
            assert second.request("/version") == (200, "one")
    with server(tmp_path) as again:
        assert again.request("/version") == (200, "one")


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    code, said = refused(make_project(tmp_path), "serve", "--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert code == 1
    assert "cannot be the data folder" in said
    assert "--data" in said


def test_a_folder_without_a_project_is_told_how_to_start(tmp_path):
    code, said = refused(tmp_path, "dev", "--port", "0")
    assert code == 1
    assert "agents-runtime new NAME" in said


@pytest.mark.parametrize(
    ("entry", "config", "says"),
    [
        (ENTRY, {"main": "src/missing.py"}, "main: no file"),
        (ENTRY, {"migrations": []}, '"Counter" is in no migration'),
        (ENTRY.replace("class Counter", "class Conter"), {}, 'no class "Counter" in entry.py (did you mean "Conter"?)'),
        (ENTRY.replace("class Default", "class Main"), {}, "must be named Default"),
        (ENTRY.replace("class Default", "class Default("), {}, "SyntaxError"),
        ("import nothing_like_this", {}, "no module 'nothing_like_this'"),
        ("from js import Response", {}, "exists only inside Workers"),
        ("1 / 0", {}, "ZeroDivisionError"),
        ("raise SystemExit(3)", {}, "a module must not exit"),
        ("class Counter: pass", {}, "is not an Agent or DurableObject class"),
        ("from agents_runtime import Agent\nclass Counter(Agent): pass", {}, "class Default(WorkerEntrypoint)"),
    ],
)
def test_serve_refuses_a_project_that_cannot_run(tmp_path, entry, config, says):
    code, said = refused(make_project(tmp_path, entry, **config), "serve", "--port", "0")
    assert code == 1
    assert says in said
    assert "Ready" not in said
    assert "importlib" not in said


def test_dev_starts_with_a_broken_project_and_shows_why(tmp_path):
    with server(make_project(tmp_path, "1 / 0"), mode="dev") as running:
        status, page = running.request("/", headers={"accept": "text/html"})
        assert status == 500
        assert "ZeroDivisionError" in page
        assert "ZeroDivisionError" in running.output


# Files and options


def test_files_are_served_before_the_worker(tmp_path):
    project = make_project(
        tmp_path, assets={"directory": "public", "binding": "ASSETS", "run_worker_first": ["/version"]}
    )
    (project / "public").mkdir()
    (project / "public" / "index.html").write_text("<h1>page</h1>")
    (project / "public" / "version").write_text("file")
    with server(project) as running:
        assert running.request("/") == (200, "<h1>page</h1>")
        assert running.request("/version") == (200, "one")
        assert running.request("/none") == (404, "Not found")
        assert running.request("/..%2f..%2fwrangler.jsonc")[0] == 404
        assert running.request("/agents/counter/a")[0] == 200
        assert running.request("/cdn-cgi/handler/nothing") == (404, "Not Found\n")


def test_a_project_of_files_alone_needs_no_module(tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("page")
    (tmp_path / "wrangler.jsonc").write_text('{"name": "site", "assets": {"directory": "public"}}')
    with server(tmp_path) as running:
        assert running.request("/") == (200, "page")
        assert running.request("/none")[0] == 404


def test_vars_and_classic_handlers_work(tmp_path):
    entry = (
        "from workers import Response, handler\n"
        "@handler\nasync def on_fetch(request, env, ctx):\n    return Response(env.GREETING + env.TOKEN)\n"
    )
    project = make_project(tmp_path, entry, vars={"GREETING": "hi"}, durable_objects=None, migrations=None)
    (project / ".dev.vars").write_text("TOKEN=42")
    with server(project) as running:
        assert running.request("/") == (200, "hi42")


def test_config_points_elsewhere_and_data_stays_with_the_project(tmp_path):
    project = make_project(tmp_path / "project")
    with server(tmp_path, "--config", "project") as running:
        assert running.request("/version") == (200, "one")
        assert (project / ".agents").is_dir()
    with server(
        tmp_path, "--config", "project/wrangler.jsonc", "--idle-timeout", "0", "--durability", "process"
    ) as running:
        assert running.request("/agents/counter/a") == (200, '{"count": 0}')


async def test_a_renamed_class_keeps_its_objects(tmp_path):
    project = make_project(tmp_path)
    with server(project) as running:
        assert await call(running.ws("/agents/counter/a"), ("increment", 7)) == [7]
        running.signal(TERM)
        await asyncio.to_thread(running.wait)
    steps = [
        {"tag": "v1", "new_sqlite_classes": ["Counter"]},
        {"tag": "v2", "renamed_classes": [{"from": "Counter", "to": "Tally"}]},
    ]
    bindings = {"bindings": [{"name": "Tally", "class_name": "Tally"}]}
    make_project(tmp_path, ENTRY.replace("Counter", "Tally"), migrations=steps, durable_objects=bindings)
    with server(project) as running:
        assert await call(running.ws("/agents/tally/a"), ("increment", 1)) == [8]


def test_a_handler_that_blocks_the_loop_is_warned_about(tmp_path):
    entry = ENTRY.replace(
        "return Response.from_json(self.state)", "import time; time.sleep(2.2); return Response('slept')"
    )
    with server(make_project(tmp_path, entry)) as running:
        assert running.request("/agents/counter/a")[0] == 200
        warning = running.wait_for(r'"level":"warning".*', 5)[0]
        assert "Counter" in warning
        assert "entry.py:" in warning


def test_version_and_help_are_there():
    with command("--version", cwd=".") as running:
        assert running.wait() == 0
        assert running.output.startswith("agents-runtime ")
    with command("serve", "--help", cwd=".") as running:
        assert running.wait() == 0
        for option in ("--host", "--port", "--data", "--config", "--durability", "--idle-timeout", "--log-format"):
            assert option in running.output


def test_without_the_server_extra_it_says_what_to_install():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from agents_runtime.local.cli import main; main()"
    ran = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 1
    assert 'pip install "agents_runtime[server]"' in ran.stderr
    assert "Traceback" not in ran.stderr
