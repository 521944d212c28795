"""Which addresses an agent calls, and which redirects it follows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import UsageError
from agents_runtime.mcp.client.urls import check_server_url, normalized, origin_of, redirect_target

ALLOWED = [
    "https://example.com/mcp",
    "http://example.com:8080",
    "http://localhost:3000/mcp",
    "http://127.0.0.1/",
    "http://[::1]:8080/mcp",
    "http://127.0.0.2/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://bücher.example/",
    "https://metadata.example.com/",
]
REFUSED = [
    "http://0.0.0.0/",
    "http://0/",
    "http://0.1.2.3/",
    "http://10.1.2.3/",
    "http://010.0.0.1/",
    "http://0x0a000001/",
    "http://167772161/",
    "http://10.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://[::]/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[2002:a00:1::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://10.0.0.1./",
    "ftp://example.com/",
    "example.com/mcp",
    "//example.com/",
    "http://",
    "http:///mcp",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://example.com:99999/",
    "http://exa mple.com/",
    "http://example.com/\r\nx: y",
    "http://[::1/",
    "",
    "http://example.com/" + "x" * 3000,
    None,
    7,
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_that_is_called(url):
    assert check_server_url(url) == url


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_is_not_called(url):
    with pytest.raises(UsageError):
        check_server_url(url)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text):
    for url in (text, f"http://{text}", f"https://example.com/{text}"):
        try:
            assert check_server_url(url) == url
            assert normalized(normalized(url)) == normalized(url)
        except UsageError:
            pass


def test_spellings_of_one_address_are_equal():
    assert normalized("HTTPS://Example.COM:443") == normalized("https://example.com./#x") == "https://example.com/"
    assert normalized("http://example.com:443/") != normalized("https://example.com/")
    assert normalized("http://[::1]:80/a?b") == "http://[::1]/a?b"
    assert origin_of("https://Example.com:443/a") == "https://example.com"


FOLLOWED = [
    ("https://a.test/mcp", "/mcp/", "https://a.test/mcp/"),
    ("https://a.test/mcp", "https://A.test:443/x", "https://A.test:443/x"),
    ("http://a.test/mcp", "https://a.test/mcp", "https://a.test/mcp"),
]
NOT_FOLLOWED = [
    ("https://a.test/mcp", "http://a.test/mcp"),
    ("https://a.test/mcp", "https://b.test/mcp"),
    ("https://a.test/mcp", "https://a.test:444/mcp"),
    ("https://a.test/mcp", "https://a.test.evil.example/"),
    ("https://a.test/mcp", "https://a.test@evil.example/"),
    ("https://a.test/mcp", "//evil.example"),
    ("https://a.test/mcp", "javascript:alert(1)"),
    ("https://a.test/mcp", "http://[::1"),
    ("https://a.test/mcp", ""),
    ("https://a.test/mcp", None),
    ("http://a.test:8080/mcp", "https://a.test/mcp"),
]


@pytest.mark.parametrize(("url", "location", "target"), FOLLOWED)
def test_a_redirect_within_the_host_is_followed(url, location, target):
    assert redirect_target(url, location) == target


@pytest.mark.parametrize(("url", "location"), NOT_FOLLOWED)
def test_a_redirect_to_elsewhere_is_not_followed(url, location):
    assert redirect_target(url, location) is None
