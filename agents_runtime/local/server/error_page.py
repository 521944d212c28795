"""What a failed request shows to the developer: a page for browsers, text for everything else. Only `dev` uses it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from agents_runtime.errors import ConfigError
from agents_runtime.local.project import UserCodeError, user_traceback
from agents_runtime.local.shim.response import Response

if TYPE_CHECKING:
    from agents_runtime.local.shim.request import Request

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1d1d28; --paper: #fafafc; --soft: #6a6a7c; --box: #fff; --line: #e3e3ec; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #ececf4; --paper: #15151c; --soft: #9a9aad; --box: #1e1e28; --line: #30303e; }}
}}
body {{ margin: 0; padding: 6vh 5vw; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui; }}
main {{ max-width: 62rem; margin: auto; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }}
p {{ color: var(--soft); margin: 0 0 1.4rem; }}
pre {{ background: var(--box); border: 1px solid var(--line); border-left: 4px solid #e5484d; border-radius: 8px;
  padding: 1rem 1.2rem; overflow: auto; font: 13px/1.55 ui-monospace, monospace; }}
</style>
<main><h1>{title}</h1><p>{where}</p><pre>{detail}</pre><p>{hint}</p></main>{script}</html>
"""
_RETRY = """<script>
setInterval(() => fetch(location.href, { headers: { accept: "text/html" } })
  .then((r) => r.headers.get("x-agents-dev-error") || location.reload()).catch(() => {}), 1000);
</script>"""


def failure_response(error: BaseException, request: Request, root: Path) -> Response:
    """The page for an exception of the worker while it answered `request`."""
    detail = user_traceback(error, root)
    where = f"{request.method.value} {request.url}"
    return _response(request, _title(error), where, detail, "This page is shown by `agents-runtime dev` only.", "")


def broken_response(error: ConfigError, request: Request) -> Response:
    """The page while the project cannot be loaded. A browser reloads it once that is over."""
    if isinstance(error, UserCodeError) and error.__cause__ is not None:
        title, where, detail = _title(error.__cause__), error.file, error.trace
    else:
        title, where, detail = "The project cannot be loaded", error.file, str(error)
    return _response(request, title, where, detail, "The page reloads as soon as you have saved a fix.", _RETRY)


def _title(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _response(request: Request, title: str, where: str, detail: str, hint: str, script: str) -> Response:
    fields = [("x-agents-dev-error", "1"), ("cache-control", "no-store")]
    accepted = next((value for name, value in request.raw_headers() if name == "accept"), "")
    if "text/html" not in accepted:
        return Response.made(500, [*fields, ("content-type", "text/plain; charset=utf-8")], f"{where}\n\n{detail}\n")
    texts = {"title": title, "where": where, "detail": detail, "hint": hint}
    page = _PAGE.format(script=script, **{name: html.escape(text) for name, text in texts.items()})
    return Response.made(500, [*fields, ("content-type", "text/html; charset=utf-8")], page)
