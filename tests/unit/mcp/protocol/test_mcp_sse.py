"""Event streams, written and read however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.mcp.protocol.sse import KEEPALIVE, EventTooLarge, SseDecoder, SseEvent, encode_event

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
EVENTS = st.lists(
    st.builds(
        SseEvent,
        data=st.lists(LINE, min_size=1, max_size=3).map("\n".join).filter(bool),
        event=LINE.filter(lambda text: text.strip() == text and text != ""),
        id=st.none() | LINE.filter(lambda text: text.strip() == text),
        retry_ms=st.none() | st.integers(0, 10**9),
    ),
    max_size=4,
)


@given(EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_events_come_back_however_the_stream_is_cut(events, newline, data):
    text = "".join(encode_event(e.data, event=e.event, id=e.id, retry_ms=e.retry_ms) + KEEPALIVE for e in events)
    stream = text.replace("\n", newline).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = SseDecoder()
    found = [
        event
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for event in decoder.feed(stream[start:end])
    ]
    assert found == events


def test_an_event_without_data_counts_when_it_says_where_to_go_on():
    decoder = SseDecoder()
    assert decoder.feed(b"id: s:1\nretry: 500\ndata: \n\n") == [SseEvent("", id="s:1", retry_ms=500)]
    assert decoder.feed(b"data:\n\n: comment\n\nevent: ping\n\n") == []
    assert decoder.last_event_id == "s:1"


def test_fields_of_other_kinds_are_passed_over():
    decoder = SseDecoder()
    stream = b"\xef\xbb\xbfretry: soon\nid: a\0b\nother: x\ndata\ndata: y\ndata:z\n\n"
    assert decoder.feed(stream) == [SseEvent("\ny\nz")]


def test_an_event_without_end_is_given_up():
    decoder = SseDecoder(max_event_size=1_000)
    assert decoder.feed(b"data: " + b"x" * 900) == []
    with pytest.raises(EventTooLarge) as raised:
        decoder.feed(b"x" * 200)
    assert raised.value.limit == 1_000


def test_many_small_events_are_not_too_large():
    decoder = SseDecoder(max_event_size=100)
    assert len(decoder.feed(b"data: " + b"x" * 50 + b"\n\n")) == 1
    assert len(decoder.feed((b"data: " + b"x" * 50 + b"\n\n") * 20)) == 20
