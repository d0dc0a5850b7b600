"""Since when each monitor passes or fails: noted as tests are collected, so that nobody has to look back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imap4.monitor.records.lines import literal

if TYPE_CHECKING:
    import duckdb

_QUERY = """
with t as (select id, epoch_ms(moment) as ms, state <= 1 as good from read_parquet({source})),
     ends as (select id, min(ms) as first, max(ms) as last, max(ms) filter (where good) as passed,
              max(ms) filter (where not good) as failed from t group by id)
select id, first, last, coalesce(passed, -1) >= coalesce(failed, -1) as good,
       (select min(ms) from t where t.id = ends.id and t.good and ms > ends.failed),
       (select min(ms) from t where t.id = ends.id and not t.good and ms > ends.passed), passed, failed
from ends
"""


def note(database: duckdb.DuckDBPyConnection, path: str, spells: dict[str, dict[str, int]]) -> None:
    """Bring ``spells`` up to date with a columnar file's tests. What is older than they are changes nothing.

    Each has ``good`` (1 while tests pass), ``since`` and ``last``, in milliseconds since the epoch.
    """
    for identity, first, last, good, up, down, passed, failed in database.execute(
        _QUERY.format(source=literal([path]))
    ).fetchall():
        known = spells.get(identity)
        if known is not None and last <= known["last"]:
            continue
        changed = (failed if good else passed) is not None
        if changed:
            since = up if good else down
        elif known is not None and bool(known["good"]) == good:
            since = known["since"]
        else:
            since = first
        spells[identity] = {"good": int(good), "since": since, "last": last}
