"""A language model for people without one: it answers from a few rules, so that the patterns can be run and tested."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable


async def ask(prompt: str) -> str:
    """Answer a prompt. Put a call of a real model here; what calls it stays as it is."""
    await asyncio.sleep(0)
    for pattern, answer in RULES:
        if found := re.search(pattern, prompt, re.IGNORECASE | re.DOTALL):
            return answer(found) if callable(answer) else answer
    return f"I have nothing to say about “{prompt[:40]}”."


RULES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"^outline (.+)", lambda found: f"origin of {found[1]}; making {found[1]}; drinking {found[1]}"),
    (r"^write about (.+)", lambda found: f"{found[1].capitalize()} is worth a chapter."),
    (r"^translate into german: (.+)", lambda found: f"[de] {found[1]}"),
    (r"^which desk\? .*(refund|money|invoice)", "billing"),
    (r"^which desk\? .*(crash|error|broken)", "technical"),
    (r"^which desk\?", "general"),
    (r"^as the (\w+) desk, answer: (.+)", lambda found: f"{found[1]} desk: we look into “{found[2]}”."),
    (r"^is this (\w+)\? .*(password|delete everything)", lambda found: f"no: not {found[1]}"),
    (r"^is this (\w+)\?", lambda found: f"yes: {found[1]}"),
    (r"^split into jobs: (.+)", lambda found: "\n".join(f"{part} of {found[1]}" for part in ("cost", "risk", "fun"))),
    (r"^do: (.+)", lambda found: f"{found[1]}: fine"),
    (r"^put together: (.+)", lambda found: f"In short: {'; '.join(found[1].splitlines())}."),
    (r"^haiku about (.+?)\. heed: .*", lambda found: f"{found[1]}, steam, warm cup"),
    (r"^haiku about (.+)", lambda found: f"{found[1]}, warm cup"),
    (r"^rate: .*steam", "good"),
    (r"^rate: ", "Mention the steam"),
]
"""What is asked, and what is answered; the first that fits."""
