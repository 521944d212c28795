"""Which agent a mail is for."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime import (
    EmailRoute,
    create_address_based_email_resolver,
    create_catch_all_email_resolver,
    create_header_based_email_resolver,
    create_secure_reply_email_resolver,
    sign_agent_headers,
)
from agents_runtime.email import signing
from agents_runtime.email.headers import EmailHeaders
from agents_runtime.email.resolvers import checked_route
from agents_runtime.errors import UsageError

NOW_MS = 1_760_000_000_000
ENV = SimpleNamespace(agents_host=SimpleNamespace(clock=SimpleNamespace(now_ms=lambda: NOW_MS), entropy=None))


def mail(to="desk@example.com", **headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return SimpleNamespace(from_="ada@example.com", to=to, headers=EmailHeaders(pairs), raw_size=1)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("support+ada@example.com", EmailRoute("support", "ada")),
        ("support@example.com", EmailRoute("desk", "support")),
        ("a+b+c@x", EmailRoute("a", "b+c")),
        ("Support+Ada@Example.com", EmailRoute("Support", "Ada")),
        ("a+@x", None),
        ("+x@y", None),
        ("@y", None),
        ("a@", None),
        ("nothing", None),
        ("", None),
        ("a@b@c", None),
        ("a\r\n+b@c", None),
        ("a" * 64 + "@x", EmailRoute("desk", "a" * 64)),
        ("a" * 65 + "@x", None),
        ("a+" + "b" * 64 + "@x", EmailRoute("a", "b" * 64)),
        ("a+" + "b" * 65 + "@x", None),
        ("a@" + "d" * 253, EmailRoute("desk", "a")),
        ("a@" + "d" * 254, None),
    ],
)
def test_by_address(address, expected):
    assert create_address_based_email_resolver("desk")(mail(address), ENV) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("support@example.com", EmailRoute("support-agent", "support")),
        ("SUPPORT@EXAMPLE.COM", EmailRoute("support-agent", "support")),
        ("support+7@example.com", EmailRoute("support-agent", "7")),
        ("sales@example.com", EmailRoute("desk", "front")),
        ("sales+7@example.com", EmailRoute("desk", "front")),
        ("support@example.org", None),
        ("admin@example.com", None),
        ("support+@example.com", None),
    ],
)
def test_by_a_map_of_addresses(address, expected):
    resolve = create_address_based_email_resolver(
        {"support@example.com": "support-agent", "sales@example.com": ("desk", "front")}
    )
    assert resolve(mail(address), ENV) == expected


@pytest.mark.parametrize("wrong", ["", {"x": "a"}, {"a+b@c": "d"}, {"a@b": ""}, {"a@b": 3}, {"a@b": ("x", 3)}])
def test_what_is_no_address_or_agent(wrong):
    with pytest.raises(UsageError):
        create_address_based_email_resolver(wrong)


def test_catch_all():
    assert create_catch_all_email_resolver("desk", "one")(mail("any@where"), ENV) == EmailRoute("desk", "one")


def test_unsigned_headers_are_no_route():
    with pytest.raises(UsageError, match="create_secure_reply_email_resolver"):
        create_header_based_email_resolver()


def secure(found=None, **options):
    return create_secure_reply_email_resolver(
        "s3cret", on_invalid_signature=lambda mail, problem: found.append(problem), **options
    )


def signed(agent_id="room-1", at_ms=NOW_MS):
    return sign_agent_headers("s3cret", "my-agent", agent_id, now_ms=at_ms)


def test_a_signed_answer_finds_its_agent():
    problems = []
    route = secure(problems)(mail(**{k.replace("-", "_"): v for k, v in signed().items()}), ENV)
    assert route == EmailRoute("my-agent", "room-1", is_secure=True)
    assert problems == []


@pytest.mark.parametrize("missing", ["X-Agent-Name", "X-Agent-ID", "X-Agent-Sig", "X-Agent-Sig-Ts"])
def test_all_four_headers_are_needed(missing):
    problems = []
    headers = signed() | {missing: ""}
    assert secure(problems)(mail(**{k.replace("-", "_"): v for k, v in headers.items()}), ENV) is None
    assert problems == ["missing_headers"]


def test_what_is_wrong_is_told():
    problems = []
    resolve = secure(problems, max_age=60)
    for headers in [
        {},
        signed(at_ms=NOW_MS - 61_000),
        signed() | {"X-Agent-ID": "other"},
        signed() | {"X-Agent-Sig-Ts": "x"},
    ]:
        assert resolve(mail(**{k.replace("-", "_"): v for k, v in headers.items()}), ENV) is None
    assert problems == ["missing_headers", "expired", "invalid", "malformed_timestamp"]


def message_id(agent_id, at_ms=NOW_MS, secret="s3cret"):
    return f"<u.{signing.as_token(signing.sign(secret, 'my-agent', agent_id, at_ms))}@example.com>"


def test_an_answer_without_our_headers_is_known_by_what_it_refers_to():
    ours = message_id("room-1")
    for headers in ({"in_reply_to": ours}, {"references": f"<a@b> {ours} <c@d>"}):
        assert secure([])(mail(**headers), ENV) == EmailRoute("my-agent", "room-1", is_secure=True)
    problems = []
    assert secure(problems)(mail(in_reply_to=message_id("room-1", secret="guess")), ENV) is None
    assert problems == ["invalid"]


def test_the_newest_reference_that_is_good_counts():
    references = " ".join([message_id("first"), message_id("second"), message_id("forged", secret="guess")])
    route: Any = secure([])(mail(references=references), ENV)
    assert route.agent_id == "second"


def test_many_references_are_not_all_looked_at():
    many = " ".join(f"<{number}@x>" for number in range(1_000))
    assert secure([])(mail(references=f"{message_id('room-1')} {many}"), ENV) is None


def test_an_empty_secret_is_refused():
    with pytest.raises(UsageError, match="not empty"):
        create_secure_reply_email_resolver("")


@pytest.mark.parametrize(
    ("answer", "route"),
    [
        (None, None),
        (EmailRoute("a", "b"), EmailRoute("a", "b")),
        ({"agentName": "a", "agentId": "b"}, EmailRoute("a", "b")),
        ({"agent_name": "a", "agent_id": "b"}, EmailRoute("a", "b")),
        ({"agentName": "a", "agentId": "b", "_secureRouted": True}, EmailRoute("a", "b", is_secure=True)),
    ],
)
def test_what_a_resolver_of_ones_own_may_return(answer, route):
    assert checked_route(answer) == route


@pytest.mark.parametrize("answer", ["desk", ("a", "b"), {"agentName": "a"}, {"agentName": 1, "agentId": 2}, True])
def test_what_it_may_not(answer):
    with pytest.raises(UsageError, match="a resolver returns"):
        checked_route(answer)
