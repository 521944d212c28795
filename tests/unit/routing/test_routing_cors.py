"""CORS: what each policy answers to which page."""

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.routing.cors import Cors, cors_headers, merged_vary

APP = "https://app.example"


def test_off_adds_nothing():
    assert cors_headers(None, APP, None) is None
    assert cors_headers(False, APP, None) is None


def test_true_is_the_fixed_set_of_the_js_router():
    assert cors_headers(True, APP, None) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "86400",
    }


def test_a_mapping_replaces_the_set_entirely():
    assert cors_headers({"Access-Control-Allow-Origin": APP}, "https://other", None) == {
        "Access-Control-Allow-Origin": APP
    }
    assert cors_headers({}, APP, None) == {}


@pytest.mark.parametrize("cors", ["*", APP, 1, ["*"]])
def test_anything_else_is_refused_instead_of_opening_the_door(cors):
    with pytest.raises(UsageError, match="cors takes"):
        cors_headers(cors, APP, None)


def test_chosen_origins_are_given_back_one_at_a_time_and_vary():
    cors = Cors(origins={APP, "http://localhost:3000"})
    allowed = cors_headers(cors, APP, None)
    assert allowed is not None
    assert allowed["Access-Control-Allow-Origin"] == APP
    assert allowed["Vary"] == "Origin"
    assert cors_headers(cors, "https://evil.example", None) == {"Vary": "Origin"}
    assert cors_headers(cors, None, None) == {"Vary": "Origin"}


def test_every_origin_needs_no_vary():
    headers = Cors().headers_for(APP, None)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in headers
    assert "Access-Control-Allow-Credentials" not in headers


def test_a_function_may_decide():
    cors = Cors(origins=lambda origin: origin.endswith(".example"))
    assert cors.allows(APP)
    assert not cors.allows("https://example.evil")
    assert not cors.allows(None)


def test_credentials_give_the_asked_headers_back_because_browsers_take_the_star_literally():
    headers = Cors(origins={APP}, credentials=True).headers_for(APP, "x-token, content-type")
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Allow-Headers"] == "x-token, content-type"
    assert headers["Vary"] == "Origin, Access-Control-Request-Headers"


def test_credentials_for_everyone_are_refused():
    with pytest.raises(UsageError, match="chosen origins"):
        Cors(credentials=True)


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://App.example"])
def test_misspelt_origins_are_refused(origin):
    with pytest.raises(UsageError, match="browsers send"):
        Cors(origins={origin})


def test_one_text_is_not_a_set_of_origins():
    with pytest.raises(UsageError, match="set of origins"):
        Cors(origins=APP)


def test_the_other_fields_become_headers():
    headers = Cors(methods="GET", headers="x-a", expose="x-b", max_age_s=5).headers_for(None, None)
    assert headers["Access-Control-Allow-Methods"] == "GET"
    assert headers["Access-Control-Allow-Headers"] == "x-a"
    assert headers["Access-Control-Expose-Headers"] == "x-b"
    assert headers["Access-Control-Max-Age"] == "5"


@pytest.mark.parametrize(
    ("existing", "added", "merged"),
    [
        (None, "Origin", "Origin"),
        ("", "Origin", "Origin"),
        ("Accept", "Origin", "Accept, Origin"),
        ("accept, ORIGIN", "Origin", "accept, ORIGIN"),
        ("*", "Origin", "*"),
        ("Origin", "Origin, X-A", "Origin, X-A"),
    ],
)
def test_vary_says_what_both_say(existing, added, merged):
    assert merged_vary(existing, added) == merged
