"""Reloading in `dev`: what is kept, what is told, and what a broken file does."""

import asyncio
import json
import os
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.serving import ENTRY, TERM, make_project, server

ALARMED = """
from workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def fetch(self, request):
        if request.url.endswith("/arm"):
            import time
            await self.ctx.storage.setAlarm(time.time() * 1000 + 1500)
        return Response(str(self.ctx.storage.kv.get("fired") or 0))

    async def alarm(self, info):
        self.ctx.storage.kv.put("fired", (self.ctx.storage.kv.get("fired") or 0) + 1)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.Counter.getByName("a").fetch(request)
"""


def save(project, text, name="src/entry.py"):
    path = project / name
    path.write_text(text)
    return path


def until(condition, wait_s=10.0):
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


async def test_a_saved_file_is_taken_in_with_state_and_clients_reconnect(tmp_path):
    project = make_project(tmp_path)
    with server(project, mode="dev") as running:
        async with connect(running.ws("/agents/counter/a"), proxy=None) as ws:
            await ws.send('{"type":"rpc","id":"1","method":"increment","args":[3]}')
            async with asyncio.timeout(5):
                while json.loads(await ws.recv())["type"] != "rpc":
                    pass
            save(project, ENTRY.replace('"one"', '"two"'))
            try:
                async with asyncio.timeout(10):
                    async for _ in ws:
                        pass
            except ConnectionClosed:
                pass
            assert ws.close_code == 1012
        took = await asyncio.to_thread(running.wait_for, r"Reloaded in (\d+) ms \(src/entry\.py\)")
        assert int(took[1]) < 1_000
        assert await asyncio.to_thread(running.request, "/version") == (200, "two")
        assert await asyncio.to_thread(running.request, "/agents/counter/a") == (200, '{"count": 3}')


def test_two_saves_within_a_second_and_of_the_same_size_are_both_seen(tmp_path):
    project = make_project(tmp_path)
    with server(project, mode="dev") as running:
        for word in ("two", "six", "ten"):
            path = save(project, ENTRY.replace('"one"', f'"{word}"'))
            os.utime(path, (1_700_000_000, 1_700_000_000))
            until(lambda word=word: running.request("/version") == (200, word))


def test_modules_beside_the_main_one_are_taken_in_too(tmp_path):
    project = make_project(tmp_path, "from words import WORD\n" + ENTRY.replace('"one"', "WORD"))
    save(project, 'WORD = "first"', "src/words.py")
    with server(project, mode="dev") as running:
        assert running.request("/version") == (200, "first")
        save(project, 'WORD = "second"', "src/words.py")
        until(lambda: running.request("/version") == (200, "second"))
        assert not (project / "src" / "__pycache__").exists()


def test_a_broken_file_keeps_the_server_up_until_it_is_mended(tmp_path):
    project = make_project(tmp_path)
    with server(project, mode="dev") as running:
        save(project, "def broken(:\n")
        running.wait_for("SyntaxError")
        status, page = running.request("/version", headers={"accept": "text/html"})
        assert status == 500
        assert "SyntaxError" in page
        assert "location.reload" in page, "the page comes back by itself"
        assert running.request("/version")[1].startswith(str(project / "src" / "entry.py"))
        save(project, ENTRY.replace('"one"', '"mended"'))
        until(lambda: running.request("/version") == (200, "mended"))
        assert running.request("/agents/counter/a")[0] == 200


async def test_while_a_file_is_broken_objects_and_their_sockets_go_on(tmp_path):
    project = make_project(tmp_path)
    with server(project, mode="dev") as running:
        async with connect(running.ws("/agents/counter/a"), proxy=None) as ws:
            save(project, "1 / 0")
            await asyncio.to_thread(running.wait_for, "ZeroDivisionError")
            await ws.send('{"type":"rpc","id":"1","method":"increment","args":[2]}')
            async with asyncio.timeout(5):
                while (frame := json.loads(await ws.recv()))["type"] != "rpc":
                    pass
            assert frame["result"] == 2


def test_a_mistake_in_the_project_file_is_shown_and_mended(tmp_path):
    project = make_project(tmp_path)
    good = (project / "wrangler.jsonc").read_text()
    with server(project, mode="dev") as running:
        save(project, good.replace('"class_name": "Counter"', '"class_name": "Nope"'), "wrangler.jsonc")
        running.wait_for("is in no migration")
        assert running.request("/version")[0] == 500
        save(project, good, "wrangler.jsonc")
        until(lambda: running.request("/version") == (200, "one"))


def test_variables_are_taken_in(tmp_path):
    project = make_project(tmp_path, ENTRY.replace('Response("one")', "Response(self.env.WORD)"))
    save(project, "WORD=one", ".dev.vars")
    with server(project, mode="dev") as running:
        assert running.request("/version") == (200, "one")
        save(project, "WORD=two", ".dev.vars")
        until(lambda: running.request("/version") == (200, "two"))


def test_alarms_survive_a_reload_and_fire_once(tmp_path):
    project = make_project(tmp_path, ALARMED)
    with server(project, mode="dev") as running:
        running.request("/arm")
        save(project, ALARMED + "\n# changed\n")
        running.wait_for("Reloaded in")
        until(lambda: running.request("/")[1] == "1")
        time.sleep(0.5)
        assert running.request("/")[1] == "1"


def test_data_and_tests_are_not_watched(tmp_path):
    project = make_project(tmp_path)
    (project / "tests").mkdir()
    with server(project, "--data", str(project / "data"), mode="dev") as running:
        save(project, "x = 1", "tests/test_x.py")
        save(project, "x = 1", "data/x.py")
        running.request("/agents/counter/a")
        time.sleep(0.6)
        assert "Reloaded" not in running.output


def test_a_new_folder_of_sources_is_noticed(tmp_path):
    project = make_project(tmp_path)
    with server(project, mode="dev") as running:
        (project / "more").mkdir()
        time.sleep(0.5)
        save(project, "x = 1", "more/x.py")
        running.wait_for(r"Reloaded in \d+ ms \(more/x\.py\)")


def test_no_reload_means_none(tmp_path):
    project = make_project(tmp_path)
    with server(project, "--no-reload", mode="dev") as running:
        save(project, ENTRY.replace('"one"', '"two"'))
        time.sleep(0.6)
        assert running.request("/version") == (200, "one")
        running.signal(TERM)
        assert running.wait() == 0
