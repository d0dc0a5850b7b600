"""Where records, the store and definitions are, unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imap4.monitor.definition.reader import DefinitionError, load
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.model import Monitor
from imap4.monitor.records.errors import RecordsError

RECORDS = Path(Programs().records)
STORE = Path("/var/lib/imap4-monitor/store")
DEFINITIONS = Path("/etc/imap4-monitor")
"""Every ``.toml`` file in it is a definition."""


def monitors_in(files: Sequence[str]) -> tuple[Monitor, ...]:
    """The monitors of some definitions; without a file, of those in the system's folder, which may be none.

    Raises:
        RecordsError: one of them is wrong, or two have a monitor with the same id.
    """
    paths = list(files) or sorted(map(str, DEFINITIONS.glob("*.toml")))
    found: dict[str, Monitor] = {}
    for path in paths:
        try:
            monitors = load(path).monitors
        except DefinitionError as error:
            raise RecordsError(str(error)) from None
        for monitor in monitors:
            if monitor.id in found:
                raise RecordsError(f'{path}: the id "{monitor.id}" is in another of these files already')
            found[monitor.id] = monitor
    return tuple(found.values())
