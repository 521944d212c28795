"""From a mail that the worker received to the agent it is for, and back again with what the agent wants done."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from agents_runtime._platform.base import mail_port, namespaces_of
from agents_runtime.email.headers import EmailHeaders, loop_problem
from agents_runtime.email.resolvers import EmailResolver, EmailRoute, checked_route
from agents_runtime.errors import AgentError, UsageError
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.handle import call_entry, error_line
from agents_runtime.routing.lookup import connector
from agents_runtime.routing.urls import camel_case_to_kebab_case, name_problem

logger = logging.getLogger("agents_runtime")

MAX_SIZE_BYTES = 25 * 1024 * 1024
"""The largest mail that an agent is given; the platform takes no larger ones."""
MAX_ACTIONS = 100
"""So many things may one mail lead to: answers and forwards."""


class RoutedMail:
    """A received mail as resolvers and `on_no_route` see it.

    Attributes:
        from_: the sender, by the envelope.
        to: the recipient, by the envelope.
        headers: the header fields, by name in any case.
        raw_size: how many bytes it has.
        message: the platform's own object.
    """

    def __init__(self, message: Any) -> None:  # noqa: ANN401 - the platform's object
        envelope = mail_port().read_envelope(message)
        self.message = message
        self.from_ = envelope.sender
        self.to = envelope.recipient
        self.headers = EmailHeaders(envelope.headers)
        self.raw_size = envelope.size_bytes

    def set_reject(self, reason: str) -> None:
        """Refuse the mail; the sender's server is told the reason."""
        mail_port().set_reject(self.message, reason)

    async def forward(self, recipient: str, headers: Mapping[str, str] | None = None) -> None:
        """Pass the mail on unchanged."""
        await mail_port().forward(self.message, recipient, headers or {})

    def __repr__(self) -> str:
        return f"<mail from {self.from_!r} to {self.to!r}, {self.raw_size} bytes>"


async def route_agent_email(
    message: Any,  # noqa: ANN401 - the platform's object
    env: Any,  # noqa: ANN401 - the platform's environment
    resolver: EmailResolver,
    *,
    on_no_route: Callable[[RoutedMail], object] | None = None,
) -> None:
    """Bring a mail to the agent it is for. Call it in the worker's `email(self, message)`, with `self.env`.

    Returns when the agent's `on_email` has returned and its writes are committed; then the platform acknowledges the
    mail. If anything fails before, this raises and the sender's server tries again: at least once, never lost, perhaps
    twice. A mail that is too large, or goes round in circles, is refused instead.

    Args:
        message: what the worker's `email` handler was given.
        env: the worker's bindings.
        resolver: says which agent; see `create_address_based_email_resolver` and its neighbours.
        on_no_route: called, and awaited, with a mail for which the resolver knew no agent. Without it such a mail is
            dropped with a warning; call `mail.set_reject(...)` to tell the sender.

    Raises:
        UsageError: the resolver named an agent that cannot be; the text lists the bindings.
        RemoteError: the agent's `on_email` raised.
        RetryableError: the agent was lost meanwhile.
    """
    mail = RoutedMail(message)
    route = checked_route(await _awaited(resolver(mail, env)))
    if route is None:
        await _unrouted(mail, on_no_route)
        return
    problem = loop_problem(mail.headers, mail.to)
    if problem is None and mail.raw_size > MAX_SIZE_BYTES:
        problem = f"this mail has {mail.raw_size:,} bytes, and at most {MAX_SIZE_BYTES:,} are taken"
    if problem is not None:
        logger.warning("%r is refused: %s", mail, problem)
        mail.set_reject(problem)
        return
    await _deliver(mail, route, env)


async def _unrouted(mail: RoutedMail, on_no_route: Callable[[RoutedMail], object] | None) -> None:
    if on_no_route is not None:
        await _awaited(on_no_route(mail))
        return
    logger.warning("no agent for %r: the resolver returned None, so it is dropped", mail)


async def _deliver(mail: RoutedMail, route: EmailRoute, env: object) -> None:
    namespaces = namespaces_of(env)
    binding = binding_of(namespaces, route.agent_name)
    if problem := name_problem(route.agent_id):
        raise UsageError(problem)
    namespace = namespaces[binding]
    stub = connector(namespace, namespace.idFromName(route.agent_id), None)()
    raw = await mail_port().read(mail.message, MAX_SIZE_BYTES)
    answer = await call_entry(
        stub,
        "email",
        {
            "from": mail.from_,
            "to": mail.to,
            "headers": [[name, value] for name, value in mail.headers.pairs()],
            "raw": raw,
            "agent": camel_case_to_kebab_case(binding),
            "secure": route.is_secure,
        },
        binding,
    )
    for _ in range(MAX_ACTIONS):
        if "ask" not in answer:
            break
        outcome = await _outcome_of(mail, answer["ask"])
        answer = await call_entry(stub, "email", {"exchange": answer["exchange"], **outcome}, binding)
    else:
        raise UsageError(f"the agent answered and forwarded one mail more than {MAX_ACTIONS} times")
    if answer.get("rejected") is not None:
        mail.set_reject(str(answer["rejected"]))


async def _outcome_of(mail: RoutedMail, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the agent asked for. What goes wrong is for the agent to know."""
    try:
        if asked["action"] == "forward":
            await mail.forward(str(asked["recipient"]), dict(asked["headers"]))
        else:
            raw = bytes(asked["raw"])
            await mail_port().reply(mail.message, str(asked["sender"]), str(asked["recipient"]), raw)
    except AgentError as error:
        return {"error": error.public_message}
    except Exception as error:  # whatever the platform raises
        return {"error": error_line(error)}
    return {"result": None}


async def _awaited(value: Any) -> Any:  # noqa: ANN401 - what the user's function returns
    return await value if inspect.isawaitable(value) else value
