"""``--planned-file``: spans that are planned downtime, though the engine did not know, or are none."""

from __future__ import annotations

import fnmatch
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.counting.periods import midnight
from imap4.monitor.reports.counting.spans import Spans, union

_KEYS = {"begin", "end", "monitors", "planned", "reason"}


@dataclass(frozen=True)
class PlannedSpan:
    """One ``[[span]]`` of the file."""

    begin: int
    end: int
    monitors: tuple[str, ...]
    """Patterns of names or ids, as a shell has them."""
    planned: bool
    reason: str

    def concerns(self, name: str, identity: str) -> bool:
        """Whether it is about a monitor."""
        return any(
            fnmatch.fnmatchcase(each, pattern) for pattern in self.monitors for each in (name, identity)
        )


def read(path: str, zone: tzinfo) -> tuple[PlannedSpan, ...]:
    """The spans in a file.

    Raises:
        RecordsError: it cannot be read, or something in it is wrong; the text says where.
    """
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordsError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecordsError(f"{path}: is no TOML: {error}") from None
    tables = document.pop("span", None)
    if document or not isinstance(tables, list) or not tables:
        raise RecordsError(f"{path}: must have [[span]] tables, and nothing else")
    return tuple(_span(f"{path}: span {number}", each, zone) for number, each in enumerate(tables, 1))


def _span(where: str, table: Any, zone: tzinfo) -> PlannedSpan:
    if not isinstance(table, dict) or set(table) - _KEYS:
        raise RecordsError(f"{where}: may have {', '.join(sorted(_KEYS))}")
    begin, end = (_moment(f"{where}: {key}", table.get(key), zone) for key in ("begin", "end"))
    monitors, reason = table.get("monitors", ["*"]), table.get("reason", "")
    planned = table.get("planned", True)
    if end <= begin:
        raise RecordsError(f"{where}: ends before it begins")
    if not isinstance(monitors, list) or not all(isinstance(each, str) for each in monitors):
        raise RecordsError(f"{where}: monitors must be a list of names, which may have * and ?")
    if not isinstance(planned, bool) or not isinstance(reason, str):
        raise RecordsError(f"{where}: planned must be true or false, reason a text")
    return PlannedSpan(begin, end, tuple(monitors), planned, reason)


def _moment(where: str, value: Any, zone: tzinfo) -> int:
    if isinstance(value, datetime):
        return round((value if value.tzinfo else value.replace(tzinfo=zone)).timestamp() * 1000)
    if isinstance(value, date):
        return midnight(value, zone)
    raise RecordsError(f"{where}: must be a time such as 2026-10-05T08:00:00 or 2026-10-05")


def spans_for(spans: tuple[PlannedSpan, ...], name: str, identity: str) -> tuple[Spans, Spans]:
    """What is planned, and what is not, for one monitor."""
    mine = [each for each in spans if each.concerns(name, identity)]
    return (
        union((each.begin, each.end) for each in mine if each.planned),
        union((each.begin, each.end) for each in mine if not each.planned),
    )
