"""Static files as a client sees them. The pairs of path and answer follow the platform's documentation."""

import os
from pathlib import Path
from typing import Any

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.assets import Assets
from agents_runtime.local.shim import Request, Response

SITE = {
    "index.html": "home",
    "about.html": "about",
    "docs/index.html": "docs",
    "docs/guide.html": "guide",
    "docs/404.html": "docs: missing",
    "404.html": "missing",
    "both.html": "both page",
    "both/index.html": "both folder",
    "app.js": "js",
    "style.css": "css",
    "plain": "plain",
    "käse und wein.txt": "food",
    "a@b+c.txt": "signs",
    ".env": "SECRET=1",
    ".git/config": "secret",
    ".well-known/security.txt": "security",
    "_headers": "x",
    "_redirects": "x",
    "private/note.txt": "note",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "public"
    for name, text in SITE.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


async def get(assets: Assets, path: str, method: str = "GET", **headers: str) -> Response:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await assets.fetch(Request.from_server(method, f"http://localhost:8787{path}", fields))


async def seen(assets: Assets, path: str) -> object:
    """The text a client gets, or where it is sent, or the status."""
    response = await get(assets, path)
    if response.status == 307:
        return f"-> {response.headers['location']}"
    return await response.text() if response.status == 200 else response.status


PLACES: dict[str, dict[str, object]] = {
    "auto-trailing-slash": {
        "/": "home", "/index.html": "-> /", "/index": "-> /",
        "/about": "about", "/about.html": "-> /about", "/about/": "-> /about", "/about/index.html": "-> /about",
        "/docs/": "docs", "/docs": "-> /docs/", "/docs/index.html": "-> /docs/", "/docs/index": "-> /docs/",
        "/docs.html": "-> /docs/", "/docs/guide": "guide", "/docs/guide/": "-> /docs/guide",
        "/both": "both page", "/both/": "both folder", "/both.html": "-> /both", "/both/index.html": "-> /both/",
    },
    "force-trailing-slash": {
        "/": "home", "/index.html": "-> /", "/index": "-> /",
        "/about/": "about", "/about": "-> /about/", "/about.html": "-> /about/",
        "/docs/": "docs", "/docs": "-> /docs/", "/docs/index.html": "-> /docs/", "/docs/guide/": "guide",
        "/both/": "both folder", "/both.html": "both page", "/both": "-> /both/",
    },
    "drop-trailing-slash": {
        "/": "home", "/index.html": "-> /", "/index": "-> /",
        "/about": "about", "/about/": "-> /about", "/about.html": "-> /about",
        "/docs": "docs", "/docs/": "-> /docs", "/docs/index.html": "-> /docs", "/docs/guide": "guide",
        "/both": "both page", "/both/index.html": "both folder", "/both.html": "-> /both",
    },
    "none": {
        "/": 404, "/index.html": "home", "/about": 404, "/about.html": "about", "/docs/": 404,
        "/docs/index.html": "docs",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("html", "path", "answer"), [(html, path, answer) for html, by in PLACES.items() for path, answer in by.items()]
)
async def test_every_page_has_one_path(site, html, path, answer):
    assets = Assets(site, html_handling=html)
    assert await seen(assets, path) == answer
    if isinstance(answer, str) and answer.startswith("-> "):
        assert not str(await seen(assets, answer.removeprefix("-> "))).startswith("->")
    for other in ("/app.js", "/plain"):
        assert await seen(assets, other) == SITE[other[1:]]


async def test_a_redirect_keeps_the_query(site):
    assert await seen(Assets(site), "/about.html?a=1&b=%20") == "-> /about?a=1&b=%20"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/k%C3%A4se%20und%20wein.txt", "food"),
        ("/k%c3%a4se%20und%20wein.txt", "-> /k%C3%A4se%20und%20wein.txt"),
        ("/a@b+c.txt", "signs"),
        ("/a%40b%2Bc.txt", "-> /a@b+c.txt"),
        ("/%61pp.js", "-> /app.js"),
        ("/%", 404),
        ("/%ff", 404),
        ("/app.js%00", 404),
        ("/app.js/", 404),
        ("/docs%2Findex.html", 404),
        ("/docs%5Cindex.html", 404),
        ("//docs/", 404),
        ("//evil.example/index.html", 404),
        ("/" + "x" * 5000, 404),
    ],
)
async def test_a_file_has_one_spelling(site, path, answer):
    assert await seen(Assets(site), path) == answer


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/docs/../../secret.txt",
        "/docs/%2e%2e/%2E%2E/secret.txt",
        "/..\\secret.txt",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/_headers",
        "/_redirects",
        "/link.txt",
        "/folder/secret.txt",
        "/pipe",
        "/docs",
    ],
)
@pytest.mark.parametrize("html", ["none", "auto-trailing-slash"])
async def test_nothing_outside_or_hidden_is_served(site, path, html):
    outside = site.parent / "secret.txt"
    outside.write_text("secret")
    (site / "link.txt").symlink_to(outside)
    (site / "folder").symlink_to(site.parent)
    os.mkfifo(site / "pipe")
    answer = await seen(Assets(site, html_handling=html), path)
    assert answer in (404, "-> /docs/")


