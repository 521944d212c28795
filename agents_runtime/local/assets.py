"""Static files beside a worker, served as the platform serves them.

Nothing is built, cached or compressed here: every request looks at the folder, so a changed file shows at once.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack
from urllib.parse import quote, unquote

from agents_runtime.errors import ConfigError
from agents_runtime.local.asset_rules import IgnoreRules, PathRules
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response
from agents_runtime.local.shim.streams import ReadableStream

if TYPE_CHECKING:
    from agents_runtime.local.shim.js_view import JsView
    from agents_runtime.local.shim.types import FetchKwargs

IGNORE_FILE = ".assetsignore"
_NOT_FOUND_HANDLING = ("none", "404-page", "single-page-application")
_HTML_HANDLING = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")
_SETTINGS_OF_THE_PLATFORM = frozenset(("_headers", "_redirects"))
_WHOLE_BYTES = 256 * 1024  # a file up to this size is read at once, a larger one in pieces of it
_READING = ("GET", "HEAD")
_REDIRECT = HTTPStatus.TEMPORARY_REDIRECT

_types = mimetypes.MimeTypes()  # Python's own table, not the machine's
for _suffix, _type in {
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".jsonld": "application/ld+json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
}.items():
    _types.add_type(_type, _suffix)


@dataclass(frozen=True, slots=True)
class Asset:
    """What a path leads to: a file, or a redirect to the file's own path.

    Attributes:
        file: the file, inside the assets folder.
        status: 200, 307 for a redirect, or 404 for a not-found page.
        redirect: the path to send the client to, percent-encoded; None to serve the file.
    """

    file: Path
    status: int = 200
    redirect: str | None = None

    @property
    def content_type(self) -> str:
        """The content type, by the file's name."""
        return content_type_of(self.file.name)


