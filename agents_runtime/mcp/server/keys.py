"""The secret that seals what clients must bring back: given, from the environment, or made up for this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agents_runtime.errors import UsageError
from agents_runtime.mcp.server.requests_state import MIN_KEY_SIZE, Sealer

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy

logger = logging.getLogger("agents_runtime")

VARIABLE = "MCP_STATE_KEY"
KEY_SIZE = 32


def secret_of(env: object) -> str | None:
    """The secret of the environment, if it has one. Raises UsageError when it is too short."""
    found: object = getattr(env, VARIABLE, None)
    if not isinstance(found, str):
        return None
    if len(found.encode()) < MIN_KEY_SIZE:
        raise UsageError(f"{VARIABLE} needs at least {MIN_KEY_SIZE} bytes")
    return found


def sealer_for(key: str | bytes | None, env: object, clock: Clock, entropy: Entropy) -> Sealer:
    """What seals states with the given key, or else that of the environment, or else one that dies with the process."""
    found: object = key if key is not None else getattr(env, VARIABLE, None)
    if isinstance(found, str):
        return Sealer(found.encode(), clock)
    if isinstance(found, bytes):
        return Sealer(found, clock)
    logger.info("no %s is set: calls that wait for input end when this process or isolate does", VARIABLE)
    return Sealer(entropy.random_bytes(KEY_SIZE), clock)
