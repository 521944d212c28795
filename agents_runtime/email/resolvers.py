"""Which agent a received mail is for: ready-made answers to that question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from agents_runtime._platform.base import timing_of
from agents_runtime.email import signing
from agents_runtime.email.addresses import split_address
from agents_runtime.email.headers import EmailHeaders, message_ids
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime.email.signing import SignatureProblem, SignedAgent

MAX_REFERENCES = 20
"""So many message ids of a mail are looked at for a signature, the newest first."""


@dataclass(frozen=True, slots=True)
class EmailRoute:
    """The agent a mail is for.

    Attributes:
        agent_name: its binding, in any spelling, or its class's name.
        agent_id: the agent's name.
        is_secure: whether a signature proved that the mail answers one of this agent.
    """

    agent_name: str
    agent_id: str
    is_secure: bool = False


class ReceivedMail(Protocol):
    """What a resolver sees of a mail."""

    @property
    def from_(self) -> str:
        """The sender, by the envelope."""
        ...

    @property
    def to(self) -> str:
        """The recipient, by the envelope."""
        ...

    @property
    def headers(self) -> EmailHeaders:
        """The header fields."""
        ...


Answer = EmailRoute | Mapping[str, object] | None
EmailResolver = Callable[[Any, Any], Answer | Awaitable[Answer]]
"""Called with the mail (`.from_`, `.to`, `.headers`, `.raw_size`) and the environment. Sync or async.

Returns an `EmailRoute`, or `{"agentName": ..., "agentId": ...}` (`agent_name`, `agent_id` will do), or None.
"""


def create_address_based_email_resolver(default_agent: str | Mapping[str, object]) -> EmailResolver:
    """Route by the address: `local+sub@domain` is the agent `sub` of `local`, any other `local` of the default agent.

    So everybody can write to every agent of every binding. Or give a map from addresses to agents, which alone can be
    written to: `{"support@example.com": "support-agent"}` routes to the agent named `support` there, and
    `support+7@example.com` to the one named `7`. A value may also be `("support-agent", "desk")`, with the name.
    """
    if not isinstance(default_agent, str):
        return _by_map(default_agent)
    if not default_agent:
        raise UsageError("create_address_based_email_resolver needs the agent for addresses without a sub-address")
    default = default_agent

    def resolve(mail: ReceivedMail, env: object) -> EmailRoute | None:
        parts = split_address(mail.to)
        if parts is None:
            return None
        local, sub, _ = parts
        return EmailRoute(local, sub) if sub else EmailRoute(default, local)

    return resolve


def _by_map(addresses: Mapping[str, object]) -> EmailResolver:
    known: dict[tuple[str, str], tuple[str, str | None]] = {}
    for address, meant in addresses.items():
        parts = split_address(address)
        match meant:
            case str() if meant:
                target: tuple[str, str | None] = (meant, None)
            case (str(agent), str(name)):
                target = (agent, name)
            case _:
                raise UsageError(f'the agent for {address!r} is "agent" or ("agent", "name"), not {meant!r}'[:300])
        if parts is None or parts[1]:
            raise UsageError(f"{address!r} is no address to route by: write it as local@domain, without a +")
        known[parts[0].lower(), parts[2].lower()] = target

    def resolve(mail: ReceivedMail, env: object) -> EmailRoute | None:
        parts = split_address(mail.to)
        if parts is None:
            return None
        local, sub, domain = parts
        target = known.get((local.lower(), domain.lower()))
        return None if target is None else EmailRoute(target[0], target[1] or sub or local.lower())

    return resolve


def create_catch_all_email_resolver(agent_name: str, agent_id: str) -> EmailResolver:
    """Route every mail to one agent."""
    route = EmailRoute(agent_name, agent_id)
    return lambda mail, env: route


def create_header_based_email_resolver() -> NoReturn:
    """Refuse: headers that anybody can write say nothing about whom a mail is for. Always raises UsageError."""
    raise UsageError(
        "routing by unsigned headers lets any sender reach any agent, so there is no such resolver: use "
        "create_secure_reply_email_resolver(secret) for answers, and create_address_based_email_resolver(agent) "
        "or create_catch_all_email_resolver(agent, name) for the rest"
    )


def create_secure_reply_email_resolver(
    secret: str,
    *,
    max_age: int = signing.DEFAULT_MAX_AGE_S,
    on_invalid_signature: Callable[[Any, SignatureProblem], object] | None = None,
) -> EmailResolver:
    """Route answers back to the agent that wrote, if its signature is good; any other mail to nobody.

    The signature is looked for in the four `X-Agent-...` headers, and in the message ids that mail programs send back
    (`In-Reply-To`, `References`). It covers the agent and the time, not the mail: who has seen a signed mail can write
    to its agent until it expires.

    Args:
        secret: the one that was given to `reply_to_email` or `send_email`.
        max_age: for how many seconds an answer is accepted; 30 days by default.
        on_invalid_signature: called with the mail and one of `missing_headers`, `expired`, `invalid`,
            `malformed_timestamp`.

    Raises:
        UsageError: the secret is empty.
    """
    if not secret:
        raise UsageError("create_secure_reply_email_resolver needs a secret that is not empty")

    def resolve(mail: ReceivedMail, env: object) -> EmailRoute | None:
        now_ms = timing_of(env)[0].now_ms()
        problem: SignatureProblem = "missing_headers"
        for signed in _signatures(mail.headers):
            found = signing.check(signed, secret, max_age, now_ms)
            if found is None:
                return EmailRoute(signed.agent_name, signed.agent_id, is_secure=True)
            problem = found if problem == "missing_headers" else problem
        if on_invalid_signature is not None:
            on_invalid_signature(mail, problem)
        return None

    return resolve


def _signatures(headers: EmailHeaders) -> list[SignedAgent]:
    """Every signature in a mail; that of its own headers first, then the newest."""
    own = signing.from_headers(headers)
    referred = [*message_ids(headers.get("in-reply-to")), *reversed(message_ids(headers.get("references")))]
    inside = (signing.from_message_id(text) for text in dict.fromkeys(referred[:MAX_REFERENCES]))
    return [signed for signed in (own, *inside) if signed is not None]


def checked_route(answer: object) -> EmailRoute | None:
    """What a resolver returned, in one form.

    Raises:
        UsageError: it is nothing that a resolver may return.
    """
    if answer is None or isinstance(answer, EmailRoute):
        return answer
    if isinstance(answer, Mapping):
        given = cast("Mapping[str, object]", answer)
        name, agent_id = given.get("agentName", given.get("agent_name")), given.get("agentId", given.get("agent_id"))
        if isinstance(name, str) and isinstance(agent_id, str):
            return EmailRoute(name, agent_id, is_secure=given.get("_secureRouted") is True)
    raise UsageError(
        f'a resolver returns an EmailRoute, {{"agentName": ..., "agentId": ...}} or None, not {answer!r}'[:300]
    )
