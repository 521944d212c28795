"""The outbox: kept on disk before it counts, listed in order, read by anybody."""

import email
import json
from typing import Any

import pytest

from agents_runtime.errors import StorageError
from agents_runtime.local.mail.ledger import Ledger
from agents_runtime.local.mail.outbox import DiskOutbox, MemoryOutbox, SentMail, changed


def mail(number=1, status: Any = "kept"):
    raw = f"Subject: =?utf-8?q?n=C2=BA?= {number}\r\n\r\nHallo {number}\r\n".encode()
    return SentMail(f"{1_760_000_000_000 + number:013d}-abcdefghij", "send", "a@b", ("c@d", "e@f"), number, raw, status)


@pytest.fixture(params=["memory", "disk"])
def outbox(request, tmp_path):
    return MemoryOutbox() if request.param == "memory" else DiskOutbox(tmp_path / "data" / "outbox")


def test_what_is_added_is_listed_in_order_and_found(outbox):
    assert outbox.all() == []
    for number in (3, 1, 2):
        outbox.add(mail(number))
    assert outbox.all() == [mail(1), mail(2), mail(3)]
    assert outbox.get(mail(2).id) == mail(2)
    assert outbox.get("1760000000009-abcdefghij") is None
    assert (mail(2).subject, mail(2).text) == ("nº 2", "Hallo 2\n")


def test_what_becomes_of_a_mail(outbox):
    outbox.add(mail(1, "waiting"))
    outbox.update(changed(mail(1, "waiting"), "failed", "nobody there"))
    [after] = outbox.all()
    assert (after.status, after.attempts, after.problem) == ("failed", 1, "nobody there")


def test_clearing_keeps_what_waits(outbox):
    for number, status in enumerate(["kept", "waiting", "sent", "failed"]):
        outbox.add(mail(number, status))
    assert outbox.clear() == 3
    assert [one.status for one in outbox.all()] == ["waiting"]


def bounded(kind, folder, ledger):
    return MemoryOutbox(ledger) if kind == "memory" else DiskOutbox(folder, ledger=ledger)


@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("limits", [(3, 10_000), (1_000, 3 * len(mail().raw))], ids=["mails", "bytes"])
def test_the_oldest_go_that_wait_for_nothing(kind, limits, tmp_path):
    outbox = bounded(kind, tmp_path, Ledger(*limits))
    outbox.add(mail(1, "waiting"))
    for number in range(2, 6):
        outbox.add(mail(number))
    assert outbox.all() == [mail(1, "waiting"), mail(4), mail(5)]
    assert outbox.all(newest=1) == [mail(5)]
    assert outbox.waiting() == [mail(1, "waiting")]
    outbox.update(changed(mail(1, "waiting"), "sent"))
    assert outbox.waiting() == []


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_those_that_wait_never_go_and_no_more_come_in(kind, tmp_path):
    outbox = bounded(kind, tmp_path, Ledger(2))
    outbox.add(mail(1, "waiting"))
    outbox.add(mail(2, "waiting"))
    with pytest.raises(StorageError, match="the outbox is full: 2 mails wait"):
        outbox.add(mail(3))
    assert [one.id for one in outbox.all()] == [mail(1).id, mail(2).id]
    outbox.update(changed(mail(1, "waiting"), "failed"))
    outbox.add(mail(3))
    assert [one.id for one in outbox.all()] == [mail(2).id, mail(3).id]


def test_what_is_on_disk_is_counted_by_the_next_process(tmp_path):
    before = DiskOutbox(tmp_path)
    for number in range(4):
        before.add(mail(number, "waiting" if number == 1 else "kept"))
    (tmp_path / f".{mail(9).id}.123").write_bytes(b"half a")
    (tmp_path / ".keep").touch()
    (tmp_path / "1760000000007-abcdefghij.eml").write_bytes(b"no mail of ours")
    outbox = DiskOutbox(tmp_path, ledger=Ledger(3))
    assert outbox.waiting() == [mail(1, "waiting")]
    outbox.add(mail(5))
    assert outbox.all() == [mail(1, "waiting"), mail(3), mail(5)]
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".keep"], "what a crash left of a mail is gone"


def test_a_listener_hears_of_each(outbox):
    heard = []
    outbox.on_added = heard.append
    outbox.add(mail())
    assert heard == [mail()]


def test_the_files_are_plain(tmp_path):
    outbox = DiskOutbox(tmp_path)
    outbox.add(mail())
    [eml] = tmp_path.iterdir()
    message = email.message_from_bytes(eml.read_bytes())
    assert message["subject"]
    assert json.loads(message["x-agents-outbox"])["to"] == ["c@d", "e@f"]


def test_half_a_mail_does_not_count(tmp_path):
    outbox = DiskOutbox(tmp_path)
    outbox.add(mail(1))
    (tmp_path / f".{mail(2).id}.1").write_bytes(b"X-Agents-Outbox: {")
    assert outbox.all() == [mail(1)]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}'])
def test_a_damaged_envelope_hides_its_mail_alone(tmp_path, content, caplog):
    outbox = DiskOutbox(tmp_path)
    outbox.add(mail(1))
    outbox.add(mail(2))
    (tmp_path / f"{mail(1).id}.eml").write_text(f"X-Agents-Outbox: {content}\r\nSubject: x\r\n\r\n")
    assert outbox.all() == [mail(2)]
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("mail_id", ["../secret", "..", "", "1760000000001-abc/../../x", "1760000000001-abcdefghij\0"])
def test_an_id_leads_to_no_other_file(tmp_path, mail_id):
    (tmp_path / "secret.eml").write_text("x")
    assert DiskOutbox(tmp_path / "outbox").get(mail_id) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(StorageError, match="so it is not sent"):
        DiskOutbox(tmp_path / "outbox").add(mail())
