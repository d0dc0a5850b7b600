"""list, status and activity, as a person sees them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from imap4.monitor.records.collect import collect
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports import repairs
from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import KEEP, line, write

ROOT = Path(__file__).parents[5]

pytestmark = pytest.mark.slow

DEFINITION = """
[defaults]
contacts = ["admins", { name = "boss", alerts = "2-" }]
delays = { up = 300, warn = 300, down = 300, lost = 300 }
[[monitor]]
name = "Fine"
address = "mail"
[[monitor]]
name = "Renamed"
id = "Old"
address = "mail2"
host = "mail"
[[monitor]]
name = "Trying"
address = "mail3"
[[monitor]]
name = "Off"
enabled = false
address = "mail4"
[[monitor]]
name = "Never"
address = "mail5"
[[monitor]]
name = "Painted"
address = "mail6"
"""


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """Six monitors, and what the last hours had of them; the options that say where."""
    now = time.time()
    folder = tmp_path / "records"
    states = {
        "Fine": [0] * 12,
        "Old": [0] * 3 + [2] * 9,  # the ninth is the third alert: still Down
        "Trying": [0] * 11 + [2],
        "Painted": [0] * 12,
        "Gone": [0] * 4,
    }
    for name, each in states.items():
        for number, state in enumerate(each):
            moment = now - 60 - 300 * (len(each) - 1 - number)
            write(
                folder, [(moment, line(moment, state, name, downtime=int(name == "Painted" and number > 5)))]
            )
    (tmp_path / "monitors.toml").write_text(DEFINITION)
    (tmp_path / "history.json").write_text("[]")
    return ["-f", "monitors.toml", "--records", str(folder), "--store", str(tmp_path / "store")]


def test_status_is_ipmonitors_list_with_the_worst_first(imap4_monitor: Run, places: list[str]) -> None:
    ended = imap4_monitor("status", *places)
    lines = [re.split(r"  +", each) for each in ended.stdout.splitlines()]
    assert lines[0] == ["State", "Name", "Last result", "Since", "Avail. 24 h", "Cov. 24 h"]
    refused = "mail:143 connection refused [connect.refused]"
    assert [each[:3] for each in lines[1:]] == [
        ["Down", "Renamed", refused],
        ["No Data", "Never", "-"],
        ["Warn", "Trying", refused],
        ["In Maintenance", "Painted", "OK"],
        ["Up", "Fine", "OK"],
        ["Up", "Gone", "OK"],
        ["Disabled", "Off", "-"],
    ]
    since = {each[1]: each[3] for each in lines[1:]}
    # Down since its third failed test of nine, 300 s apart, the last a minute ago.
    assert re.match("3[1-9] min", since["Renamed"])
    availability = {each[1]: each[4] for each in lines[1:]}
    assert (availability["Fine"], availability["Never"]) == ("100.00 %", "-")
    assert (ended.stderr, ended.returncode) == ("", 2)


def test_list_has_the_order_of_the_definition_and_json_the_same(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    lines = imap4_monitor("list", "monitors.toml", *places[2:]).stdout.splitlines()[1:]
    assert [re.split("  +", each)[1] for each in lines] == [
        *("Fine", "Renamed", "Trying", "Off", "Never", "Painted", "Gone")
    ]
    found = {each["id"]: each for each in json.loads(imap4_monitor("list", "--json", *places).stdout)}
    assert (found["Old"]["name"], found["Old"]["state"]) == ("Renamed", "Down")
    assert found["Never"]["since"] is found["Never"]["availability"] is None
    assert found["Fine"]["availability"] == 1.0
    assert 0 < found["Fine"]["coverage"] < 0.1


def test_since_reaches_back_beyond_what_is_looked_at(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    now = time.time()
    folder = tmp_path / "records"
    moments = [now - 5 * 86400 + 3600 * number for number in range(3)]
    write(
        folder,
        [(moment, line(moment, 2 if not number else 0, "Fine")) for number, moment in enumerate(moments)],
    )
    collect([folder], tmp_path / "store", {}, keep=KEEP, now=now)
    found = {each["id"]: each for each in json.loads(imap4_monitor("list", "--json", *places).stdout)}
    assert abs(found["Fine"]["since"] - moments[1]) < 1


@pytest.mark.parametrize(("names", "code"), [(["Fine"], 0), (["Fine", "Trying"], 1), (["Fine", "Never"], 3)])
def test_the_exit_code_says_the_worst(
    imap4_monitor: Run, tmp_path: Path, places: list[str], names: list[str], code: int
) -> None:
    for path in (tmp_path / "records").iterdir():
        kept = [each for each in path.read_text().split("\n") if any(f"\t{name}\t" in each for name in names)]
        path.write_text("\n".join(kept) + "\n")
    tables = [
        each for each in DEFINITION.split("[[monitor]]")[1:] if any(f'"{name}"' in each for name in names)
    ]
    (tmp_path / "monitors.toml").write_text("".join("[[monitor]]" + each for each in tables))
    assert imap4_monitor("status", *places).returncode == code


def test_activity_tells_changes_alerts_and_repairs_in_their_order(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    now = time.time()
    entry = {
        "id": 1, "asked": now - 60 - 300 * 6, "started": None, "ended": now - 60 - 300 * 6 + 12,
        "seconds": 12, "action": "restart-service", "subject": "dovecot", "machine": "mail1",
        "state": "proven", "summary": "done", "reason": "", "proof": "the test passes",
        "event": {"host": "mail", "service": "Old"},
    }  # fmt: skip
    (tmp_path / "history.json").write_text(
        json.dumps([entry, {**entry, "event": {"host": "x", "service": "y"}}])
    )
    ended = imap4_monitor("activity", "Renamed", "--repairs", "history.json", "--timezone", "UTC", *places)
    assert ended.stderr == ""
    events = [each[21:] for each in ended.stdout.splitlines() if re.match(r"[-0-9]{10} [:0-9]{8}  ", each)]
    refused = "IMAP4 CRITICAL - mail:143 connection refused [connect.refused]"
    assert events == [
        f"Warn     {refused}",
        f"Down     {refused}",
        "alert 1  due to admins",
        "repair   restart-service dovecot on mail1",
        "repair   proven after 12 s: the test passes",
        "alert 2  due to admins, boss",
        "alert 3  due to admins, boss",
    ]
    assert "X" in ended.stdout
    assert "\u2588" in ended.stdout


def test_activity_without_records_says_so(imap4_monitor: Run, places: list[str], tmp_path: Path) -> None:
    ended = imap4_monitor("activity", "Never", "--repairs", "history.json", *places)
    assert ended.stdout.splitlines()[1:] == ["no record of it in this time, nor in the 40 days before"]
    last = time.time() - 3 * 86400
    write(tmp_path / "records", [(last, line(last, 0, "Never"))])
    told = imap4_monitor("activity", "Never", "--repairs", "history.json", "--timezone", "UTC", *places)
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(last))
    assert told.stdout.splitlines()[1:] == [
        f"no record of it in this time that tells whether it was up; last test: {clock}"
    ]


def test_a_name_that_there_is_not_is_one_clear_line(imap4_monitor: Run, places: list[str]) -> None:
    ended = imap4_monitor("activity", "Nobody", *places)
    assert ended.stderr == 'activity: no monitor "Nobody", neither in a definition nor in the records\n'
    assert (ended.stdout, ended.returncode) == ("", 3)
    ended = imap4_monitor("status", "--records", "/nowhere", "--store", "/nowhere")
    assert ended.stderr == "status: no monitor: neither in a definition (-f FILE) nor in the records\n"
    assert ended.returncode == 3


def test_a_history_that_is_none_is_said() -> None:
    with pytest.raises(RecordsError, match="x: is no history as JSON"):
        repairs.parse('[{"event": 1}]', "x")
    with pytest.raises(RecordsError, match="/nowhere history list"):
        repairs.from_program("/nowhere")


def test_watch_stays_on_a_terminal_until_it_is_enough(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "imap4.monitor.cli", "status", "--watch", *places],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TERM": "xterm"},
    )
    os.close(theirs)
    seen = ""
    while "Disabled" not in seen:
        seen += os.read(mine, 65536).decode("utf-8", "replace")
    assert process.poll() is None
    for word in ("Renamed", "Down", "No Data", "In Maintenance", "Avail. 24 h"):
        assert word in seen
    process.send_signal(signal.SIGINT)
    while True:
        try:
            if not os.read(mine, 65536):
                break
        except OSError:  # a terminal whose other side is closed
            break
    assert process.wait(60) == 2
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    os.close(mine)
