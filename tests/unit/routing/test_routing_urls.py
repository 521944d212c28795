"""Paths of agents: the kebab table, parsing, building, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import UsageError
from agents_runtime.routing.urls import (
    AgentPath,
    build_agent_path,
    build_agent_url,
    camel_case_to_kebab_case,
    name_for,
    name_problem,
    parse_agent_path,
)


class Chat:
    """A class to build paths from."""


@pytest.mark.parametrize(
    ("name", "kebab"),
    [
        ("MyAgent", "my-agent"),
        ("AIAssistant", "a-i-assistant"),
        ("LOUD_AGENT", "loud-agent"),
        ("Test_Agent", "test--agent"),
        ("myMCPServer", "my-m-c-p-server"),
        ("ABC", "abc"),
        ("Sub_", "sub"),
        ("agent2B", "agent2-b"),
        ("My__X", "my---x"),
        ("_Priv", "--priv"),
        ("A1", "a1"),
        ("Ünder", "Ünder"),
        ("chat", "chat"),
        ("my-agent", "my-agent"),
        ("", ""),
        ("__", "-"),
        ("123", "123"),
    ],
)
def test_kebab_case_is_the_one_of_the_js_clients(name, kebab):
    assert camel_case_to_kebab_case(name) == kebab


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/agents/chat/lobby", AgentPath("chat", "lobby", ())),
        ("http://h:1/agents/chat/lobby?x=/agents/no/way", AgentPath("chat", "lobby", ())),
        ("https://h/agents/chat/lobby#frag", AgentPath("chat", "lobby", ())),
        ("/agents/chat/lobby/messages/1", AgentPath("chat", "lobby", ("messages", "1"))),
        ("http://h//agents///chat//lobby//", AgentPath("chat", "lobby", ())),
        ("http://h/agents/chat/a%20b", AgentPath("chat", "a%20b", ())),
        ("/agents/chat/http://x", AgentPath("chat", "http:", ("x",))),
        ("http://h/agents/chat", None),
        ("http://h/agents", None),
        ("http://h/", None),
        ("http://h", None),
        ("http://agents/chat/lobby", None),
        ("http://h?/agents/chat/lobby", None),
        ("http://h/x/agents/chat/lobby", None),
        ("http://h/AGENTS/chat/lobby", None),
        ("", None),
    ],
)
def test_parsing_takes_raw_segments_after_the_prefix(url, expected):
    assert parse_agent_path(url) == expected


@pytest.mark.parametrize(
    ("prefix", "matches"),
    [
        ("api/v1/agents", "http://h/api/v1/agents/chat/a"),
        ("rooms", "http://h/rooms/chat/a"),
        ("", "http://h/agents/chat/a"),
    ],
)
def test_a_prefix_may_have_several_segments_and_empty_means_the_default(prefix, matches):
    assert parse_agent_path(matches, prefix=prefix) == AgentPath("chat", "a", ())


@pytest.mark.parametrize("prefix", ["/agents", "agents/", "/"])
def test_a_prefix_with_a_slash_at_an_end_never_matches(prefix):
    assert parse_agent_path("http://h/agents/chat/a", prefix=prefix) is None


def test_name_for_is_what_a_browser_makes_of_a_segment():
    assert name_for("lobby") == "lobby"
    assert name_for("my room") == "my%20room"
    assert name_for("größe") == "gr%C3%B6%C3%9Fe"
    assert name_for("a%20b") == "a%20b"
    assert name_for("a@b.c:1;d=[e]|f'g'") == "a@b.c:1;d=[e]|f'g'"
    assert name_for('"<{`}>^') == "%22%3C%7B%60%7D%3E%5E"
    with pytest.raises(UsageError, match="one path segment"):
        name_for("a/b")


@given(st.text(max_size=40))
def test_name_for_is_stable_and_parsed_back_as_it_is(text):
    try:
        name = name_for(text)
    except UsageError:
        return
    assert name_for(name) == name
    assert parse_agent_path(f"http://h/agents/chat/{name}") == AgentPath("chat", name, ())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("a%00b", "NUL"),
        ("x" * 1025, "1024 bytes, this one has 1025"),
        ("ü" * 513, "1024 bytes, this one has 1026"),
        ("a\ud800", "Unicode"),
    ],
)
def test_impossible_names_are_explained(name, problem):
    assert problem in (name_problem(name) or "")


@pytest.mark.parametrize("name", ["a", "x" * 1024, "ü" * 512, "a b", "😀"])
def test_possible_names_have_no_problem(name):
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("steps", "options", "path"),
    [
        ([("Chat", "lobby")], {}, "/agents/chat/lobby"),
        ([(Chat, "lobby")], {}, "/agents/chat/lobby"),
        ([{"className": "MyAgent", "name": "a%20b"}], {}, "/agents/my-agent/a%20b"),
        ([("Chat", "lobby"), ("SubThread", "t 1/ü")], {}, "/agents/chat/lobby/sub/sub-thread/t%201%2F%C3%BC"),
        ([("A", "1"), ("B", "2"), ("C", "it's (3)!")], {}, "/agents/a/1/sub/b/2/sub/c/it's%20(3)!"),
        ([("Chat", "x")], {"prefix": "api/v1"}, "/api/v1/chat/x"),
        ([("Chat", "x")], {"root_binding": "CHAT_ROOMS"}, "/agents/chat-rooms/x"),
        ([("Chat", "x")], {"leaf_path": "/messages/1"}, "/agents/chat/x/messages/1"),
        ([("Chat", "x"), ("B", "sub")], {"leaf_path": "/m"}, "/agents/chat/x/sub/b/sub/m"),
        ([("Chat", "x")], {"leaf_path": ""}, "/agents/chat/x"),
        ([("Ünder", "x")], {}, "/agents/%C3%9Cnder/x"),
    ],
)
def test_a_path_is_built_root_first(steps, options, path):
    assert build_agent_path(steps, **options) == path


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [("Chat", "")],
        [("Chat", ".")],
        [("Chat", "..")],
        [("Chat", "%2E%2e")],
        [("Chat", "a/b")],
        [("Chat", "a\\b")],
        [("Chat", "a?b")],
        [("Chat", "a#b")],
        [("Chat", "a b")],
        [("Chat", "ü")],
        [("Chat", "a\0")],
        [("Chat", "\ud800")],
        [("Chat", "sub")],
        [("Chat", "x" * 1025)],
        [("Sub", "x")],
        [("", "x")],
        [("Chat", "x"), ("Sub_", "y")],
        [("Chat", "x"), ("SUB", "y")],
        [("Chat", "x"), ("B", "")],
        [("Chat", "x"), ("B", ".")],
        [("Chat", "x"), ("B", "..")],
        [("Chat", "x"), ("B", "a\0")],
        [("Chat", "x"), ("B", "\udfff")],
        [{"className": "Chat"}],
    ],
)
def test_steps_that_would_not_survive_a_url_are_refused(steps):
    with pytest.raises(UsageError):
        build_agent_path(steps)


@pytest.mark.parametrize("prefix", ["", "/agents", "agents/", "a//b", ".", "a/..", "sub", "api/sub", "a b", "a?b"])
def test_prefixes_that_would_not_match_are_refused(prefix):
    with pytest.raises(UsageError, match="prefix"):
        build_agent_path([("Chat", "x")], prefix=prefix)


@pytest.mark.parametrize(
    "leaf", ["messages", "/", "/a/", "//a", "/a//b", "/a?b", "/a#b", "/a b", "/..", "/a/./b", "/ü"]
)
def test_leaf_paths_that_would_change_are_refused(leaf):
    with pytest.raises(UsageError, match="leaf_path"):
        build_agent_path([("Chat", "x")], leaf_path=leaf)


@pytest.mark.parametrize(
    ("origin", "start"),
    [
        ("http://localhost:8787", "http://localhost:8787"),
        ("https://EXAMPLE.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("wss://example.com:443", "wss://example.com"),
        ("ws://127.0.0.1:80", "ws://127.0.0.1"),
        ("http://example.com:80", "http://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_a_url_starts_with_its_origin(origin, start):
    assert build_agent_url(origin, [("Chat", "x")], leaf_path="/m") == start + "/agents/chat/x/m"


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "javascript://example.com",
        "http://",
        "http://user@example.com",
        "http://user:secret@example.com",
        "http://example.com/path",
        "http://example.com?x=1",
        "http://example.com?",
        "http://example.com#x",
        "http://example.com:port",
        "http://exa mple.com",
        "http://[::1",
    ],
)
def test_anything_but_an_origin_is_refused(origin):
    with pytest.raises(UsageError):
        build_agent_url(origin, [("Chat", "x")])


@given(
    st.lists(st.tuples(st.sampled_from(["Chat", "DeepThread", "A_B"]), st.text(min_size=1, max_size=20)), max_size=3)
)
def test_a_built_path_has_only_stable_segments(children):
    try:
        path = build_agent_path([("Chat", "root"), *children])
    except UsageError:
        return
    assert parse_agent_path(path) is not None
    assert len(path.split("/")) == 4 + 3 * len(children)
    assert all(name_for(segment) == segment for segment in path[1:].split("/"))
