"""Mistakes in an Agent class: found when it is defined, each with the line to change."""

from __future__ import annotations

import types
from typing import Any

import pytest

from agents_runtime import Agent, callable
from agents_runtime.errors import DefinitionError


@pytest.mark.parametrize("name", ["set_state", "broadcast", "sql", "call", "get_connections", "destroy"])
def test_a_verb_cannot_be_replaced(name):
    with pytest.raises(DefinitionError, match=rf"Mine\.{name} would replace a part of Agent"):
        type("Mine", (Agent,), {name: lambda self: None})


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("fetch", "on_request"),
        ("alarm", "on_alarm"),
        ("webSocketMessage", "on_message"),
        ("webSocketClose", "on_close"),
    ],
)
def test_the_platforms_entries_have_hooks_instead(name, instead):
    with pytest.raises(DefinitionError, match=instead):
        type("Mine", (Agent,), {name: lambda self: None})


def test_a_mix_in_cannot_replace_a_verb_either():
    class Mixin:
        def broadcast(self):
            pass

    with pytest.raises(DefinitionError, match=r"Mixin\.broadcast"):
        type("Mine", (Mixin, Agent), {})


@pytest.mark.parametrize(
    "name", ["validate_state_change", "should_connection_be_readonly", "should_send_protocol_messages"]
)
def test_hooks_that_decide_at_once_are_not_async(name):
    async def hook(self, one, two):
        pass

    with pytest.raises(DefinitionError, match=rf"Mine\.{name} must be a plain def"):
        type("Mine", (Agent,), {name: hook})


def test_one_state_hook_is_enough():
    with pytest.raises(DefinitionError, match="on_state_changed and on_state_update"):

        class Mine(Agent):
            def on_state_changed(self, state, source):
                pass

            def on_state_update(self, state, source):
                pass


def test_the_two_state_hooks_conflict_across_a_hierarchy():
    class Base(Agent):
        def on_state_update(self, state, source):
            pass

    with pytest.raises(DefinitionError, match=r"^Mine has both"):

        class Mine(Base):
            def on_state_changed(self, state, source):
                pass


def test_a_private_method_is_not_callable():
    with pytest.raises(DefinitionError, match=r"private method .*_secret"):

        class Mine(Agent):
            @callable(name="secret")
            def _secret(self):
                pass


def test_two_methods_cannot_have_one_wire_name():
    with pytest.raises(DefinitionError, match=r"Mine\.\w+ and Mine\.\w+ are both callable as 'go'"):

        class Mine(Agent):
            @callable(name="go")
            def one(self):
                pass

            @callable
            def go(self):
                pass


def test_a_hook_is_not_callable():
    with pytest.raises(DefinitionError, match="on_start is a hook"):

        class Mine(Agent):
            @callable
            def on_start(self):
                pass


def test_a_client_cannot_send_keyword_only_arguments():
    with pytest.raises(DefinitionError, match=r"Mine\.go: .*keyword-only argument 'fast'"):

        class Mine(Agent):
            @callable
            def go(self, *, fast):
                pass


def test_a_streaming_method_takes_its_stream():
    with pytest.raises(DefinitionError, match="must take the StreamingResponse"):

        class Mine(Agent):
            @callable(streaming=True)
            def go(self):
                pass


def test_callable_goes_on_methods():
    decorate: Any = callable
    with pytest.raises(DefinitionError, match="not on a property"):
        decorate(property(len))


def test_a_hook_takes_what_it_is_called_with():
    def on_connect(self, connection, ctx, more):
        pass

    with pytest.raises(DefinitionError, match=r"Mine\.on_connect\(self, connection, ctx, more\) is called with 2"):
        type("Mine", (Agent,), {"on_connect": on_connect})


async def test_a_hook_may_leave_out_its_last_parameters(runtime):
    def on_start(self):
        self.set_state([])

    async def on_connect(self, connection):
        self.set_state([*self.state, "connect"])

    def on_message(self, connection):
        self.set_state([*self.state, "message"])

    brief: Any = type("Brief", (Agent,), {"on_start": on_start, "on_connect": on_connect, "on_message": on_message})
    heir: Any = type("Heir", (brief,), {"on_connect": lambda self, who: super(heir, self).on_connect(who)})
    client = await runtime.connect(heir, "a")
    assert client.state == ["connect"]
    await client.send("hello")
    await runtime.settle()
    assert client.state[-1] == "message"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sendIdentityOnConnect": True}, "did you mean 'send_identity_on_connect'"),
        ({"client_state_write": "deny"}, "did you mean 'client_state_writes'"),
        ({"client_state_writes": "never"}, '"allow" or "deny"'),
        ({"redact_errors": "yes"}, "True or False"),
        ({"max_calls_per_connection": 0}, "above 0"),
        ({"ping_response": "ping"}, "two texts"),
        ({"hibernate": False}, "always hibernate"),
        (["debug"], "must be a dict"),
    ],
)
def test_options_are_checked(options, error):
    with pytest.raises(DefinitionError, match=error):
        type("Mine", (Agent,), {"options": options})


def test_options_are_merged_along_the_hierarchy():
    class Base(Agent):
        options = {"hibernate": True, "send_identity_on_connect": False}

    class Mine(Base):
        options = {"client_state_writes": "deny"}

    assert Mine._definition.options.client_state_writes == "deny"
    assert Mine._definition.options.send_identity_on_connect is False


def test_a_state_type_that_does_not_exist_is_named_when_it_is_needed():
    generic: Any = Agent
    mine: Any = types.new_class("Mine", (generic["Missing"],))
    with pytest.raises(DefinitionError, match="there is no 'Missing' in"):
        mine.create().set_state({})
