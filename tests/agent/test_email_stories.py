"""Mails to agents and from them. The agent is evicted before every event."""

import asyncio
import email
import email.policy

import pytest
from workers import WorkerEntrypoint

from agents_runtime import (
    Agent,
    AgentEmail,
    create_address_based_email_resolver,
    create_catch_all_email_resolver,
    create_secure_reply_email_resolver,
    get_current_agent,
    route_agent_email,
    subscribe,
)
from agents_runtime.email.headers import message_ids
from agents_runtime.errors import RemoteError, UsageError

SECRET = "s3cret"


KEPT: list[AgentEmail] = []


class Desk(Agent):
    initial_state = {"mails": [], "errors": []}

    async def on_email(self, email):
        assert get_current_agent().email is email
        assert get_current_agent().agent is self
        self.set_state(
            {**self.state, "mails": [*self.state["mails"], [email.from_, email.to, email.subject, email.text]]}
        )
        command, _, rest = (email.text or "").strip().partition(" ")
        act = getattr(self, f"do_{command}", None)
        if act is not None:
            await act(email, rest)

    async def do_reply(self, email, rest):
        await self.reply_to_email(email, from_name="Désk", body=f"You said: {rest}", headers={"X-Ticket": "7"})

    async def do_dict(self, email, rest):
        await self.reply_to_email({"to": email.from_, "subject": "Sure", "text": rest})

    async def do_sign(self, email, rest):
        await self.reply_to_email(email, body=rest, secret=SECRET)

    async def do_unsigned(self, email, rest):
        await self.reply_to_email(email, body=rest, secret=None)

    async def do_twice(self, email, rest):
        await self.reply_to_email(email, body="one")
        try:
            await self.reply_to_email(email, body="two")
        except RemoteError as error:
            self.set_state({**self.state, "errors": [str(error)]})

    async def do_both(self, email, rest):
        await asyncio.gather(self.reply_to_email(email, body="one"), email.forward("boss@example.com"))

    async def do_forward(self, email, rest):
        await email.forward(rest, {"X-Note": "please"})

    async def do_reject(self, email, rest):
        email.set_reject(f"no\r\n{rest}")

    async def do_fail(self, email, rest):
        raise ValueError("broken")

    async def do_send(self, email, rest):
        result = await self.send_email(
            self.env.EMAIL, to=[rest, "Grace <grace@example.com>"], from_={"email": "desk@example.org", "name": "Désk"},
            subject="News", text="text", html="<b>html</b>", cc="c@example.com", bcc=["b@example.com"],
            reply_to="answers@example.org", in_reply_to="<before@x>", headers={"X-Tag": "t"}, secret=SECRET,
        )  # fmt: skip
        self.set_state({**self.state, "sent": result})

    async def do_raw(self, email, rest):
        assert await email.get_raw()
        assert email.headers["X-Custom"] == "yes"
        self.set_state({**self.state, "size": email.raw_size, "id": email.message_id})

    async def do_inject(self, email, rest):
        await self.reply_to_email(email, body="x", subject="a\r\nBcc: eve@evil.example")

    async def do_keep(self, email, rest):
        KEPT[:] = [email]

    async def on_error(self, error):
        self.set_state({**self.state, "errors": [*self.state["errors"], str(error)]})


class Quiet(Agent):
    """Has no hook for mails."""


class Default(WorkerEntrypoint):
    resolver = create_address_based_email_resolver("desk")

    async def email(self, message):
        secure = await route_to(message, self.env, create_secure_reply_email_resolver(SECRET))
        if not secure:
            await route_agent_email(message, self.env, create_address_based_email_resolver("desk"))


async def route_to(message, env, resolver):
    missed = []
    await route_agent_email(message, env, resolver, on_no_route=missed.append)
    return not missed


@pytest.fixture
def desk(runtime):
    runtime.bind(Desk)
    runtime.bind(Quiet)
    runtime.serve(Default)
    runtime.bind_email("EMAIL")
    return runtime.get(Desk, "front")


def of(sent):
    return email.message_from_bytes(sent.raw, policy=email.policy.default)


