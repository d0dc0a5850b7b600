"""Lines that checks appended -> rows. A line that cannot be read is counted, never skipped in silence."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Sequence
from pathlib import Path

from imap4.check.record import END, FIELDS, VERSION

NAME = re.compile(r"(\d{8}T\d{2})-\d+\.tsv(\.[0-9a-f]{16})?")
"""The name of a file of lines: its hour (UTC); the end is there once it is being collected."""

HOUR = 3600

LATE = 300
"""Seconds after its hour for which a file of lines may still grow: a test writes as soon as it has ended."""

LONGEST = 8192
"""Bytes of a line; a record has at most 4,000."""

_MARK = b"\x02"
"""Begins a line that was found broken before DuckDB looks at it."""

_SECONDS = "DECIMAL(9,5)"
"""To the hundredth of a millisecond, in four bytes; a decimal number of seconds to everybody who reads it."""

COLUMNS = {
    "moment": "TIMESTAMP",
    "id": "VARCHAR",
    "state": "UTINYINT",
    "cause": "VARCHAR",
    "seconds": _SECONDS,
    **dict.fromkeys(("resolve", "connect", "tls", "greeting", "capability", "login", "logout"), _SECONDS),
    "target": "VARCHAR",
    "address": "VARCHAR",
    "days_left": "FLOAT",
    "downtime": "BOOLEAN",
    "recorder": "VARCHAR",
    "message": "VARCHAR",
    # How long the result may count (seconds), where that is known otherwise than from the rules.
    "holds": "INTEGER",
    # The rules of the monitor when the test was collected: they may be others by the time of a report.
    **dict.fromkeys(("up", "warn", "down", "lost", "failures", "alerts", "duration"), "INTEGER"),
    # Whether the test differs from its neighbours in the file, or stands at an end of it; see ``changes``.
    "edge": "UTINYINT",
}
"""The columns of the store's files, with DuckDB's names for their types."""

RULES = ("up", "warn", "down", "lost", "failures", "alerts", "duration")


def ends(name: str) -> int:
    """When the hour of a file of lines ends, in seconds since the epoch; never where it is none."""
    try:
        return calendar.timegm(time.strptime(name[:11], "%Y%m%dT%H")) + HOUR
    except ValueError:
        return 1 << 60


def mended(path: Path, scratch: Path) -> Path:
    """``path``, or a copy in ``scratch`` where DuckDB would stumble over what is in it.

    Bytes that are no UTF-8, NUL (a crash leaves them) and endless lines; the copy has a mark in their place.

    Raises:
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    lines = data.split(b"\n")
    try:
        data.decode("utf-8")
        good = b"\0" not in data and b"\1" not in data and b"\r" not in data
    except UnicodeDecodeError:
        good = False
    if good and max(map(len, lines)) <= LONGEST:
        return path
    copy = scratch / f"mended-{path.name}"
    copy.write_bytes(b"\n".join([line if _readable(line) else _MARK for line in lines]))
    return copy


def _readable(line: bytes) -> bool:
    if len(line) > LONGEST or b"\0" in line or b"\1" in line or b"\r" in line:
        return False
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _field(name: str) -> str:
    return f"f[{FIELDS.index(name) + 1}]"


GOOD = (
    f"(len(f) = {len(FIELDS)} and {_field('version')} = '{VERSION}' and {_field('end')} = '{END}'"
    f" and {_field('id')} <> '' and try_cast({_field('time')} as DECIMAL(15,3)) between 0 and 99999999999"
    f" and {_field('state')} in ('0', '1', '2', '3'))"
)
"""Whether a line is a record; a condition on its fields."""


def split_lines(paths: Sequence[Path | str]) -> str:
    """A query: the fields of every line that is not empty, as one list named ``f``."""
    return (
        f"(select string_split(line, chr(9)) as f from read_csv({literal([str(each) for each in paths])},"
        " columns = {'line': 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false,"
        " auto_detect = false, nullstr = chr(3), strict_mode = false) where line <> '')"
    )


AHEAD = 5000
"""Milliseconds by which a test may seem to be later than its file: more, and a clock is wrong."""


def newest(source: str) -> str:
    """A query: each recorder in a table of fields, and its last test in milliseconds since the epoch."""
    last = f"(max(try_cast({_field('time')} as DECIMAL(15,3))) * 1000)::BIGINT"
    return f"select {_field('recorder')}, {last} from {source} where {GOOD} group by 1"


def rows(source: str) -> str:
    """A query: the records in a table of fields, with the names and types of COLUMNS but for the rules."""
    wanted = [f"make_timestamp_ms((try_cast({_field('time')} as DECIMAL(15,3)) * 1000)::BIGINT) as moment"]
    for name, kind in COLUMNS.items():
        if name in ("moment", "holds", "edge", *RULES):
            continue
        value = f"{_field('downtime')} <> '0'" if name == "downtime" else f"nullif({_field(name)}, '')"
        wanted.append(f"try_cast({value} as {kind}) as {name}")
    return f"select {', '.join(wanted)}, null::INTEGER as holds from {source} where {GOOD}"


def literal(values: Sequence[str] | str) -> str:
    """A string, or a list of strings, in SQL."""
    if isinstance(values, str):
        return "'" + values.replace("'", "''") + "'"
    return "[" + ", ".join(map(literal, values)) + "]"


def files(names: Sequence[str]) -> str:
    """Columnar files as a source, and in ``filename`` whose row it is.

    Files of earlier versions lack columns, which are NULL then.
    """
    empty = ", ".join(f"null::{kind} as {name}" for name, kind in COLUMNS.items())
    found = f"read_parquet({literal(names)}, filename = true, union_by_name = true)"
    return f"(select {empty}, null::VARCHAR as filename where false union all by name from {found})"
