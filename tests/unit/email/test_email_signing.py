"""The signature of an agent's mails: the vectors recorded from the JavaScript SDK, and what a forger may try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.email import signing
from agents_runtime.errors import UsageError

SECRET, NAME, ID, TIME = "s3cret", "my-agent", "room-1", "1760000000"
RECORDED = "X0ZQ8oUnnIcfv9HY2/4JPq6KaT0WbnYuxN9dvR/VA6I="
NOW_MS = int(TIME) * 1000
THIRTY_DAYS_S = 2_592_000

signed = signing.SignedAgent(NAME, ID, TIME, RECORDED)


def test_the_recorded_vector():
    assert signing.signature_of(SECRET, NAME, ID, TIME) == RECORDED
    assert signing.sign_agent_headers(SECRET, NAME, ID, now_ms=NOW_MS + 999) == {
        "X-Agent-Name": NAME,
        "X-Agent-ID": ID,
        "X-Agent-Sig": RECORDED,
        "X-Agent-Sig-Ts": TIME,
    }


@pytest.mark.parametrize(
    ("after_s", "problem"),
    [(0, None), (-299, None), (-300, None), (-301, "invalid"), (THIRTY_DAYS_S, None), (THIRTY_DAYS_S + 1, "expired")],
)
def test_when_it_holds(after_s, problem):
    assert signing.check(signed, SECRET, signing.DEFAULT_MAX_AGE_S, NOW_MS + after_s * 1000) == problem


@pytest.mark.parametrize("timestamp", ["now", "", "-1", "1.5e9", "١٧٦", "9" * 40, " 1760000000", "1760000000\n"])
def test_a_malformed_time(timestamp):
    forged = signing.SignedAgent(NAME, ID, timestamp, signing.signature_of(SECRET, NAME, ID, timestamp))
    assert signing.check(forged, SECRET, THIRTY_DAYS_S, NOW_MS) == "malformed_timestamp"


@pytest.mark.parametrize(
    "forged",
    [
        signing.SignedAgent("other-agent", ID, TIME, RECORDED),
        signing.SignedAgent(NAME, "room-2", TIME, RECORDED),
        signing.SignedAgent(NAME, ID, "1760000001", RECORDED),
        signing.SignedAgent(NAME, ID, TIME, RECORDED[:-1]),
        signing.SignedAgent(NAME, ID, TIME, RECORDED.lower()),
        signing.SignedAgent(NAME, ID, TIME, "\udcff" + RECORDED),
        signing.SignedAgent("my-agent:room-1", "x", TIME, signing.signature_of(SECRET, "my-agent:room-1", "x", TIME)),
    ],
)
def test_forgeries(forged):
    assert signing.check(forged, SECRET, THIRTY_DAYS_S, NOW_MS) == "invalid"


def test_another_secret():
    assert signing.check(signed, "other", THIRTY_DAYS_S, NOW_MS) == "invalid"


@pytest.mark.parametrize(
    ("secret", "name", "agent_id"),
    [("", "a", "b"), ("s", "", "b"), ("s", "a", ""), ("s", "a:b", "c"), ("s", "a", "b:c")],
)
def test_what_cannot_be_signed(secret, name, agent_id):
    with pytest.raises(UsageError, match=r"empty|colon"):
        signing.sign(secret, name, agent_id, NOW_MS)


@given(st.text(min_size=1, max_size=60).filter(lambda text: ":" not in text))
def test_a_signature_survives_the_journey_in_a_message_id(name):
    try:
        made = signing.sign(SECRET, "my-agent", name, NOW_MS)
    except UnicodeEncodeError:
        return  # half a character, which no name of an agent is
    token = signing.as_token(made)
    assert token is not None
    assert signing.from_message_id(f"<abc_-9.{token}@example.com>") == made


@given(st.text(max_size=200))
def test_any_message_id_is_read_without_harm(text):
    found = signing.from_message_id(text)
    assert found is None or signing.check(found, SECRET, THIRTY_DAYS_S, NOW_MS) is not None


def test_a_long_name_travels_in_headers_alone():
    assert signing.as_token(signing.sign(SECRET, "my-agent", "x" * 600, NOW_MS)) is None