async def test_a_mail_comes_to_the_agent_its_address_names(runtime, desk):
    assert (await runtime.email("desk+front@example.org", subject="Hi", text="there")).rejected is None
    await runtime.email("other@example.org", from_="bob@example.com", subject="Hi", text="you")
    assert (await desk.state)["mails"] == [["ada@example.com", "desk+front@example.org", "Hi", "there\n"]]
    assert (await runtime.get(Desk, "other").state)["mails"] == [
        ["bob@example.com", "other@example.org", "Hi", "you\n"]
    ]


async def test_an_answer_is_threaded_named_and_marked_as_automatic(runtime, desk):
    headers = {"Message-ID": "<2@x>", "References": "<0@x> <1@x>", "In-Reply-To": "<1@x>"}
    delivery = await runtime.email("desk+front@example.org", subject="Hi", text="reply hello", headers=headers)
    mail = of(delivery.reply)
    assert delivery.reply.to == ("ada@example.com",)
    assert mail["from"] == "Désk <desk+front@example.org>"
    assert mail["to"] == "ada@example.com"
    assert mail["subject"] == "Re: Hi"
    assert mail["in-reply-to"] == "<2@x>"
    assert mail["references"] == "<0@x> <1@x> <2@x>"
    assert mail["auto-submitted"] == "auto-replied"
    assert mail["x-agent-name"] == "desk"
    assert mail["x-agent-id"] == "front"
    assert mail["x-agent-sig"] is None
    assert mail["x-ticket"] == "7"
    assert mail.get_content().strip() == "You said: hello"


async def test_each_answer_has_an_id_of_its_own(runtime, desk):
    answers = [await runtime.email("desk+front@example.org", text="reply x") for _ in range(3)]
    assert len({of(answer.reply)["message-id"] for answer in answers}) == 3


async def test_the_dict_form_answers_the_mail_being_handled(runtime, desk):
    mail = of((await runtime.email(desk, subject="Hi", text="dict of course")).reply)
    assert (mail["subject"], mail["to"], mail.get_content().strip()) == ("Sure", "ada@example.com", "of course")


async def test_the_dict_form_needs_a_mail_and_its_sender(runtime, desk):
    with pytest.raises(RemoteError, match="no mail is being handled"):
        await desk.call("reply_to_email", {"text": "x"})

    runtime.expect_errors()

    class Wrong(Agent):
        async def on_email(self, email):
            await self.reply_to_email({"to": "eve@evil.example", "text": "x"})

    with pytest.raises(RemoteError, match="only that address can be answered"):
        await runtime.email(runtime.get(Wrong, "a"), text="x")
    assert runtime.outbox == []


async def test_a_signed_answer_brings_the_next_mail_back(runtime, desk):
    first = of((await runtime.email("desk+front@example.org", text="sign hello")).reply)
    echoed = {name: first[name] for name in first if name.lower().startswith("x-agent")}
    for headers in (echoed, {"In-Reply-To": first["message-id"], "References": f"<1@x> {first['message-id']}"}):
        await runtime.email("any@example.org", subject="Re", text="thanks", headers=headers)
    assert [mail[1] for mail in (await desk.state)["mails"]] == [
        "desk+front@example.org",
        "any@example.org",
        "any@example.org",
    ]
    with pytest.raises(RemoteError, match="secret"):
        await runtime.email("any@example.org", text="reply x", headers=echoed)
    assert of((await runtime.email("any@example.org", text="sign again", headers=echoed)).reply)["x-agent-sig"]
    assert of((await runtime.email("any@example.org", text="unsigned x", headers=echoed)).reply)["x-agent-sig"] is None


async def test_a_signature_expires(runtime, desk):
    first = of((await runtime.email("desk+front@example.org", text="sign hello")).reply)
    headers = {"In-Reply-To": first["message-id"]}
    await runtime.advance(days=30, seconds=1)
    await runtime.email("any@example.org", text="late", headers=headers)
    assert len((await desk.state)["mails"]) == 1, "it went to the agent `any` instead"


