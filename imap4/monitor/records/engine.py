"""DuckDB, which answers questions about records: an extra, imported only here and only when asked for.

Why DuckDB: a month of a thousand monitors (8,640,000 tests) is ordered, joined to its neighbours and summed
up in about a second of CPU, out of files that every other data tool reads too (``docs/reports.md``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imap4.monitor.records.errors import RecordsError
from imap4.packages import missing

if TYPE_CHECKING:
    import duckdb

MEMORY = "700MB"
"""What DuckDB may use; beyond it, it works in files."""


def failure() -> type[Exception]:
    """What DuckDB raises; where it is not installed, nothing that anybody raises."""
    try:
        import duckdb
    except ImportError:
        return _Nothing
    return duckdb.Error


class _Nothing(Exception):
    """Is never raised."""


def connect(temporary: str | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory.

    Args:
        temporary: the folder for what does not fit into memory.

    Raises:
        RecordsError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise RecordsError(missing("duckdb")) from None
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "threads": min(os.cpu_count() or 1, 8),
        "preserve_insertion_order": False,
        # Nothing is fetched from anywhere, whatever a query would need.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if temporary is not None:
        settings["temp_directory"] = temporary
    return duckdb.connect(config=settings)
