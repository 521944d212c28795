"""Which tags a connection gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from agents_runtime.errors import UsageError

MAX_TAGS = 10
MAX_TAG_CHARS = 256
"""Limits of the platform. The connection's id is a tag and counts."""


class BadTags(UsageError):
    """Raised when `get_connection_tags` returned what cannot be tags. The upgrade is refused."""

    code = "bad_tags"


def connection_tags(connection_id: str, given: object) -> list[str]:
    """The id, then the given tags, each once.

    Raises:
        BadTags: too many, too long, empty, or not texts.
    """
    if given is None:
        return [connection_id]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadTags(f"get_connection_tags must return a list of texts, not {given!r}"[:300])
    tags = [connection_id]
    for tag in cast("Iterable[object]", given):
        if not isinstance(tag, str) or not tag:
            raise BadTags(f"a tag must be a text that is not empty, not {tag!r}"[:300])
        if len(tag) > MAX_TAG_CHARS:
            raise BadTags(f"a tag has at most {MAX_TAG_CHARS} characters, this one has {len(tag)}: {tag[:40]!r}...")
        if tag not in tags:
            tags.append(tag)
    if len(tags) > MAX_TAGS:
        raise BadTags(f"a connection has at most {MAX_TAGS} tags, its id being one; got {len(tags)}")
    return tags
