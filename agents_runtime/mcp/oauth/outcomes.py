"""What becomes of a refused request, and of somebody who comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Retry:
    """There is a new token: send the request again, with `headers()`."""


@dataclass(frozen=True, slots=True)
class NeedsUser:
    """A person must consent: send them to `auth_url`. Everything needed for their return is stored."""

    auth_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no token.

    Attributes:
        reason: why; fit to be shown.
        is_passing: whether it may go better later, with nothing changed.
    """

    reason: str
    is_passing: bool = False


@dataclass(frozen=True, slots=True)
class Authorized:
    """Consent was given and there is a token, or there was one already (`is_new` is false then)."""

    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Ignored:
    """The callback belongs to nothing that is going on: it changes nothing."""

    reason: str


ChallengeOutcome: TypeAlias = Retry | NeedsUser | Failed
CallbackOutcome: TypeAlias = Authorized | Ignored | Failed
