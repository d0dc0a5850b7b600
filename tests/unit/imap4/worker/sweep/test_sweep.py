"""The sweep's pure parts, and its queues with a receiver that does as it is told."""

from __future__ import annotations

import select
import shlex
import threading
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from imap4.monitor.model import Monitor
from imap4.monitor.states import Position, State
from imap4.worker import core_messages
from imap4.worker.jobs.command_line import split
from imap4.worker.sweep.delivery import Delivery, Gone, Receiver, Unreachable, Unwanted
from imap4.worker.sweep.results import Result, as_command, worst

MONITOR = Monitor("Mail", "192.0.2.1", "mail")
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PRINTED = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]))


def result(text: str, code: int = 0) -> Result:
    return Result(MONITOR, State.UP, Position(), code, text, 1.5, 2.5)


@given(st.lists(WORD, min_size=1).filter(lambda words: words[0] != ""))
def test_a_quoted_command_is_split_into_what_it_was(words: list[str]) -> None:
    assert split(shlex.join(words).encode()) == [word.encode() for word in words]


def unescaped(text: str) -> str:
    """As Nagios reads the output of a passive result."""
    found, signs = "", iter(text)
    for sign in signs:
        if sign == "\\":
            follower = next(signs)
            found += "\n" if follower == "n" else follower
        else:
            found += sign
    return found


@given(st.lists(PRINTED, min_size=1, max_size=9))
def test_a_command_has_the_whole_output(lines: list[str]) -> None:
    made = as_command(result("\n".join(lines) + "\n", 2))
    head, _, text = made.decode().partition(";2;")
    assert head == "[2] PROCESS_SERVICE_CHECK_RESULT;mail;Mail"
    assert text.endswith("\n")
    assert unescaped(text[:-1]) == "\n".join(lines)


@given(st.lists(PRINTED, min_size=1, max_size=9))
def test_naemon_gets_the_first_line_as_it_is(lines: list[str]) -> None:
    made = as_command(result("\n".join(lines) + "\n", 2), naemon=True).decode()
    assert made.partition(";2;")[2] == " ".join(lines[0].split()) + "\n"


@given(
    st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.sampled_from(["x", "\\", "\u20ac"])
)
def test_a_command_is_one_write_and_loses_the_least(first: int, data: int, more: int, sign: str) -> None:
    made = as_command(result(f"{sign * first} | {'p' * data}\n{sign * more}\n"))
    assert len(made) <= select.PIPE_BUF
    assert made.endswith(b"\n")
    made.decode()
    if first < 400:
        assert sign.replace("\\", "\\\\") * first in made.decode()


def test_the_worst_is_ranked_as_the_plugin_ranks() -> None:
    assert [worst(each) for each in ([], [0, 1], [1, 3], [3, 2, 0])] == [0, 1, 3, 2]


def test_answers_are_read_as_they_were_written() -> None:
    job = core_messages.Job(b"job_id=7\0", b"x", 1, None)
    done = core_messages.finished(job, 1, 2, 512, b"a=b\nc", b"e")
    assert core_messages.parse_answer(done) == core_messages.Answer(512, b"a=b\nc", b"e", False)
    assert core_messages.parse_answer(core_messages.timed_out(job, 1, 2)).timed_out
    assert core_messages.parse_answer(core_messages.refused(job, "no")) == core_messages.Answer(
        768, b"", b"no", False
    )


class Scripted:
    """Raises what a list says, then takes results; ``open`` lets it begin."""

    name = "engine"

    def __init__(self, *troubles: Exception) -> None:
        self.open = threading.Event()
        self.taken: list[str] = []
        self._troubles = list(troubles)

    def send(self, results: Sequence[Result]) -> int:
        self.open.wait(10)
        if self._troubles:
            raise self._troubles.pop(0)
        self.taken += [each.text for each in results[:2]]
        return len(results[:2])


def delivery(
    receiver: Receiver, limit: int, gone: Callable[[], None] = lambda: None
) -> tuple[Delivery, list[str]]:
    told: list[str] = []
    return Delivery(receiver, limit, told.append, gone), told


def test_results_wait_in_their_order_and_come_once() -> None:
    engine = Scripted(Unreachable("engine: away"), Unreachable("engine: away"))
    waiting, told = delivery(engine, 10)
    for number in range(7):
        waiting.put(result(f"{number}"))
    engine.open.set()
    assert waiting.close(10) == 0
    assert engine.taken == list("0123456")
    assert told == ["engine: away", "engine: takes results again"]


def test_the_oldest_are_dropped_and_told() -> None:
    engine = Scripted()
    waiting, told = delivery(engine, 3)
    for number in range(10):
        waiting.put(result(f"{number}"))
    engine.open.set()
    lost = waiting.close(10)
    assert engine.taken[-2:] == ["8", "9"]
    assert lost == 10 - len(engine.taken) >= 6
    assert told == [
        "engine: 3 results wait; the oldest are dropped",
        f"engine: takes results again; results dropped: {lost}",
        f"engine: results not delivered: {lost}",
    ]


def test_what_is_not_wanted_holds_up_nothing_and_is_told_once() -> None:
    engine = Scripted(Unwanted("engine: no"), Unwanted("engine: no"))
    waiting, told = delivery(engine, 10)
    for number in range(4):
        waiting.put(result(f"{number}"))
    engine.open.set()
    assert waiting.close(10) == 2
    assert engine.taken == ["2", "3"]
    assert told == ["engine: no", "engine: results not delivered: 2"]


def test_a_receiver_that_is_gone_is_told_to_the_sweep() -> None:
    engine = Scripted(Gone())
    gone = threading.Event()
    waiting, _ = delivery(engine, 10, gone.set)
    waiting.put(result("0"))
    engine.open.set()
    assert gone.wait(10)
    assert waiting.close(10) == 1
