"""A new name without the old id is warned of, as far as records tell."""

from __future__ import annotations

import time
from pathlib import Path

from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import line, write

WARNING = (
    'warning: "New" has no records, and its address has them as "Mail", which is no monitor\'s id now: '
    'a render drops that service with its state. If it has only a new name, give it id = "Mail"\n'
)


def told(imap4_monitor: Run, folder: Path, name: str, more: str = "") -> str:
    (folder / "monitors.toml").write_text(f'[[monitor]]\nname = "{name}"\naddress = "mail"\n{more}')
    where = ("--records", str(folder / "records"), "--store", str(folder / "store"))
    ended = imap4_monitor("validate", "monitors.toml", *where)
    assert ended.returncode == 0
    return ended.stderr


def test_a_new_name_without_the_old_id_is_warned_of(imap4_monitor: Run, tmp_path: Path) -> None:
    assert told(imap4_monitor, tmp_path, "New") == ""
    now = time.time()
    write(tmp_path / "records", [(now, line(now))])
    assert told(imap4_monitor, tmp_path, "New") == WARNING
    assert told(imap4_monitor, tmp_path, "Mail") == ""
    assert told(imap4_monitor, tmp_path, "New", 'id = "Mail"\n') == ""
    assert told(imap4_monitor, tmp_path, "New", "port = 1143\n") == ""
    assert told(imap4_monitor, tmp_path, "New", "statistics = false\n") == ""
    write(tmp_path / "records", [(now, line(now, 0, "New"))])
    assert told(imap4_monitor, tmp_path, "New") == ""
