"""What is a call, by the letter of the protocol."""

from __future__ import annotations

import pytest

from agents_runtime.rpc.dispatch import decode_call


def test_a_call():
    call = decode_call({"type": "rpc", "id": "1", "method": "m", "args": [1], "more": True})
    assert call == ("1", "m", [1])


@pytest.mark.parametrize(
    "change", [{"id": 1}, {"id": None}, {"method": 5}, {"method": None}, {"args": {}}, {"args": None}, {"args": "x"}]
)
def test_not_a_call(change):
    frame = {"type": "rpc", "id": "1", "method": "m", "args": [], **change}
    assert decode_call(frame) is None
    [key] = change
    del frame[key]
    assert decode_call(frame) is None
