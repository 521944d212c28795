"""Frames as JavaScript sends them."""

from __future__ import annotations

import json

import pytest

from agents_runtime._core import wire


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (
            wire.identity("a", "my-agent", state_follows=True),
            '{"type":"cf_agent_identity","name":"a","agent":"my-agent","stateFollows":true}',
        ),
        (wire.identity("a", "b", state_follows=False), '{"type":"cf_agent_identity","name":"a","agent":"b"}'),
        (wire.state_greeting("[1]"), '{"type":"cf_agent_state","state":[1]}'),
        (wire.state_update("[1]"), '{"state":[1],"type":"cf_agent_state"}'),
        (wire.state_error("no"), '{"type":"cf_agent_state_error","error":"no"}'),
        (wire.mcp_servers("{}"), '{"mcp":{},"type":"cf_agent_mcp_servers"}'),
        (wire.rpc_result("1", "null"), '{"done":true,"id":"1","result":null,"success":true,"type":"rpc"}'),
        (wire.rpc_chunk("1", "2"), '{"done":false,"id":"1","result":2,"success":true,"type":"rpc"}'),
        (wire.rpc_end("1"), '{"done":true,"id":"1","success":true,"type":"rpc"}'),
        (wire.rpc_error("1", "no"), '{"error":"no","id":"1","success":false,"type":"rpc"}'),
    ],
)
def test_frames(frame, text):
    assert frame == text


def test_texts_from_clients_are_escaped():
    frame = wire.rpc_error('"\n\ud800ü', '\\"')
    frame.encode()
    assert json.loads(frame) == {"error": '\\"', "id": '"\n\ud800ü', "success": False, "type": "rpc"}


@pytest.mark.parametrize("text", ["", "hello", "[1]", "null", "{broken", '{"a":NaN}', "  ", '"text"'])
def test_what_is_no_frame(text):
    assert wire.decode(text) is None


@pytest.mark.parametrize("text", ['{"type":"rpc"}', ' \n{"type":"rpc"} '])
def test_a_frame_is_an_object(text):
    assert wire.decode(text) == {"type": "rpc"}