async def test_a_link_inside_the_folder_is_followed(site):
    (site / "same.js").symlink_to(site / "app.js")
    assert await seen(Assets(site), "/same.js") == "js"
    linked = site.parent / "linked"
    linked.symlink_to(site)
    assert await seen(Assets(linked), "/app.js") == "js"


async def test_well_known_files_are_served(site):
    assert await seen(Assets(site), "/.well-known/security.txt") == "security"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.ico", "image/vnd.microsoft.icon"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.tar.gz", "application/x-tar"),
        ("a.unheard-of", "application/octet-stream"),
        ("no-ending", "application/octet-stream"),
    ],
)
async def test_content_types(tmp_path, name, kind):
    (tmp_path / name).write_text("x")
    assets = Assets(tmp_path, html_handling="none")
    assert (await get(assets, f"/{name}")).headers["content-type"] == kind


async def test_a_client_that_has_the_file_is_told_so(site):
    assets = Assets(site)
    first = await get(assets, "/app.js")
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await get(assets, "/app.js", if_none_match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, None, etag)
    assert (await get(assets, "/app.js", if_none_match='"other"')).status == 200
    (site / "app.js").write_text("changed")
    changed = await get(assets, "/app.js", if_none_match=etag)
    assert (changed.status, await changed.text()) == (200, "changed")
    assert changed.headers["etag"] != etag


async def test_head_has_the_headers_only(site):
    response = await get(Assets(site), "/app.js", "HEAD")
    assert (response.status, response.body) == (200, None)
    assert response.headers["content-length"] == "2"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_files_are_only_read(site, method):
    response = await get(Assets(site), "/app.js", method)
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


async def test_a_large_file_is_streamed(site):
    content = os.urandom(600_000)
    (site / "large.bin").write_bytes(content)
    response = await get(Assets(site), "/large.bin")
    assert response.is_streaming
    assert response.headers["content-length"] == "600000"
    assert await response.bytes() == content


async def test_a_large_file_that_shrinks_meanwhile_fails_instead_of_lying(site):
    (site / "large.bin").write_bytes(bytes(600_000))
    response = await get(Assets(site), "/large.bin")
    os.truncate(site / "large.bin", 300_000)
    with pytest.raises(OSError, match="shorter"):
        await response.bytes()


async def test_an_abandoned_download_closes_its_file(site):
    (site / "large.bin").write_bytes(bytes(600_000))
    before = len(os.listdir("/proc/self/fd"))
    chunks: Any = (await get(Assets(site), "/large.bin")).take_body()
    assert len(os.listdir("/proc/self/fd")) == before + 1
    await chunks.aclose()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_what_is_not_found(site):
    plain = Assets(site)
    page = Assets(site, not_found_handling="404-page")
    single = Assets(site, not_found_handling="single-page-application")
    assert await seen(plain, "/nope") == 404
    for path, text in (("/nope", "missing"), ("/docs/nope/deeper", "docs: missing"), ("/%ff", "missing")):
        response = await get(page, path)
        assert (response.status, await response.text()) == (404, text)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert await seen(single, path) == "home"
    (site / "index.html").unlink()
    assert await seen(single, "/nope") == 404


async def test_the_worker_answers_what_is_no_file(site):
    async def answer(assets: Assets, path: str, method: str = "GET", **headers: str) -> object:
        fields = [(name.replace("_", "-").title(), value) for name, value in headers.items()]
        found = await assets.answer(Request.from_server(method, f"http://localhost{path}", fields))
        return found if found is None else (found.status, await found.text())

    single = Assets(site, not_found_handling="single-page-application")
    assert await answer(single, "/app.js") == (200, "js")
    assert await answer(single, "/agents/counter/a") is None
    assert await answer(single, "/agents/counter/a", sec_fetch_mode="cors") is None
    assert await answer(single, "/profile", sec_fetch_mode="navigate") == (200, "home")
    assert await answer(single, "/profile", "POST", sec_fetch_mode="navigate") is None
    assert await answer(Assets(site), "/profile", sec_fetch_mode="navigate") is None
    assert await answer(single, "/", upgrade="websocket") is None


