"""Why an authorization did not come about. No text here ever carries a token, a code, a secret or a query string."""

from __future__ import annotations

import re
from typing import ClassVar

from agents_runtime.errors import RemoteError

MAX_TEXT_CHARS = 200

_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]+")
_KNOWN_CODES = frozenset(
    (
        *("access_denied", "consent_required", "insufficient_scope", "interaction_required", "invalid_client"),
        *("invalid_client_metadata", "invalid_grant", "invalid_redirect_uri", "invalid_request", "invalid_scope"),
        *("invalid_target", "invalid_token", "login_required", "server_error", "temporarily_unavailable"),
        *("unauthorized_client", "unsupported_grant_type", "unsupported_response_type"),
    )
)


class OAuthError(RemoteError):
    """Raised when a server or its authorization server answers in a way that cannot or must not be followed."""

    code: ClassVar[str] = "oauth_error"


class OAuthUnavailable(OAuthError):
    """Raised when a server of the authorization cannot be reached or fails: what was stored stays, try again later."""

    code: ClassVar[str] = "oauth_unavailable"


class OAuthRejected(OAuthError):
    """Raised when the authorization server refuses a request.

    Attributes:
        error: the error's registered name, or `unknown_error`.
    """

    code: ClassVar[str] = "oauth_rejected"

    def __init__(self, what: str, error: object, description: object = None) -> None:
        self.error = known_code(error)
        detail = readable(description)
        super().__init__(f"the authorization server refused {what}: {self.error}" + (f" ({detail})" if detail else ""))


def known_code(error: object) -> str:
    """The name of an error if it is one that OAuth knows: anything else could carry what it was sent."""
    return error if isinstance(error, str) and error in _KNOWN_CODES else "unknown_error"


def readable(text: object) -> str:
    """A text of a stranger, fit to be shown: without control characters, and short."""
    if not isinstance(text, str):
        return ""
    clean = _UNPRINTABLE.sub(" ", text[: MAX_TEXT_CHARS * 2]).strip()
    return clean if len(clean) <= MAX_TEXT_CHARS else clean[:MAX_TEXT_CHARS] + "..."
