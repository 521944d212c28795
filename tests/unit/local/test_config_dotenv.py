"""dotenv files."""

import pytest

from agents_runtime.local.dotenv import parse_dotenv


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("A=1", {"A": "1"}),
        ("A = 1 \nexport B=two words  # note\r\n", {"A": "1", "B": "two words"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#c\nB=", {"A": "", "B": ""}),
        ("A='x # y' # z", {"A": "x # y"}),
        ("A='$x \\n'", {"A": "$x \\n"}),
        ('A="one\\ntwo\nthree \\"q\\""', {"A": 'one\ntwo\nthree "q"'}),
        ('A=`say "it\'s"`', {"A": 'say "it\'s"'}),
        ("\n  # only\n\nA=1\nA=2", {"A": "2"}),
        ('A="unfinished', {"A": '"unfinished'}),
        ("URL=https://x.test/?a=b&c=d", {"URL": "https://x.test/?a=b&c=d"}),
    ],
)
def test_lines(text, values):
    assert parse_dotenv(text) == values


@pytest.mark.parametrize(("text", "line"), [("A=1\nB", 2), ("=1", 1), ("\n\n1A=2", 3)])
def test_a_line_that_is_no_assignment_is_numbered(text, line):
    with pytest.raises(ValueError) as caught:
        parse_dotenv(text)
    assert caught.value.args == (line,)