@pytest.mark.parametrize(
    ("rules", "path", "first"),
    [
        (True, "/app.js", True),
        (False, "/app.js", False),
        ([], "/app.js", False),
        (["/agents/*"], "/agents/counter/a", True),
        (["/agents/*"], "/agents/", True),
        (["/agents/*"], "/agents", False),
        (["/agents/*"], "/x/agents/y", False),
        (["/*"], "/", True),
        (["/api/*", "!/api/docs/*"], "/api/docs/intro", False),
        (["!/api/docs/*", "/api/*"], "/api/users", True),
        (["/a.b"], "/axb", False),
        (["/*/admin"], "/x/y/admin", True),
        (["/exact"], "/exact", True),
        (["/exact"], "/exactly", False),
    ],
)
def test_which_paths_the_worker_sees_first(site, rules, path, first):
    assert Assets(site, run_worker_first=rules).should_run_worker_first(path) is first


async def test_another_spelling_does_not_pass_by_the_worker(site):
    assets = Assets(site, run_worker_first=["/private/*"])
    assert assets.should_run_worker_first("/private/note.txt")
    assert await seen(assets, "/%70rivate/note.txt") == "-> /private/note.txt"


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (["agents/*"], "no path pattern"),
        (["!/x"], "only exceptions"),
        (["/" + "x" * 100], "longer than"),
        (["/x"] * 101, "at most 100"),
    ],
)
def test_bad_patterns_are_named(site, rules, problem):
    with pytest.raises(ConfigError, match=problem):
        Assets(site, run_worker_first=rules)


def test_bad_settings_are_named(site, tmp_path):
    with pytest.raises(ConfigError, match="create it") as caught:
        Assets(tmp_path / "nope")
    assert caught.value.file == str(tmp_path / "nope")
    with pytest.raises(ConfigError, match="create it"):
        Assets(site / "app.js")
    with pytest.raises(ConfigError, match=r"not_found_handling: .*spa"):
        Assets(site, not_found_handling="spa")
    with pytest.raises(ConfigError, match="html_handling"):
        Assets(site, html_handling="auto")


@pytest.mark.parametrize(
    ("ignore", "path", "served"),
    [
        ("*.map", "/a/app.js.map", False),
        ("*.map", "/app.js", True),
        ("*.map\n!keep.map", "/keep.map", True),
        ("private/", "/private/note.txt", False),
        ("/private", "/private/note.txt", False),
        ("/note.txt", "/private/note.txt", True),
        ("note.txt", "/private/note.txt", False),
        ("docs/**/x.txt", "/docs/a/b/x.txt", False),
        ("docs/**", "/docs/guide", False),
        ("**/x.txt", "/x.txt", False),
        ("?.txt", "/x.txt", False),
        ("[a-w].txt", "/x.txt", True),
        ("[!a-w].txt", "/x.txt", False),
        ("docs/*.txt", "/docs/a/b/x.txt", True),
        ("# x.txt\n\n", "/x.txt", True),
        ("\\#.txt", "/%23.txt", False),
        ("private/\n!private/note.txt", "/private/note.txt", False),
    ],
)
async def test_ignored_files_are_not_served(site, ignore, path, served):
    for name in ("a/app.js.map", "keep.map", "docs/a/b/x.txt", "x.txt", "#.txt"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("x")
    (site / ".assetsignore").write_text(ignore)
    assert (await seen(Assets(site), path) != 404) is served


async def test_a_worker_asks_for_files_as_a_binding(site):
    assets = Assets(site)
    assert await (await assets.fetch("https://assets.local/app.js")).text() == "js"
    assert (await assets.fetch("https://assets.local/app.js", method="HEAD")).body is None
    assert (await assets.fetch(Request("https://any.host/nope"))).status == 404


def test_a_match_says_what_it_is(site):
    assets = Assets(site)
    found, moved = assets.match("/about"), assets.match("/about.html")
    assert found is not None
    assert moved is not None
    assert (found.file, found.status, found.redirect) == (site / "about.html", 200, None)
    assert (moved.status, moved.redirect) == (307, "/about")
    assert assets.match("/agents/counter/a") is None
