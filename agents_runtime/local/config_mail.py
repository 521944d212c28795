"""The `send_email` bindings of a project file, read as wrangler reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime.local.config_checks import Table


@dataclass(frozen=True, slots=True)
class SendEmailBinding:
    """One entry of `send_email`: a name in `env`, and whom mails may go to and come from. None: anybody."""

    name: str
    destination: str | None = None
    destinations: tuple[str, ...] | None = None
    senders: tuple[str, ...] | None = None


def read_send_email(root: Table) -> tuple[SendEmailBinding, ...]:
    """The bindings of a project.

    Raises:
        ConfigError: an entry cannot work.
    """
    found: list[SendEmailBinding] = []
    for entry in root.tables("send_email"):
        entry.only("name", "destination_address", "allowed_destination_addresses", "allowed_sender_addresses", "remote")
        if entry.has("destination_address") and entry.has("allowed_destination_addresses"):
            raise entry.error("destination_address", "stands beside allowed_destination_addresses. Keep one of them")
        binding = SendEmailBinding(
            entry.identifier("name"),
            entry.text("destination_address") if entry.has("destination_address") else None,
            _addresses(entry, "allowed_destination_addresses"),
            _addresses(entry, "allowed_sender_addresses"),
        )
        if any(other.name == binding.name for other in found):
            raise entry.error("name", f'"{binding.name}" is bound twice. Give each binding its own name')
        found.append(binding)
    return tuple(found)


def _addresses(entry: Table, key: str) -> tuple[str, ...] | None:
    return entry.texts(key) if entry.has(key) else None
