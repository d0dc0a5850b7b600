"""Definitions that are remembered: the same as those that are read, and read anew where they changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from imap4.monitor.definition import reader
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.places import monitors_in

TEXT = """
[[monitor]]
name = "Mail"
id = "Old"
address = "mail"
host = "h"
port = 1143
statistics = false
test_duration = 7
failures_per_alert = 2
maximum_alerts = 0
delays = { up = 1, warn = 2, down = 3, lost = 4 }
contacts = ["admins", { name = "boss", alerts = "2-3" }, { group = "night", alerts = "4-" }]
[[monitor]]
name = "Other"
address = "mail2"
enabled = false
"""


def test_what_is_remembered_is_what_was_read_and_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(TEXT)
    read = monitors_in([str(path)], tmp_path)
    assert read == reader.load(path).monitors
    monkeypatch.setattr(reader, "load", None)
    assert monitors_in([str(path)], tmp_path) == read
    monkeypatch.undo()
    path.write_text(TEXT.replace("1143", "1144"))
    assert monitors_in([str(path)], tmp_path)[0].port == 1144


@pytest.mark.parametrize("damaged", ["", "[]", '{"x": 1}', "\0"])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "m.toml").write_text(TEXT)
    (tmp_path / "definitions.json").write_text(damaged)
    assert len(monitors_in([str(tmp_path / "m.toml")], tmp_path)) == 2
    assert len(monitors_in([str(tmp_path / "m.toml")], tmp_path / "none")) == 2


def test_a_mistake_is_said_each_time(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[[monitor]]\nname = 1\n")
    for _ in range(2):
        with pytest.raises(RecordsError, match="name"):
            monitors_in([str(tmp_path / "m.toml")], tmp_path)
