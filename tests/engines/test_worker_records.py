"""Records of checks that the worker runs: as a fork's, and none is lost when it ends."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from imap4.check.record import FIELDS
from tests.engines.test_worker import check, start
from tests.machines.scripted import ScriptedServer, good


def _records(folder: Path) -> list[dict[str, str]]:
    text = "".join(path.read_text() for path in folder.iterdir())
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in text.split("\n") if line]


def test_checks_in_the_worker_are_recorded_and_the_last_at_its_end(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    options = b"--record %b --id 'Mail; 1' --downtime 0 --downtime 1" % os.fsencode(records)
    with ScriptedServer(good) as server, start(tmp_path) as worker:
        answers = worker.run(*[check(server, options)] * 5)
        answers += worker.run(check(server, b"--no-such-option " + options))
    assert [each["wait_status"] for each in answers] == [b"0"] * 5 + [b"768"]
    found = _records(records)
    assert [(each["id"], each["state"], each["downtime"], each["end"]) for each in found] == [
        ("Mail; 1", "0", "1", ".")
    ] * 5
    assert all(float(each["greeting"]) > 0 for each in found)


def test_records_that_cannot_be_written_cost_no_answer(tmp_path: Path) -> None:
    with ScriptedServer(good) as server, start(tmp_path) as worker:
        answers = worker.run(*[check(server, b"--record /nowhere --id x")] * 3)
        plain = worker.run(check(server))
    assert [each["wait_status"] for each in answers + plain] == [b"0"] * 4
    assert all(each["outstd"].startswith(b"IMAP4 OK - ") for each in answers)


def test_verbose_says_what_is_wrong_with_the_record_as_a_check_by_itself_does(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with ScriptedServer(good) as server, start(tmp_path) as worker:
        for folder, wrong in ((b"/nowhere", True), (os.fsencode(tmp_path / "records"), False)):
            command = check(server, b"-v --record %b --id x" % folder)
            (answer,) = worker.run(command)
            alone = subprocess.run(shlex.split(command.decode()), capture_output=True, text=True, timeout=60)
            told = [line for line in alone.stdout.splitlines() if line.startswith("not recorded")]
            said = answer["outstd"].replace(b"\\n", b"\n").decode().splitlines()
            assert [line for line in said if line.startswith("not recorded")] == told
            assert len(told) == wrong
            if wrong:
                assert re.fullmatch(
                    r"not recorded: /nowhere/\d{8}T\d\d-\d+\.tsv: No such file or directory", told[0]
                )