@pytest.mark.parametrize(
    "forgery",
    [("X-Agent-ID", "boss"), ("X-Agent-Sig", "AAAA"), ("X-Agent-Sig-Ts", "1767225601"), ("X-Agent-Name", "quiet")],
)
async def test_a_forged_signature_leads_nowhere(runtime, desk, forgery):
    first = of((await runtime.email("desk+front@example.org", text="sign hello")).reply)
    headers = {name: first[name] for name in first if name.lower().startswith("x-agent")}
    name, value = forgery
    headers = {key: value if key.lower() == name.lower() else old for key, old in headers.items()}
    await runtime.email("stranger@example.org", text="let me in", headers=headers)
    assert len((await desk.state)["mails"]) == 1
    assert (await runtime.get(Desk, "boss").state)["mails"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"X-Auto-Response-Suppress": "All"},
        {"Auto-Submitted": "auto-generated"},
    ],
)
async def test_machines_are_not_answered(runtime, desk, headers):
    delivery = await runtime.email("desk+front@example.org", text="reply hello", headers=headers)
    assert delivery.replies == ()
    assert len((await desk.state)["mails"]) == 1, "the mail itself is handled"


async def test_two_agents_do_not_answer_each_other_for_ever(runtime, desk):
    delivery = await runtime.email("desk+one@example.org", from_="desk+two@example.org", text="reply hello")
    again = await runtime.email("desk+two@example.org", from_="desk+one@example.org", raw=delivery.reply.raw)
    assert again.replies == ()


async def test_a_second_answer_is_refused_and_the_agent_told(runtime, desk):
    delivery = await runtime.email(desk, text="twice")
    assert len(delivery.replies) == 1
    assert (await desk.state)["errors"] == ["the mail was answered already"]


async def test_actions_at_the_same_time_are_done_one_after_the_other(runtime, desk):
    delivery = await runtime.email(desk, text="both")
    assert (len(delivery.replies), len(delivery.forwards)) == (1, 1)


async def test_what_nobody_waited_for_is_done_before_the_mail_is(runtime):
    class Hasty(Agent):
        async def on_email(self, email):
            self.tasks_of_mine = [asyncio.ensure_future(email.forward(f"{n}@example.com")) for n in range(3)]
            await asyncio.sleep(0)

    delivery = await runtime.email(runtime.get(Hasty, "a"), text="x")
    assert [forward.to for forward in delivery.forwards] == [(f"{n}@example.com",) for n in range(3)]


async def test_the_hook_may_be_plain(runtime):
    class Plain(Agent):
        initial_state = {"subjects": []}

        def on_email(self, email):
            self.set_state({"subjects": [*self.state["subjects"], email.subject]})

    await runtime.email(runtime.get(Plain, "a"), subject="Hi")
    assert (await runtime.get(Plain, "a").state)["subjects"] == ["Hi"]


async def test_a_bounce_has_nobody_to_answer(runtime, desk):
    assert (await runtime.email(desk, from_="<>", raw="Message-ID: <1@x>\r\n\r\nreply x")).replies == ()


async def test_a_mail_is_passed_on_with_notes_and_known_when_it_comes_back(runtime, desk):
    [forward] = (await runtime.email("desk+front@example.org", text="forward boss@example.com")).forwards
    mail = of(forward)
    assert forward.to == ("boss@example.com",)
    assert mail["x-note"] == "please"
    assert mail.get_content().strip() == "forward boss@example.com"
    back = await runtime.email("desk+front@example.org", raw=forward.raw)
    assert "forwarded from here" in back.rejected
    assert len((await desk.state)["mails"]) == 1


@pytest.mark.parametrize(
    ("where", "problem"),
    [("desk+front@example.org", "circles"), ("nowhere", "no e-mail address"), ("a@b\tc", "no e-mail address")],
)
async def test_what_cannot_be_passed_on(runtime, desk, where, problem):
    with pytest.raises(RemoteError, match=problem):
        await runtime.email("desk+front@example.org", text=f"forward {where}")
    assert runtime.outbox == []


async def test_a_refusal_is_told_to_the_sender(runtime, desk):
    assert (await runtime.email(desk, text="reject way")).rejected == "no  way"


