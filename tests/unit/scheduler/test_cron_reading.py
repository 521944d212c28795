"""Expressions that cannot be read are refused with the place, the problem and what was meant."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import InvalidCron
from agents_runtime.scheduler.cron import is_cron_like, parse_cron


@pytest.mark.parametrize(
    ("expression", "position", "meant"),
    [
        ("60 * * * *", 0, "0 * * * *"),
        ("0 24 * * *", 2, "0 0 * * *"),
        ("0 9 * * 5-1", 8, "0 9 * * 5,6,0,1"),
        ("0 9 * * fri-mon", 8, "0 9 * * 5,6,0,1"),
        ("0 22-2 * * *", 2, "0 22,23,0,1,2 * * *"),
        ("0 9 ? * 1", 4, "0 9 * * 1"),
        ("*/0 * * * *", 0, "* * * * *"),
        ("0 9 * * monday", 8, "0 9 * * mon"),
        ("0 9 1 January *", 6, "0 9 1 jan *"),
        ("0 9 * *", 7, "0 9 * * *"),
        ("0 0 9 * * * *", 12, "0 0 9 * * *"),
        ("@midnight", 0, "@daily"),
        ("0 9 * * 1,,2", 10, None),
        ("0 9 * * 5#3", 8, None),
        ("0 9 L * *", 4, None),
        ("0 9 1W * *", 4, None),
        ("0 9 * * 9", 8, None),
        ("H * * * *", 0, None),
        ("0 0 31 2 *", 0, None),
        ("@reboot", 0, None),
        ("1 2 3", 5, None),
        ("* " * 200, 256, None),
    ],
)
def test_a_refusal_says_where_and_what_was_meant(expression, position, meant):
    with pytest.raises(InvalidCron) as caught:
        parse_cron(expression)
    assert (caught.value.position, caught.value.meant) == (position, meant)
    if meant is not None:
        parse_cron(meant)


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(InvalidCron):
        assert parse_cron(text).next_s(0) > 0


def test_tabs_and_several_spaces_separate_fields():
    assert parse_cron(" 0\t9  * * 1 ").next_s(0) == parse_cron("0 9 * * 1").next_s(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("* * * * *", True), ("@daily", True), ("1 2 3 4", True), ("soon", False), ("next week", False)],
)
def test_what_was_meant_as_an_expression(text, expected):
    assert is_cron_like(text) is expected
