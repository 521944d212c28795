"""The test client against a scripted far end: what it sends, what it makes of what it receives, what it says."""

import asyncio
import json

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.testing import CallFailed, FrameMissing, TestClient


class Script:
    """A far end that records what it receives and answers each text frame by a function."""

    def __init__(self, answer):
        self.received = []
        self.closes = []
        self.answer = answer

    def attach(self, peer):
        self.peer = peer

    def receive(self, data):
        self.received.append(data)
        if self.answer is not None:
            for reply in self.answer(json.loads(data)):
                self.peer.send(json.dumps(reply))

    def receive_close(self, code, reason, was_clean):
        self.closes.append((code, reason, was_clean))
        if code != 4999:  # the code this far end does not answer
            self.peer.close(code, reason)


class Stage:
    expect_timeout_s = 0.05

    def describe(self):
        return "Virtual time 12:00."

    async def settle(self):
        await asyncio.sleep(0)


def connect(answer=None):
    far_end = Script(answer)
    return TestClient(far_end, label="<Counter 'a'>", world=Stage()), far_end


def send(far_end, *frames):
    for frame in frames:
        far_end.peer.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))


async def test_expect_returns_the_first_unread_frame_of_a_type():
    client, far_end = connect()
    send(far_end, {"type": "a", "n": 1}, {"type": "b"}, {"type": "a", "n": 2})
    assert (await client.expect("a"))["n"] == 1
    assert (await client.expect("a"))["n"] == 2
    assert await client.expect("b") == {"type": "b"}
    assert client.unread == []
    assert len(client.frames) == 3


async def test_expect_waits_for_a_frame_that_comes_later():
    client, far_end = connect()
    asyncio.get_running_loop().call_later(0.01, send, far_end, {"type": "late"})
    assert await client.expect("late") == {"type": "late"}


async def test_expect_takes_a_function_and_skips_frames_it_cannot_look_at():
    client, far_end = connect()
    send(far_end, "plain text", b"\x00", [1, 2], {"type": "a"}, {"state": {"count": 3}})
    assert await client.expect(lambda frame: frame["state"]["count"] == 3) == {"state": {"count": 3}}
    assert client.unread == ["plain text", b"\x00", "[1, 2]", {"type": "a"}]


async def test_a_missing_frame_tells_what_was_seen_and_when():
    client, far_end = connect()
    send(far_end, {"type": "cf_agent_identity", "name": "a", "agent": "counter"}, "hello", b"\x01")
    await client.expect("cf_agent_identity")
    with pytest.raises(FrameMissing) as failure:
        await client.expect("cf_agent_state")
    text = str(failure.value)
    assert "Waited 0.05 s for a frame of type 'cf_agent_state'" in text
    assert "Client of <Counter 'a'>" in text
    assert '* 1 {"type":"cf_agent_identity","name":"a","agent":"counter"}' in " ".join(text.split())
    assert "2 'hello'" in text
    assert "b'\\x01'" in text
    assert text.endswith("Virtual time 12:00.")


async def test_a_missing_frame_names_the_function_that_was_not_satisfied():
    client, _ = connect()

    def has_three_players(frame):
        return len(frame["state"]["players"]) == 3

    with pytest.raises(
        FrameMissing, match=r"has_three_players \(.*test_test_client\.py:\d+\)(.|\n)*No frame has arrived"
    ):
        await client.expect(has_three_players)


async def test_long_frames_and_long_lists_are_shortened_in_messages():
    client, far_end = connect()
    for number in range(100):
        send(far_end, {"type": "bulk", "number": number, "text": "x" * 1000})
    with pytest.raises(FrameMissing) as failure:
        await client.expect("other")
    text = str(failure.value)
    assert "100 in all" in text
    assert "70 earlier ones" in text
    assert len(text) < 30 * 400


async def test_waiting_ends_when_the_connection_does():
    client, far_end = connect()
    asyncio.get_running_loop().call_later(0.01, far_end.peer.close, 1011, "oh")
    with pytest.raises(FrameMissing, match=r"connection ended before(.|\n)*\(1011, 'oh'\)"):
        await client.expect("anything", timeout_s=5)


async def test_call_sends_what_the_js_client_sends_and_returns_the_result():
    client, far_end = connect(
        lambda frame: [{"type": "rpc", "id": frame["id"], "success": True, "done": True, "result": sum(frame["args"])}]
    )
    assert await client.call("add", 1, 2) == 3
    assert await client.call("add", 3, 4) == 7
    sent = [json.loads(frame) for frame in far_end.received]
    assert sent[0] == {"type": "rpc", "id": sent[0]["id"], "method": "add", "args": [1, 2]}
    assert sent[0]["id"] != sent[1]["id"]
    assert client.unread == []


async def test_a_result_that_is_absent_is_none():
    client, _ = connect(lambda frame: [{"type": "rpc", "id": frame["id"], "success": True, "done": True}])
    assert await client.call("nothing") is None


