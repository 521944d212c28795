"""Opens WebSockets of a test: the upgrade request, and what it means when the answer is no upgrade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from agents_runtime.errors import PeerError
from agents_runtime.routing.urls import camel_case_to_kebab_case
from agents_runtime.testing.handle import absolute_url

if TYPE_CHECKING:
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import FetchResponse
    from agents_runtime.testing.client import FarEnd

MAX_BODY_SHOWN = 500


class ConnectRefused(PeerError):
    """Raised when a WebSocket was not accepted.

    Attributes:
        status: the HTTP status that came instead of 101.
        body: the text of the answer.
    """

    code = "connect_refused"

    def __init__(self, label: str, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{label} answered the upgrade with {status}: {body[:MAX_BODY_SHOWN] or '(no body)'}")


def agent_path(binding: str, name: str) -> str:
    """The path under which `route_agent_request` finds an agent."""
    return f"/agents/{camel_case_to_kebab_case(binding)}/{quote(name, safe='')}"


def upgrade_request(
    path: str, *, client_id: str, query: Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> Request:
    """The request a JavaScript client makes to open a WebSocket at `path`."""
    from agents_runtime.local.shim.request import Request

    url = absolute_url(path)
    url += ("&" if "?" in url else "?") + urlencode({"_pk": client_id, **(query or {})})
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **(headers or {}),
    }
    return Request.from_server("GET", url, list(fields.items()))


async def accepted_end(response: FetchResponse, label: str) -> FarEnd:
    """The far end of the WebSocket in a 101 response.

    Raises:
        ConnectRefused: the response is no upgrade.
    """
    __tracebackhide__ = True
    end: FarEnd | None = getattr(response, "web_socket", None)
    if response.status != 101 or end is None:
        raise ConnectRefused(label, response.status, await response.text())
    return end
