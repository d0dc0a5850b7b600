"""``--expect``: no pattern outlasts the deadline, and no lost child is a verdict."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imap4.causes import Failed
from imap4.check.options import UsageError
from imap4.check.pattern import found, is_quick
from imap4.deadline import Deadline

ENDLESS = ("(a+)+$x", "* OK " + "a" * 64)


def in_main_thread(pattern: str, text: str, seconds: float) -> bool:
    return found(pattern, text, Deadline(seconds))


def in_another_thread(pattern: str, text: str, seconds: float) -> bool:
    answer: list[bool | BaseException] = []

    def run() -> None:
        try:
            answer.append(found(pattern, text, Deadline(seconds)))
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(answer[0], BaseException):
        raise answer[0]
    return answer[0]


Finder = Callable[[str, str, float], bool]
both = pytest.mark.parametrize("find", [in_main_thread, in_another_thread])


@both
@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("rea.y", True),
        ("(ready|willkommen)", True),
        ("(will|wol)kommen", False),
        (".*a.*y", True),
        ("(x+)+", False),
        ("ü.*?€+", True),
    ],
)
def test_pattern_is_found_or_not(find: Finder, pattern: str, wanted: bool) -> None:
    assert find(pattern, "* OK ready\0 ü €", 60.0) is wanted


@both
def test_pattern_that_takes_for_ever_ends_with_the_deadline(find: Finder) -> None:
    with pytest.raises(Failed) as caught:
        find(*ENDLESS, 0.3)
    assert (caught.value.cause, caught.value.text) == (
        "greeting.timeout",
        "pattern not matched within 0.3 s",
    )
    assert caught.value.out_of_time


def test_timer_leaves_nothing_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(Failed):
        in_main_thread(*ENDLESS, 0.1)
    assert in_main_thread("(a+)+", "aaa", 60.0)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_blocked_alarm_does_not_hold_the_check() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        with pytest.raises(Failed):
            in_main_thread(*ENDLESS, 0.1)
        assert signal.SIGALRM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


# The child that another thread needs: whatever becomes of it, nothing passes.


def matched_by(program: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(UsageError) as caught:
        in_another_thread("(a+)+b", "* OK aab", 60.0)
    return str(caught.value)


def test_killed_child_is_told_and_passes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = matched_by(tmp_path / "python", "cat >/dev/null; kill -9 $$", monkeypatch)
    assert told == "argument -e/--expect: the process that matched the pattern was killed by signal 9"


@pytest.mark.parametrize("code", [0, 1])
def test_child_that_says_nothing_passes_nothing(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = matched_by(tmp_path / "python", f"cat >/dev/null; exit {code}", monkeypatch)
    assert told == f"argument -e/--expect: the process that matched the pattern ended with status {code}"


def test_child_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UsageError, match="no process to match the pattern: No such file or directory"):
        in_another_thread("(a+)+b", "* OK aab", 60.0)


def test_child_is_right_where_nobody_hears_of_its_end() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert not in_another_thread("(a+)+b", "* OK aac", 60.0)
        assert in_another_thread("(a+)+b", "* OK aab", 60.0)
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize(
    ("pattern", "quick"),
    [("ready", True), ("^. OK .*", True), ("(a|b)", True), ("a.*b.*", False), ("(a|b)*", False)],
)
def test_quick_patterns_are_known(pattern: str, quick: bool) -> None:
    assert is_quick(pattern) is quick