async def test_an_answer_without_done_counts_as_the_result():
    client, _ = connect(lambda frame: [{"type": "rpc", "id": frame["id"], "success": True, "result": 1}])
    assert await client.call("old_server") == 1


async def test_call_raises_what_the_agent_answered():
    client, _ = connect(lambda frame: [{"type": "rpc", "id": frame["id"], "success": False, "error": "kaboom"}])
    with pytest.raises(CallFailed, match=r"^kaboom$"):
        await client.call("explode")


async def test_an_unanswered_call_names_the_method():
    client, _ = connect()
    with pytest.raises(FrameMissing, match=r"Waited 0.02 s for an answer to lost\(\)"):
        await client.call("lost", timeout_s=0.02)


async def test_calls_in_flight_get_their_own_answers():
    client, far_end = connect()
    slow, quick = asyncio.ensure_future(client.call("slow")), asyncio.ensure_future(client.call("quick"))
    await asyncio.sleep(0)
    first, second = (json.loads(frame)["id"] for frame in far_end.received)
    send(far_end, {"type": "rpc", "id": second, "success": True, "done": True, "result": "quick"})
    send(far_end, {"type": "rpc", "id": first, "success": True, "done": True, "result": "slow"})
    assert (await slow, await quick) == ("slow", "quick")


async def test_a_stream_gives_chunks_then_the_final_value():
    def count(frame):
        for number in range(frame["args"][0]):
            yield {"type": "rpc", "id": frame["id"], "success": True, "done": False, "result": number}
        yield {"type": "rpc", "id": frame["id"], "success": True, "done": True, "result": "end"}

    client, _ = connect(count)
    stream = client.stream("count", 3)
    assert [chunk async for chunk in stream] == [0, 1, 2]
    assert stream.result == "end"
    assert [chunk async for chunk in stream] == []


async def test_a_stream_that_fails_raises_after_its_chunks():
    client, _ = connect(
        lambda frame: [
            {"type": "rpc", "id": frame["id"], "success": True, "done": False, "result": 1},
            {"type": "rpc", "id": frame["id"], "success": False, "error": "soft"},
        ]
    )
    stream = client.stream("broken")
    assert await anext(stream) == 1
    with pytest.raises(CallFailed, match="soft"):
        await anext(stream)


async def test_identity_and_state_follow_the_agent():
    client, far_end = connect()
    assert (client.identified, client.agent, client.name, client.state) == (False, None, None, None)
    send(far_end, {"type": "cf_agent_identity", "name": "r1", "agent": "basic", "stateFollows": True})
    send(far_end, {"type": "cf_agent_state", "state": {"count": 1}})
    assert (client.identified, client.agent, client.name, client.state) == (True, "basic", "r1", {"count": 1})


async def test_set_state_sends_the_frame_and_changes_the_local_copy_at_once():
    client, far_end = connect()
    await client.set_state({"count": 5, "ü": None})
    assert far_end.received == ['{"type":"cf_agent_state","state":{"count":5,"ü":null}}']
    assert client.state == {"count": 5, "ü": None}


async def test_send_takes_text_bytes_and_mappings():
    client, far_end = connect()
    await client.send("hé")
    await client.send(b"\x00\x01")
    await client.send({"type": "chat", "text": "hi"})
    assert far_end.received == ["hé", b"\x00\x01", '{"type":"chat","text":"hi"}']


async def test_closing_waits_for_the_answer_and_can_be_repeated():
    client, far_end = connect()
    assert await client.close(4001, "bye") == (4001, "bye")
    assert await client.close() == (4001, "bye")
    assert far_end.closes == [(4001, "bye", True)]
    with pytest.raises(UsageError, match="was closed"):
        await client.send("late")
    with pytest.raises(UsageError, match="was closed"):
        await client.call("late")


async def test_a_close_that_the_object_does_not_answer_is_answered_by_the_network():
    client, _ = connect()
    assert await client.close(4999, "silence") == (4999, "silence")


async def test_an_agents_close_is_answered_and_seen():
    client, far_end = connect()
    far_end.peer.close(1001, "gone")
    assert client.closed == (1001, "gone")
    assert await client.wait_closed() == (1001, "gone")
    assert far_end.closes == [(1001, "gone", True)]


async def test_a_dropped_connection_is_not_answered():
    client, far_end = connect()
    far_end.peer.close(1006, "")
    assert client.closed == (1006, "")
    assert far_end.closes == []


async def test_vanishing_is_a_close_the_agent_did_not_get_a_frame_for():
    client, far_end = connect()
    client.vanish()
    assert client.closed == (1006, "")
    assert far_end.closes == [(1006, "", False)]


async def test_leaving_a_with_block_closes():
    client, far_end = connect()
    async with client:
        assert client.closed is None
    assert far_end.closes == [(1000, "", True)]