async def test_a_failure_is_reported_and_the_mail_not_acknowledged(runtime, desk):
    with pytest.raises(RemoteError, match="ValueError: broken"):
        await runtime.email(desk, text="fail")
    state = await desk.state
    assert state["errors"] == ["broken"]
    assert len(state["mails"]) == 1, "what was written before the failure stays; the same mail may come again"


async def test_a_line_break_in_a_header_is_refused(runtime, desk):
    with pytest.raises(RemoteError, match=r"InvalidMail: subject has a line break"):
        await runtime.email(desk, text="inject")
    assert runtime.outbox == []


async def test_an_agents_name_cannot_break_out_of_its_header(runtime, desk):
    evil = runtime.get(Desk, "x\r\nBcc: eve@evil.example")
    mail = of((await runtime.email(evil, text="reply hello")).reply)
    assert mail["bcc"] is None
    assert mail["x-agent-id"] is None
    with pytest.raises(RemoteError, match=r"cannot stand in a header|has a colon"):
        await runtime.email(evil, text="sign hello")


async def test_what_a_mail_holds(runtime, desk):
    await runtime.email(desk, text="raw", headers={"X-Custom": "yes", "Message-ID": "<77@x>"})
    state = await desk.state
    assert state["id"] == "<77@x>"
    assert state["size"] > 100


async def test_a_mail_of_its_own(runtime, desk):
    await runtime.email(desk, text="send ada@example.com")
    [sent] = runtime.outbox
    mail = of(sent)
    assert sent.kind == "send"
    assert sent.from_ == "desk@example.org"
    assert sent.to == ("ada@example.com", "grace@example.com", "c@example.com", "b@example.com")
    assert mail["from"].addresses[0].display_name == "Désk"
    assert mail["bcc"] is None
    assert mail["cc"] == "c@example.com"
    assert mail["reply-to"] == "answers@example.org"
    assert mail["in-reply-to"] == "<before@x>"
    assert mail["x-tag"] == "t"
    assert mail["x-agent-sig"]
    assert mail.get_body(("html",)).get_content().strip() == "<b>html</b>"
    assert (await desk.state)["sent"] == {"messageId": mail["message-id"]}
    await runtime.email("any@example.org", text="thanks", headers={"In-Reply-To": mail["message-id"]})
    assert (await desk.state)["mails"][-1][3] == "thanks\n", "an answer to it finds the agent"


async def test_sending_needs_a_binding_and_an_address(runtime, desk):
    async def without(agent):
        await agent.send_email(None, to="a@b", from_="c@d", subject="s", text="t")

    async def nobody(agent):
        await agent.send_email(agent.env.EMAIL, to=[], from_="c@d", subject="s", text="t")

    async def reserved(agent):
        await agent.send_email(agent.env.EMAIL, to="a@b", from_="c@d", subject="s", text="t", headers={"Bcc": "e@f"})

    for work, problem in ((without, "needs the binding"), (nobody, "to must have"), (reserved, "header Bcc")):
        with pytest.raises(UsageError, match=problem):
            await runtime.run_in_agent(desk, work)
    assert runtime.outbox == []


async def test_an_agent_without_a_hook_drops_mails(runtime, desk, caplog):
    await runtime.email(runtime.get(Quiet, "a"), subject="Hi\x1b[31m", text="x", raw="Subject: Hi\x1b[31m\r\n\r\nx")
    assert "Quiet has no on_email; a mail from 'ada@example.com' is dropped: 'Hi [31m'" in caplog.text


async def test_unknown_agents_and_addresses(runtime, desk, caplog):
    with pytest.raises(UsageError, match=r"nobody.*this worker has Desk, Quiet"):
        await runtime.email("nobody+x@example.org", text="x")
    await runtime.email("+x@example.org", text="x")
    assert "the resolver returned None, so it is dropped" in caplog.text


async def test_a_worker_without_a_handler_says_so(runtime):
    with pytest.raises(UsageError, match=r"async def email\(self, message\)"):
        await runtime.email("desk@example.org", text="x")


