"""The `WWW-Authenticate` header: what a server says about the authorization it wants."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADER_CHARS = 8_192
MAX_SCOPES = 200

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(
    rf"\s*(?:,\s*)*(?:(?P<name>{_TOKEN})\s*=\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>{_TOKEN}(?![^\s,])))"
    rf"|(?P<scheme>{_TOKEN})(?:\s+(?P<token68>[0-9A-Za-z._~+/-]+=*)(?=\s*(?:,|$)))?(?=\s|,|$))",
    re.DOTALL,
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks for.

    Attributes:
        resource_metadata: where it describes itself, if it says so.
        scopes: the scopes that the refused request needs; None if it does not say.
        error: why the request was refused, such as `insufficient_scope`.
    """

    resource_metadata: str | None = None
    scopes: tuple[str, ...] | None = None
    error: str | None = None


def parse_challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """The challenges of a header: scheme in lower case, parameters by lower-case name.

    What is malformed ends the reading; of parameters given twice the first counts.
    """
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    header = header[:MAX_HEADER_CHARS]
    while (part := _PART.match(header, position)) is not None and part.end() > position:
        position = part.end()
        if part["scheme"] is not None:
            found.append((part["scheme"].lower(), {}))
        elif not found:
            break
        else:
            quoted = part["quoted"]
            value = part["plain"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
            found[-1][1].setdefault(part["name"].lower(), value)
    return found


def read_challenge(header: str | None) -> Challenge:
    """The first challenge for a bearer token; an empty one if there is none."""
    for scheme, parameters in parse_challenges(header or ""):
        if scheme == "bearer":
            scope = parameters.get("scope")
            return Challenge(
                parameters.get("resource_metadata") or None,
                split_scopes(scope) if scope is not None and scope.strip() else None,
                parameters.get("error"),
            )
    return Challenge()


def split_scopes(text: str) -> tuple[str, ...]:
    """The scopes of a space-separated list, each once, in its order. What is no scope is left out."""
    return tuple(dict.fromkeys(scope for scope in text.split(" ") if _SCOPE.fullmatch(scope)))[:MAX_SCOPES]
