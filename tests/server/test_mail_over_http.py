"""Mails over HTTP, the outbox, and the command that lists it, against the real command line."""

import json
import os
import subprocess
import sys

import pytest

from tests.server.serving import ROOT, make_project, server

ENTRY = """
from agents_runtime import Agent, create_address_based_email_resolver, route_agent_email, route_agent_request
from workers import Response, WorkerEntrypoint


class Desk(Agent):
    initial_state = {"mails": []}

    async def on_email(self, email):
        if email.subject == "reject":
            return email.set_reject("not today")
        if email.subject == "fail":
            raise ValueError("secret detail")
        self.set_state({"mails": [*self.state["mails"], [email.subject, email.raw_size]]})
        await self.reply_to_email(email, from_name="Desk", body="Noted.")
        await self.send_email(self.env.EMAIL, to="boss@example.com", from_="desk@example.org", subject="FYI", text="x")

    def on_request(self, request):
        return Response.from_json(self.state)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)

    async def email(self, message):
        await route_agent_email(message, self.env, create_address_based_email_resolver("desk"))
"""
BINDINGS = {
    "durable_objects": {"bindings": [{"name": "Desk", "class_name": "Desk"}]},
    "migrations": [{"tag": "v1", "new_sqlite_classes": ["Desk"]}],
    "send_email": [{"name": "EMAIL", "allowed_destination_addresses": ["boss@example.com"]}],
}
PATH = "/cdn-cgi/handler/email?from=ada@example.com&to=desk%2Bfront@example.org"
MAIL = "From: ada@example.com\r\nSubject: {}\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("project"), ENTRY, **BINDINGS)


@pytest.fixture(scope="module")
def dev(project):
    with server(project, "--no-reload", "--data", "dev-data", mode="dev") as running:
        yield running


def post(running, subject="Hi", path=PATH, raw=None, **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return running.request(path, "POST", (raw or MAIL.format(subject)).encode(), given)


def outbox(project, *arguments, data="dev-data"):
    command = [sys.executable, "-m", "agents_runtime.local.cli", "outbox", "--data", data, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=30, env=environment, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_mail_is_taken_answered_and_listed(project, dev):
    assert post(dev) == (200, "The worker has taken the mail.\n")
    assert json.loads(dev.request("/agents/desk/front")[1])["mails"][0][0] == "Hi"
    _, listed = dev.request("/cdn-cgi/outbox")
    sent = {mail["kind"]: mail for mail in json.loads(listed)}
    assert sent["reply"]["to"] == ["ada@example.com"]
    assert sent["reply"]["subject"] == "Re: Hi"
    assert sent["send"]["to"] == ["boss@example.com"]
    status, raw = dev.request(f"/cdn-cgi/outbox/{sent['reply']['id']}")
    assert status == 200
    assert "In-Reply-To: <1@example.com>" in raw
    code, text = outbox(project)
    assert code == 0
    assert f"{sent['reply']['id']}  " in text
    assert "reply    desk+front@example.org -> ada@example.com  Re: Hi" in text
    code, shown = outbox(project, sent["reply"]["id"])
    assert code == 0
    assert "In-Reply-To: <1@example.com>" in shown
    code, text = outbox(project, "nonsense")
    assert code == 1
    assert "there is no mail 'nonsense'" in text


@pytest.mark.parametrize(
    ("path", "raw", "problem"),
    [
        ("/cdn-cgi/handler/email", None, "?from=ada@example.com&to="),
        ("/cdn-cgi/handler/email?from=ada@example.com", None, "?from=ada@example.com&to="),
        ("/cdn-cgi/handler/email?from=ada@example.com&to=a%0d%0ab@c", None, "no e-mail address"),
        (PATH, "Subject: x\r\n\r\nno id", "no Message-ID"),
        (PATH, "Message-ID: rubbish\r\n\r\nx", "no Message-ID"),
        (PATH, MAIL.format("reject"), "The worker refused the mail: not today"),
    ],
)
def test_what_is_wrong_with_a_mail(dev, path, raw, problem):
    status, text = post(dev, path=path, raw=raw)
    assert status == 400
    assert problem in text


def test_an_empty_or_huge_mail(dev):
    assert dev.request(PATH, "POST")[0] == 400
    status, text = dev.request(PATH, "POST", b"Message-ID: <1@x>\r\n\r\n" + b"x" * (26 * 1024 * 1024), wait_s=30)
    assert (status, "more than 26,214,400 bytes" in text) == (400, True)


def test_a_failing_handler_is_no_acknowledgement(dev):
    assert post(dev, "fail")[0] == 500


def test_other_methods(dev):
    assert dev.request(PATH)[0] == 405
    assert dev.request("/cdn-cgi/outbox", "POST", b"x")[0] == 405
    assert dev.request("/cdn-cgi/outbox/../x")[0] == 404
    assert dev.request("/cdn-cgi/other")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8787", "Origin": "http://evil.example:8787"},
    ],
)
def test_pages_of_other_sites_bring_no_mail(dev, headers):
    assert post(dev, **headers)[0] == 404
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    assert dev.request("/cdn-cgi/outbox", headers=given)[0] == 404


def test_the_own_page_may(dev):
    host = f"127.0.0.1:{dev.port}"
    assert post(dev, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")[0] == 200


def test_in_production_there_is_a_token_or_nothing(project):
    with server(project, "--data", "closed-data") as running:
        assert post(running)[0] == 404
        assert post(running, Authorization="Bearer ")[0] == 404
        assert running.request("/cdn-cgi/outbox")[0] == 404
    with server(project, "--data", "open-data", env={"AGENTS_MAIL_TOKEN": "t0ken"}) as running:
        assert post(running)[0] == 404
        assert post(running, Authorization="Bearer wrong")[0] == 404
        assert post(running, Authorization="Bearer t0ken")[0] == 200
        assert running.request("/cdn-cgi/outbox", headers={"Authorization": "Bearer t0ken"})[0] == 200
    _, text = outbox(project, data="open-data")
    assert text.count("kept") == 2
    assert outbox(project, "--clear", data="open-data") == (0, "2 mails deleted\n")
    assert outbox(project, data="open-data") == (0, "no mail was sent\n")


def test_a_wrong_smtp_url_ends_the_start_without_telling_it(project):
    from tests.server.serving import command

    with command("serve", "--port", "0", cwd=project, env={"AGENTS_SMTP_URL": "smtp://ada:secret@far.example"}) as run:
        assert run.wait() == 1
        assert "AGENTS_SMTP_URL" in run.output
        assert "secret" not in run.output


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ([{"name": "EMAIL"}, {"name": "EMAIL"}], "is bound twice"),
        ([{"name": "Desk"}], "is also a name in durable_objects.bindings"),
        ([{"name": "not a name"}], "is not a name"),
        ([{"nam": "EMAIL"}], "unknown key"),
        ([{"name": "E", "destination_address": "a@b", "allowed_destination_addresses": ["c@d"]}], "Keep one"),
    ],
)
def test_bindings_that_cannot_be(tmp_path, entry, problem):
    from agents_runtime.errors import ConfigError
    from agents_runtime.local.config import read_config

    with pytest.raises(ConfigError, match=problem):
        read_config(make_project(tmp_path, ENTRY, **{**BINDINGS, "send_email": entry}))
