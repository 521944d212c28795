"""`/cdn-cgi/handler/email`: a mail comes in over HTTP. `/cdn-cgi/outbox`: what the worker sent.

Open to programs and pages of this machine in `dev`; elsewhere only with the token of `AGENTS_MAIL_TOKEN`.
"""

from __future__ import annotations

import hmac
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from agents_runtime._platform.base import header_of
from agents_runtime.email.addresses import checked_address
from agents_runtime.email.errors import InvalidMail
from agents_runtime.email.headers import EmailHeaders, message_ids
from agents_runtime.email.parsing import MAX_SIZE_BYTES, header_pairs
from agents_runtime.local.shim.response import Response

if TYPE_CHECKING:
    from agents_runtime.local.mail.room import MailRoom
    from agents_runtime.local.shim.request import Request

TOKEN_VARIABLE = "AGENTS_MAIL_TOKEN"
MAIL_PATH = "/cdn-cgi/handler/email"
OUTBOX_PATH = "/cdn-cgi/outbox"
MAX_LISTED = 200

_is_local_host = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?").fullmatch
_is_local_client = re.compile(r"127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3}").fullmatch


async def answer_mail(room: MailRoom, request: Request, path: str, *, is_dev: bool) -> Response | None:
    """Answer a request for one of these addresses; None: it is for none, or may not know of them."""
    if path != MAIL_PATH and path != OUTBOX_PATH and not path.startswith(OUTBOX_PATH + "/"):
        return None
    if not may_use(request, is_dev=is_dev):
        return None
    if path == MAIL_PATH:
        if request.method.value != "POST":
            return _text(405, "POST a mail, as it is, with ?from= and ?to=")
        return await _receive(room, request)
    if request.method.value != "GET":
        return _text(405, "GET it")
    return _outbox(room, path)


def may_use(request: Request, *, is_dev: bool) -> bool:
    """Whether a request may bring mail. A page of another site may not, nor one that only claims our host's name."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    given = header_of(request, "authorization") or ""
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    if not is_dev:
        return False
    host, origin = header_of(request, "host") or "", header_of(request, "origin")
    is_same_page = origin is None or urlsplit(origin).netloc == host
    is_near = _is_local_client(header_of(request, "cf-connecting-ip") or "") and _is_local_host(host)
    return is_same_page and bool(is_near) and header_of(request, "sec-fetch-site") in (None, "same-origin", "none")


async def _receive(room: MailRoom, request: Request) -> Response:
    query = parse_qs(urlsplit(request.url).query)
    try:
        sender, recipient = (checked_address(query.get(name, [""])[0], name) for name in ("from", "to"))
    except InvalidMail as error:
        return _text(400, f"The URL has to say who wrote and to whom, as in ?from=ada@example.com&to=desk@...: {error}")
    raw = await _read(request)
    if raw is None:
        return _text(400, f"The mail has more than {MAX_SIZE_BYTES:,} bytes.")
    if not raw:
        return _text(400, "The body of the request has to be a mail.")
    if not message_ids(EmailHeaders(header_pairs(raw)).get("message-id")):
        return _text(400, "The mail has no Message-ID, or none that can be read.")
    if not room.takes_mail:
        from agents_runtime.local.mail.room import NO_HANDLER

        return _text(400, NO_HANDLER)
    message = room.receive(sender, recipient, raw)
    await room.deliver(message)
    if message.reason is not None:
        return _text(400, f"The worker refused the mail: {message.reason}")
    return _text(200, "The worker has taken the mail.")


async def _read(request: Request) -> bytes | None:
    body = request.body
    if body is None:
        return b""
    found = bytearray()
    async for chunk in body:
        found += bytes(chunk)
        if len(found) > MAX_SIZE_BYTES:
            return None
    return bytes(found)


def _outbox(room: MailRoom, path: str) -> Response:
    mail_id = path[len(OUTBOX_PATH) + 1 :]
    if not mail_id:
        newest = [*reversed(room.outbox.all(MAX_LISTED))]
        return Response.from_json([{**mail.envelope(), "subject": mail.subject} for mail in newest])
    mail = room.outbox.get(mail_id)
    if mail is None:
        return _text(404, "There is no such mail.")
    return Response.made(
        200, [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")], mail.raw
    )


def _text(status: int, text: str) -> Response:
    return Response.made(status, [("content-type", "text/plain; charset=utf-8")], text + "\n")
