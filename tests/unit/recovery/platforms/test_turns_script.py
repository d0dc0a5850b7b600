"""The script of the list of turns, in this machine's shells: what the tests of machines do not come to."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from recovery.decision.turns import Turn, parse
from recovery.platforms import turns

SHELLS = [["sh"], ["bash", "--posix"], ["busybox", "sh"]]


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"no {request.param[0]} here")
    tmp_path.chmod(0o700)
    (tmp_path / "shell").write_text(" ".join(request.param))
    return tmp_path


def run(home: Path, *arguments: str) -> str:
    words = (home / "shell").read_text().split()
    done = subprocess.run(
        [*words, "-c", turns._SCRIPT, "imap4-recovery", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def turn(owner: str, number: int = 1) -> Turn:
    return Turn(secrets.token_hex(16), owner * 32, f"mon{owner}", "restart-service", "a", number, "x")


def take(home: Path, one: Turn, alive: str = "", span: int = 600) -> str:
    return run(home, "take", one.key, one.owner, str(span), one.words, f" {alive} ")


def file_of(home: Path) -> Path:
    (found,) = (home / turns.FOLDER).iterdir()
    return found


def test_of_two_owners_one_has_it_until_it_ends(home: Path) -> None:
    first, second = turn("1"), turn("2")
    assert "busy=yes" not in take(home, first)
    said = take(home, second)
    assert "busy=yes" in said
    assert second.refusal(parse(said)).startswith("the machine is busy: monitoring host mon1 ")
    run(home, "end", first.key, first.owner, "0", "proven", "")
    said = take(home, second)
    assert "busy=yes" not in said
    assert [deed.verdict for deed in parse(said)] == ["proven", ""]
    assert file_of(home).stat().st_mode & 0o777 == 0o600


def test_a_repair_of_the_same_host_by_another_name_is_at_work_or_was_killed(home: Path) -> None:
    first, second = turn("1", 7), turn("1", 8)
    take(home, first)
    assert "busy=yes" in take(home, second, alive="6 7 9")
    assert [deed.verdict for deed in parse(take(home, second, alive="6 9 77"))] == ["interrupted", ""]


def test_a_turn_is_over_when_its_time_is(home: Path) -> None:
    take(home, turn("1"), span=0)
    assert "busy=yes" not in take(home, turn("2"))


def test_the_list_does_not_grow_for_ever_and_a_cut_line_harms_nobody(home: Path) -> None:
    one = turn("1")
    take(home, one)
    with file_of(home).open("a") as file:
        file.write(f"end {'c' * 32} x 1 1 proven\n" * 450 + "begin cut")
    other = turn("1", 2)
    take(home, other)
    run(home, "end", other.key, other.owner, "0", "proven", "")
    lines = file_of(home).read_text().splitlines()
    assert len(lines) <= 201
    assert lines[-1].startswith(f"end {other.key} ")


def test_looking_leaves_nothing(home: Path) -> None:
    one = turn("1")
    assert "unkept" not in run(home, "look", one.key, one.owner, "0", "-", "")
    assert not (home / turns.FOLDER).exists()


@pytest.mark.parametrize("mode", ["take", "look"])
def test_a_home_that_others_can_write_keeps_no_list(home: Path, mode: str) -> None:
    home.chmod(0o770)
    one = turn("1")
    said = run(home, mode, one.key, one.owner, "9", one.words, "")
    assert f"unkept=others can write the account's home folder {home}\n" in said
    assert not (home / turns.FOLDER).exists()
