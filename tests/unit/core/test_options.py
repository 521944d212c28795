"""Options of an agent class."""

from __future__ import annotations

import pytest

from agents_runtime._core.options import AgentOptions, resolve_options
from agents_runtime.errors import DefinitionError


def classes(*options):
    cls: type = object
    for given in options:
        cls = type("Mine", (cls,), {} if given is None else {"options": given})
    return cls


def test_defaults():
    assert resolve_options(classes(None)) == (AgentOptions(), frozenset())


def test_the_nearest_class_wins_for_each_option():
    cls = classes({"debug": True, "redact_errors": True}, None, {"debug": False})
    options, given = resolve_options(cls)
    assert (options.debug, options.redact_errors) == (False, True)
    assert given == {"debug", "redact_errors"}


def test_a_list_may_stand_for_a_pair():
    assert resolve_options(classes({"ping_response": ["a", "b"]}))[0].ping_response == ("a", "b")
    assert resolve_options(classes({"ping_response": None}))[0].ping_response is None


@pytest.mark.parametrize(
    "options", [{"ping_response": ("x" * 2049, "y")}, {"ping_response": (1, 2)}, {"max_calls_per_connection": True}]
)
def test_values_of_the_wrong_kind(options):
    with pytest.raises(DefinitionError, match=r"Mine\.options\["):
        resolve_options(classes(options))
