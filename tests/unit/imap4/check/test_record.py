"""Records of tests: what a line says, and that it changes nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap4.check.options import parse_arguments
from imap4.check.probe import Failure, ProbeResult
from imap4.check.record import FIELDS, line
from imap4.handover.record_file import append
from tests.machines.scripted import ScriptedServer, closed_port, good

ROOT = Path(__file__).parents[4]


@pytest.fixture
def port() -> Iterator[int]:
    with ScriptedServer(good) as server:
        yield server.port


def run(*arguments: str) -> tuple[int, str]:
    """The plugin; exit code and output, measured times taken out."""
    command = [sys.executable, str(ROOT / "check_imap4.py"), "-H", "127.0.0.1", "-t", "10", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, re.sub(r"[0-9]+\.[0-9]{3,6}", "T", done.stdout)


def recorded(folder: Path) -> list[dict[str, str]]:
    """Every record in a folder."""
    lines = [each for path in sorted(folder.iterdir()) for each in path.read_text().split("\n") if each]
    return [dict(zip(FIELDS, each.split("\t"), strict=True)) for each in lines]


def test_a_test_leaves_one_line_with_all_that_is_known(tmp_path: Path, port: int) -> None:
    more = ("--record", str(tmp_path), "--id", "Mail; \u00fc\"x'", "--downtime", "0", "--downtime", "")
    assert run("-p", str(port), *more) == run("-p", str(port))
    (found,) = recorded(tmp_path)
    assert abs(float(found["time"]) - time.time()) < 3600
    for name in ("time", "seconds", "connect", "greeting", "logout", "resolve"):
        assert float(found.pop(name)) >= 0
    assert found == {
        "version": "1", "id": "Mail; \u00fc\"x'", "target": f"127.0.0.1:{port}", "state": "0", "cause": "",
        "tls": "", "capability": "", "login": "", "address": "127.0.0.1", "days_left": "", "downtime": "0",
        "recorder": os.uname().nodename, "message": "", "end": ".",
    }  # fmt: skip
    (path,) = tmp_path.iterdir()
    assert re.fullmatch(rf"[0-9]{{8}}T[0-9]{{2}}-{os.geteuid()}\.tsv", path.name)


def test_a_failed_test_leaves_its_cause_and_what_people_were_told(tmp_path: Path) -> None:
    with closed_port() as port:
        told = run("-p", str(port), "--record", str(tmp_path), "--id", "M", "--downtime", "2")
        assert told == run("-p", str(port))
    (found,) = recorded(tmp_path)
    assert (found["state"], found["cause"], found["downtime"]) == ("2", "connect.refused", "1")
    assert found["message"] == told[1].split(" | ")[0].strip()


def test_a_test_that_could_not_be_run_is_recorded_too(tmp_path: Path) -> None:
    code, output = run("--tls", "--ca-file", "/nowhere", "--record", str(tmp_path), "--id", "M")
    (found,) = recorded(tmp_path)
    assert (code, found["state"], found["message"]) == (3, "3", output.strip())


def _missing(folder: Path) -> Path:
    return folder / "nowhere"


def _pipe(folder: Path) -> Path:
    for name in _names(folder):
        os.mkfifo(name)
    return folder


def _link(folder: Path) -> Path:
    (folder / "victim").touch()
    for name in _names(folder):
        name.symlink_to(folder / "victim")
    return folder


def _second_name(folder: Path) -> Path:
    (folder / "victim").touch()
    for name in _names(folder):
        name.hardlink_to(folder / "victim")
    return folder


def _directory(folder: Path) -> Path:
    for name in _names(folder):
        name.mkdir()
    return folder


def _names(folder: Path) -> list[Path]:
    """The file of this hour, and of the next, which may begin meanwhile."""
    now = time.time()
    hours = [time.strftime("%Y%m%dT%H", time.gmtime(each)) for each in (now, now + 3600)]
    return [folder / f"{hour}-{os.geteuid()}.tsv" for hour in hours]


@pytest.mark.parametrize("spoil", [_missing, _pipe, _link, _second_name, _directory])
def test_what_cannot_be_recorded_changes_nothing_and_is_said_with_v(
    tmp_path: Path, port: int, spoil: object
) -> None:
    folder = spoil(tmp_path)  # type: ignore[operator]
    record = ("--record", str(folder), "--id", "M")
    assert run("-p", str(port), *record) == run("-p", str(port))
    code, output = run("-p", str(port), *record, "-v")
    assert code == 0
    assert output.splitlines()[-1].startswith(f"not recorded: {folder}/")
    victim = folder / "victim"
    assert not victim.exists() or victim.read_bytes() == b""


def test_a_full_disk_is_said_and_the_next_line_is_whole(tmp_path: Path) -> None:
    path = tmp_path / time.strftime(f"%Y%m%dT%H-{os.geteuid()}.tsv", time.gmtime(0))
    path.write_bytes(b"\n1\t17")  # what a full disk leaves
    assert append(str(tmp_path), b"\nwhole\n", 0) == ""
    assert path.read_bytes().split(b"\n") == [b"", b"1\t17", b"whole", b""]
    assert "No space left" in append("/dev/full", b"x", 0) or "Not a directory" in append(
        "/dev/full", b"x", 0
    )


@pytest.mark.parametrize("foreign", ["a\tb", "a\nb", "a\u2028b", "\u20ac" * 600, "\udcff"])
def test_a_line_is_one_line_and_bounded_whatever_is_in_it(foreign: str) -> None:
    options = parse_arguments(["-H", "h", "--record", "/r", "--id", "x"])._replace(
        id=foreign[:64], host="h" * 255
    )
    failure = Failure("greeting.bad", foreign, out_of_time=False)
    result = ProbeResult(foreign[:60], failure, 1.0, (("resolve", 0.1),), None, False, (), 3.5, (), ())
    data = line(options, [result], 2, foreign, 1_764_183_387.5)
    assert len(data) <= 4000
    assert data.decode().strip("\n").count("\n") == 0
    assert len(data.decode().strip("\n").splitlines()) == 1
    assert len(data.split(b"\t")) == len(FIELDS)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--record", "/r"], "--record and --id go together"),
        (["--id", "x"], "--record and --id go together"),
        (["--downtime", "1"], "--downtime needs --record"),
        (["--record", "r", "--id", "x"], "argument --record: r is no path that begins with /"),
        (["--record", "/r", "--id", "x", "--downtime", "x"], "argument --downtime: x is no number"),
        (["--record", "/r", "--id", "x" * 65], "argument --id: an id has 1 to 64 characters, and no control"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(arguments: list[str], why: str) -> None:
    code, output = run(*arguments)
    assert code == 3
    assert output.startswith(f"IMAP4 UNKNOWN - {why}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who is wary of other users' folders")
def test_root_records_nothing_in_another_users_folder(their_folder: Path, port: int) -> None:
    folder = their_folder / "records"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    code, output = run("-p", str(port), "--record", str(folder), "--id", "M", "-v")
    assert (code, list(folder.iterdir())) == (0, [])
    said = f"not recorded: {folder} is another user's, who could lead root's file elsewhere"
    assert output.splitlines()[-1] == said
