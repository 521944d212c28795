"""The normal form of URLs."""

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from agents_runtime.local.shim.urls import normal_url

# Texts that look like URLs often enough to get past the first checks.
PIECES = st.sampled_from(
    ["http://", "https://", "a.com", "127.0.0.1", "0x7f.1", "1", "A", "ü", "[::1]", ":80", ":443", ":8787", ":", "/",
     "//", ".", "..", "%2e", "%2E%2e", "%zz", "?", "#", "a=b", "&", "@", "\\", " ", "\t", '"', "'", "`", "{", "|",
     "^", "\0"]
)  # fmt: skip
URLS = st.lists(PIECES, max_size=8).map(lambda pieces: "http" + "".join(pieces)) | st.lists(PIECES).map("".join)
PLAIN = st.from_regex(
    r"https?://[a-z0-9.\-]{1,9}(:[0-9]{1,5})?(/[a-zA-Z0-9.%~_@-]{0,6}){1,4}(\?[a-z=&%+]{0,6})?", fullmatch=True
)


def outcome(text):
    try:
        return normal_url(text)
    except TypeError:
        return None


@given(URLS | st.text())
def test_a_url_is_refused_or_has_one_spelling(text):
    with suppress(TypeError):
        once = normal_url(text)
        assert normal_url(once) == once
        assert once.isascii() or not once.startswith(("http:", "https:"))


@given(PLAIN)
@example("http://127/")
@example("http://1.2/a")
@example("http://a.com:0080/a")
@example("http://a.com:080/a")
@example("http://a.com/a/../b")
@example("http://a.com/%2e%2e/b")
@example("http://a.com/.b/..c")
@example("http://a.com/a/")
def test_the_short_cut_changes_nothing(text):
    # A leading space is dropped, but keeps a URL from taking the short cut.
    assert outcome(text) == outcome(" " + text)