def content_type_of(name: str) -> str:
    """The content type for a file name, with the character set for texts."""
    kind = _types.guess_type(f"/{name}")[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


class Assets:
    """A folder of static files; also what a worker sees as `env.ASSETS`.

    Hidden files (but `.well-known`), `_headers`, `_redirects` and what `.assetsignore` excludes are never
    served, and neither is anything that a link leads to outside the folder.

    Args:
        directory: the folder.
        not_found_handling: "none", "404-page" (the nearest `404.html`) or "single-page-application" (`/index.html`).
        html_handling: which path a page has: "auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash"
            or "none".
        run_worker_first: True, or path patterns, for what the worker answers even where a file exists.

    Raises:
        ConfigError: the folder does not exist, or a setting is unknown.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        not_found_handling: str = "none",
        html_handling: str = "auto-trailing-slash",
        run_worker_first: bool | Sequence[str] = False,
    ) -> None:
        _check_choice("not_found_handling", not_found_handling, _NOT_FOUND_HANDLING)
        _check_choice("html_handling", html_handling, _HTML_HANDLING)
        try:
            self._root = Path(os.path.realpath(directory, strict=True))
            if not self._root.is_dir():
                raise NotADirectoryError
        except OSError:
            problem = 'the assets folder does not exist: create it, or change "assets.directory" in the wrangler file'
            raise ConfigError(directory, None, problem) from None
        self._not_found = not_found_handling
        self._html = html_handling
        self._always_first = run_worker_first is True
        try:
            self._first = PathRules([] if isinstance(run_worker_first, bool) else run_worker_first)
        except ValueError as exc:
            raise ConfigError(directory, "assets.run_worker_first", str(exc)) from None
        ignore = self._root / IGNORE_FILE
        self._ignored = IgnoreRules(ignore.read_text("utf-8", "replace")) if ignore.is_file() else None

    def should_run_worker_first(self, path: str) -> bool:
        """Whether the worker answers this path even where a file exists."""
        return self._always_first or self._first.match(path)

    def match(self, path: str) -> Asset | None:
        """The file for the path of a URL, or None. Without the handling of what is not found."""
        name = _decoded(path)
        asset = None if name is None else self._resolve(name)
        if asset is not None and name is not None and asset.redirect is None and path != (place := _encoded(name)):
            # One path per file, or another spelling of it would pass by the patterns of `run_worker_first`.
            return Asset(asset.file, _REDIRECT, place)
        return asset

    async def answer(self, request: Request) -> Response | None:
        """The response to what needs no worker, or None when the worker is to answer.

        That is a path with a file and, where pages for missing files are configured, a browser's navigation.
        """
        if "upgrade" in (fields := {name.lower(): value for name, value in request.raw_headers()}):
            return None
        path, query = _split_url(request.url)
        asset = self.match(path)
        if asset is None and fields.get("sec-fetch-mode") == "navigate" and request.method in _READING:
            asset = self._missing(path)
        return None if asset is None else await self._serve(asset, request, query)

    async def fetch(self, resource: Request | JsView | str, **options: Unpack[FetchKwargs]) -> Response:
        """The response for a request or URL, whatever its host; 404 when there is no file. What `env.ASSETS` offers."""
        request = resource if isinstance(resource, Request) and not options else Request(resource, **options)
        path, query = _split_url(request.url)
        asset = self.match(path) or self._missing(path)
        return Response(None, status=404) if asset is None else await self._serve(asset, request, query)

    def _resolve(self, name: str) -> Asset | None:
        """The file for a decoded path, or a redirect to where that file is served."""
        if self._html == "none":
            file = self._file(name)
            return None if file is None else Asset(file)
        for candidate in _candidates(name):
            file = self._file(candidate)
            if file is None:
                continue
            place = _place(candidate, self._html)
            if place == name:
                return Asset(file)
            if self._serves(place, candidate):
                return Asset(file, _REDIRECT, _encoded(place))
            if candidate == name:
                return Asset(file)
        return None

    def _serves(self, place: str, candidate: str) -> bool:
        """Whether the path `place` gives the file `candidate`, and not another one before it."""
        first = next((other for other in _candidates(place) if self._file(other) is not None), None)
        return first == candidate

    def _missing(self, path: str) -> Asset | None:
        """The page for a path without a file."""
        if self._not_found == "single-page-application":
            file = self._file("/index.html")
            return None if file is None else Asset(file)
        if self._not_found == "404-page":
            folders = (_decoded(path) or "/").split("/")[:-1]
            for depth in range(len(folders), 0, -1):
                file = self._file("/".join((*folders[:depth], "404.html")))
                if file is not None:
                    return Asset(file, HTTPStatus.NOT_FOUND)
        return None

    def _file(self, name: str) -> Path | None:
        """The regular file with this path below the folder, unless it is none of a client's business."""
        parts = name.split("/")[1:]
        if any(_is_hidden(part) for part in parts) or name[1:] in _SETTINGS_OF_THE_PLATFORM:
            return None
        file = f"{self._root}{name}"
        try:
            if not stat.S_ISREG(os.stat(file).st_mode):
                return None
            real = os.path.realpath(file, strict=True)
        except (OSError, ValueError):
            return None
        if not real.startswith(f"{self._root}{os.sep}") or (self._ignored and self._ignored.excludes(name[1:])):
            return None
        return Path(file)

    async def _serve(self, asset: Asset, request: Request, query: str) -> Response:
        method = str(request.method)
        if method not in _READING:
            return Response(None, status=405, headers={"allow": "GET, HEAD"})
        if asset.redirect is not None:
            return Response(None, status=_REDIRECT, headers={"location": asset.redirect + query})
        file = _opened(asset.file)
        if file is None:
            return Response(None, status=404)  # removed since it was found
        size, etag = _size_and_etag(file)
        fields = [("cache-control", "public, max-age=0, must-revalidate"), ("etag", etag)]
        if asset.status == HTTPStatus.OK and _knows(request, etag):
            file.close()
            return Response(None, status=304, headers=fields)
        fields.append(("content-type", asset.content_type))
        body: bytes | ReadableStream | None = None
        if method == "HEAD":
            file.close()
        elif size <= _WHOLE_BYTES:
            with file:
                body = file.read(_WHOLE_BYTES)
            size = len(body)
        else:
            body = ReadableStream(_Pieces(file, size))
        return Response(body, status=asset.status, headers=[*fields, ("content-length", str(size))])


class _Pieces:
    """The content of a file, read in a thread piece by piece, and as long as it was when it was opened."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        piece = await asyncio.to_thread(self._file.read, min(_WHOLE_BYTES, self._left))
        if not piece:
            raise OSError(f"{self._file.name} became shorter while it was sent")
        self._left -= len(piece)
        return piece

    async def aclose(self) -> None:
        self._file.close()


def _check_choice(key: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError("assets", key, f'"{value}" is not one of {", ".join(choices)}')


def _split_url(url: str) -> tuple[str, str]:
    """Path and query, the query with its question mark."""
    after = url.partition("#")[0].split("/", 3)
    path, mark, query = (after[3] if len(after) > 3 else "").partition("?")
    return f"/{path}", mark + query


def _decoded(path: str) -> str | None:
    """The path without percent-encoding; None for one that can name no file."""
    try:
        name = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return None
    encoded_slash = path.count("/") != name.count("/")
    if encoded_slash or "//" in name or "\\" in name or "\0" in name or not name.startswith("/"):
        return None
    return name


def _encoded(name: str) -> str:
    return quote(name, safe="/:@!$&'()*+,;=-._~")


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part != ".well-known"


def _candidates(name: str) -> Iterator[str]:
    """The files a path may stand for, the first one that exists wins."""
    for ending in ("/index.html", "/index", "/", ".html"):
        if name.endswith(ending):
            base = name.removesuffix(ending)
            if ending in ("/index", ".html"):
                yield name
            yield f"{base}/index.html"
            yield f"{base}.html"
            return
    yield name
    yield f"{name}.html"
    yield f"{name}/index.html"


def _place(file: str, html: str) -> str:
    """The path at which a file is served."""
    if file.endswith("/index.html"):
        folder = file.removesuffix("index.html")
        return folder if html != "drop-trailing-slash" or folder == "/" else folder[:-1]
    if file.endswith(".html"):
        page = file.removesuffix(".html")
        return f"{page}/" if html == "force-trailing-slash" else page
    return file


def _opened(file: Path) -> BinaryIO | None:
    try:
        return file.open("rb")
    except OSError:
        return None


def _size_and_etag(file: BinaryIO) -> tuple[int, str]:
    found = os.fstat(file.fileno())
    return found.st_size, f'"{found.st_mtime_ns:x}-{found.st_size:x}"'


def _knows(request: Request, etag: str) -> bool:
    """Whether the client has this version of the file already."""
    known = ",".join(value for name, value in request.raw_headers() if name.lower() == "if-none-match")
    return known.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in known.split(","))