async def test_too_large_and_too_far_travelled_mails_are_refused_unread(runtime, desk):
    huge = await runtime.email(desk, raw=b"Message-ID: <1@x>\r\n\r\n" + b"x" * (25 * 1024 * 1024))
    assert "are taken" in huge.rejected
    assert "hops" in (await runtime.email(desk, raw="Received: x\r\n" * 101 + "\r\nx")).rejected
    assert (await desk.state)["mails"] == []


async def test_a_bomb_is_an_error_of_that_mail_alone(runtime, desk):
    bomb = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(300))
    with pytest.raises(RemoteError, match="MailTooComplex"):
        await runtime.email(desk, raw=bomb)
    await runtime.email(desk, text="fine")
    assert [mail[3] for mail in (await desk.state)["mails"]] == ["fine\n"]


async def test_a_mail_is_over_when_the_hook_has_returned(runtime, desk):
    await runtime.email(desk, text="keep")
    with pytest.raises(UsageError, match="on_email has returned"):
        await KEPT[0].forward("boss@example.com")
    with pytest.raises(UsageError, match="on_email has returned"):
        KEPT[0].set_reject("late")
    assert not runtime._engine.host.is_live(desk.object_id) or await evictable(runtime, desk)


async def evictable(runtime, handle):
    await runtime.settle()
    await runtime.evict(handle)
    return True


async def test_nothing_holds_the_agent_after_a_mail(runtime, desk):
    await runtime.email(desk, text="reply x")
    assert await evictable(runtime, desk)


async def test_an_agent_forgets_a_worker_that_is_gone(runtime, desk):
    host = await runtime._engine.started()
    stub = host.env.Desk.getByName("front")
    given = {
        "from": "ada@example.com",
        "to": "desk@example.org",
        "headers": [["Message-ID", "<1@x>"]],
        "raw": b"\r\n\r\nreply x",
        "agent": "desk",
    }
    asked = await stub.cf_agents_internal("email", given)
    assert asked["ask"]["action"] == "reply"
    await runtime.advance(seconds=61)
    assert (await desk.state)["errors"] == ["the worker that received the mail did not answer within 60 s"]
    for exchange in (asked["exchange"], "nonsense"):
        with pytest.raises(Exception, match="is to be sent again"):
            await stub.cf_agents_internal("email", {"exchange": exchange, "result": None})
    assert await evictable(runtime, desk)


async def test_events(runtime, desk):
    seen = []
    stop = subscribe("email", lambda event: seen.append((event.type, dict(event.payload))))
    try:
        await runtime.email("desk+front@example.org", subject="Hi", text="reply x")
        await runtime.email(desk, text="send ada@example.com")
    finally:
        stop()
    assert seen[0] == ("email:receive", {"from": "ada@example.com", "to": "desk+front@example.org", "subject": "Hi"})
    assert seen[1] == ("email:reply", {"from": "desk+front@example.org", "to": "ada@example.com", "subject": "Hi"})
    assert seen[-1][0] == "email:send"
    assert seen[-1][1]["subject"] == "News"


async def test_ones_own_resolver_may_wait_and_say_it_in_a_dict(runtime):
    async def resolver(mail, env):
        await asyncio.sleep(0)
        return {"agentName": "Desk", "agentId": mail.from_.partition("@")[0]}

    async def on_email(message, env, ctx):
        await route_agent_email(message, env, resolver)

    runtime.bind(Desk)
    (await runtime._engine.started()).mail.handler = on_email
    await runtime.email("x@example.org", text="hi")
    assert len((await runtime.get(Desk, "ada").state)["mails"]) == 1


async def test_catch_all_and_ids_in_answers(runtime, desk):
    class AllIn(WorkerEntrypoint):
        async def email(self, message):
            await route_agent_email(message, self.env, create_catch_all_email_resolver("Desk", "front"))

    runtime.serve(AllIn)
    mail = of((await runtime.email("whoever@example.org", raw="Subject: x\r\n\r\nreply there")).reply)
    assert mail["in-reply-to"] is None, "the mail had no id to answer to"
    assert len(message_ids(mail["message-id"])) == 1
