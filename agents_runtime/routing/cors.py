"""Which other web pages may read an agent's HTTP answers. Decides on headers; sends nothing itself.

CORS does not apply to WebSockets: a page of any origin may open one. Check `Cors.allows(origin)` in
`on_before_connect` where that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from agents_runtime.errors import UsageError

METHODS = "GET, POST, HEAD, OPTIONS"
DAY_S = 86_400
_EVERYONE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": str(DAY_S),
}


@dataclass(frozen=True, slots=True)
class Cors:
    """A CORS policy with chosen origins: `Cors(origins={"https://app.example"}, credentials=True)`.

    Answers to a page of another origin carry no permission. Whatever depends on the asking page is marked `Vary`, so
    that caches keep the answers apart.

    Attributes:
        origins: the pages that may read answers, as `scheme://host[:port]`; a function that decides; or "*".
        credentials: whether a page may send cookies. Needs chosen origins.
        methods: the methods a page may use.
        headers: the request headers a page may send; "*" allows all.
        expose: the response headers a page may read besides the harmless ones.
        max_age_s: for how long a browser may keep the answer to a preflight.

    Raises:
        UsageError: cookies are allowed for every origin, or an origin is misspelt.
    """

    origins: Collection[str] | Callable[[str], bool] | Literal["*"] = "*"
    credentials: bool = False
    methods: str = METHODS
    headers: str = "*"
    expose: str | None = None
    max_age_s: int = DAY_S

    def __post_init__(self) -> None:
        if self.origins == "*" or callable(self.origins):
            if self.credentials and self.origins == "*":
                raise UsageError(
                    'Cors(credentials=True) needs chosen origins: "*" would let any page act as its visitor'
                )
            return
        if isinstance(self.origins, str):
            raise UsageError(f"Cors(origins=...) takes a set of origins, so write {{{self.origins!r}}}")
        for origin in self.origins:
            if "://" not in origin or origin.endswith("/") or origin != origin.lower():
                raise UsageError(
                    f"Cors: browsers send an origin as 'https://host' or 'https://host:port', not {origin!r}"
                )

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin may read answers. No origin (not a browser) is allowed nothing."""
        if origin is None:
            return False
        if callable(self.origins):
            return bool(self.origins(origin))
        return self.origins == "*" or origin in self.origins

    def headers_for(self, origin: str | None, requested_headers: str | None) -> dict[str, str]:
        """Headers of an answer, from the request's `Origin` and `Access-Control-Request-Headers`."""
        if self.origins == "*":
            answer = {"Access-Control-Allow-Origin": "*"}
        else:
            answer = {"Vary": "Origin"}
            if origin is None or not self.allows(origin):
                return answer
            answer["Access-Control-Allow-Origin"] = origin
        if self.credentials:
            answer["Access-Control-Allow-Credentials"] = "true"
        answer["Access-Control-Allow-Methods"] = self.methods
        answer["Access-Control-Allow-Headers"] = self.headers
        if self.headers == "*" and self.credentials and requested_headers:
            # With cookies a browser takes the star literally, so the names asked for are given back.
            answer["Access-Control-Allow-Headers"] = requested_headers
            answer["Vary"] += ", Access-Control-Request-Headers"
        if self.expose:
            answer["Access-Control-Expose-Headers"] = self.expose
        answer["Access-Control-Max-Age"] = str(self.max_age_s)
        return answer


CorsOption = bool | Mapping[str, str] | Cors | None
"""True: every page, no cookies. A mapping: exactly these headers. False and None: no CORS."""


def cors_headers(cors: object, origin: str | None, requested_headers: str | None) -> dict[str, str] | None:
    """The headers that a `CorsOption` adds to an answer; None when CORS is off."""
    if cors is None or cors is False:
        return None
    if cors is True:
        return dict(_EVERYONE)
    if isinstance(cors, Cors):
        return cors.headers_for(origin, requested_headers)
    if isinstance(cors, Mapping):
        return dict(cast("Mapping[str, str]", cors))
    raise UsageError(f"cors takes True, a mapping of headers or Cors(origins=...), not {cors!r}")


def merged_vary(existing: str | None, added: str) -> str:
    """One `Vary` value that says what both say."""
    if not existing:
        return added
    known = {name.strip().lower() for name in existing.split(",")}
    if "*" in known:
        return existing
    return ", ".join([existing, *(name for name in added.split(", ") if name.lower() not in known)])
