"""Where records, the store and definitions are, unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.model import Monitor
from imap4.monitor.records import known
from imap4.monitor.records.errors import RecordsError

RECORDS = Path(Programs().records)
STORE = Path("/var/lib/imap4-monitor/store")
DEFINITIONS = Path("/etc/imap4-monitor")
"""Every ``.toml`` file in it is a definition."""


def monitors_in(files: Sequence[str], store: Path | None = None) -> tuple[Monitor, ...]:
    """The monitors of some definitions; without a file, of those in the system's folder, which may be none.

    Args:
        store: where definitions are remembered, for who does not need their repairs and options.

    Raises:
        RecordsError: one of them is wrong, or two have a monitor with the same id.
    """
    paths = list(files) or sorted(map(str, DEFINITIONS.glob("*.toml")))
    found: dict[str, Monitor] = {}
    for path in paths:
        for monitor in _monitors(path, store):
            if monitor.id in found:
                raise RecordsError(f'{path}: the id "{monitor.id}" is in another of these files already')
            found[monitor.id] = monitor
    return tuple(found.values())


def _monitors(path: str, store: Path | None) -> tuple[Monitor, ...]:
    key = known.key_of(path) if store is not None else None
    if store is not None and key is not None:
        found = known.recall(store, key)
        if found is not None:
            return found
    from imap4.monitor.definition.reader import DefinitionError, load  # takes longer than the rest

    try:
        definition = load(path)
    except DefinitionError as error:
        raise RecordsError(str(error)) from None
    if store is not None and key is not None:
        known.remember(store, key, definition)
    return definition.monitors
