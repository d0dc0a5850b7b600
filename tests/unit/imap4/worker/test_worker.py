"""The worker's parts that need no core: templates, journal, statistics, plans."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.check.options import parse_arguments
from imap4.check.probe import Failure, ProbeResult
from imap4.check.verdict import check
from imap4.worker.jobs.plans import Planner
from imap4.worker.jobs.templates import Templates
from imap4.worker.journal import READ, READING, SENDING, Journal
from imap4.worker.statistics import BINS, Statistics, percentile, total

SECONDS = st.floats(0, 20, allow_nan=False)
FAILURES = st.sampled_from(
    [
        None,
        Failure("connect.refused", "connection refused", False),
        Failure("greeting.timeout", "no greeting within 10 s", True),
        Failure("logout.closed", "connection closed 100%", False),
    ]
)
OPTIONS = [
    ["-H", "mail"],
    ["-H", "mail", "-w", "5", "-c", "10:15"],
    ["-H", "mail", "--name", "100% (sure) %s", "-v"],
    ["-H", "mail", "-S", "-D", "30,14"],
]


@st.composite
def results(draw: st.DrawFn) -> ProbeResult:
    names = ["resolve", "connect", "greeting", "logout"]
    phases = tuple((name, draw(SECONDS)) for name in names)
    return ProbeResult(
        address="192.0.2.1",
        failure=draw(FAILURES),
        seconds=draw(SECONDS),
        phases=phases,
        greeting="OK",
        logged_out=True,
        remarks=draw(st.sampled_from([(), ("greeting ends with a bare LF",)])),
        notices=draw(st.sampled_from([(), (("ALERT", "disk is full"),)])),
        days_left=draw(st.one_of(st.none(), st.floats(-50, 900))),
        details=(),
        dialogue=(),
    )


@given(st.sampled_from(OPTIONS), st.lists(results(), min_size=1, max_size=8))
def test_template_says_what_the_judging_code_says(arguments: list[str], found: list[ProbeResult]) -> None:
    options = parse_arguments(arguments)
    templates = Templates(options)
    for result in found:
        code, text = check(options, [result])
        assert templates.verdict([result]) == (code, text.encode())


def begun(journal: Journal, data: bytes) -> None:
    journal.clear()
    journal.begin_read(b"", data)
    journal.state = READ


def test_successor_finds_the_jobs_that_are_not_struck_out() -> None:
    journal = Journal()
    begun(journal, b"ab")
    journal.strike(journal.note(b"done"))
    slot = journal.note(b"under way")
    journal.end_read(b"half")
    [left] = journal.begin()
    assert (left.slot, left.message, left.attempts) == (slot, b"under way", 1)
    assert journal.read_before() == (b"half", b"")


def test_unfinished_read_is_read_again_and_its_notes_are_forgotten() -> None:
    journal = Journal()
    begun(journal, b"one")
    journal.note(b"one")
    journal.end_read(b"ha")
    journal.begin_read(b"ha", b"lf")
    assert journal.state == READING
    journal.note(b"half")
    assert [left.message for left in journal.begin()] == [b"one"]
    assert journal.read_before() == (b"half", b"lf")


def test_jobs_whose_answers_were_being_sent_are_run_again() -> None:
    journal = Journal()
    begun(journal, b"one")
    journal.note(b"one")
    journal.end_read(b"")
    journal.state = SENDING
    assert [left.message for left in journal.begin()] == [b"one"]


def test_large_job_is_not_noted() -> None:
    journal = Journal()
    begun(journal, b"")
    journal.strike(journal.note(b"x" * 5000))
    assert journal.begin() == []


def test_figures_of_workers_add_up() -> None:
    one, two = Statistics(), Statistics()
    one.failed("connect.refused")
    two.failed("connect.refused")
    two.took(0.001)
    summed = total(json.loads(json.dumps([one.figures(), two.figures(), {}])))
    assert summed["causes"] == {"connect.refused": 2}
    assert sum(summed["latencies"]) == 1


def test_percentile_is_the_end_of_its_bin() -> None:
    statistics = Statistics()
    for _ in range(99):
        statistics.took(0.00005)
    statistics.took(99999)
    assert percentile(statistics.latencies, 0.5) == BINS[0]
    assert percentile(statistics.latencies, 1.0) == float("inf")
    assert percentile([0] * len(statistics.latencies), 0.5) is None


def test_unknown_program_is_not_answered_for() -> None:
    plan = Planner(()).plan(b"/bin/true -H 127.0.0.1", None)
    assert plan.options is None
    assert plan.answer is None


@pytest.mark.parametrize(
    ("options", "here"),
    [
        ((), True),
        (("--no-worker",), False),
        (("--tls", "--login", "--user", "eve", "--password-fd", "3"), False),
        (("-e", "ready"), True),
        (("-e", "(a+)+$"), False),
        (("--help",), False),
    ],
)
def test_what_is_to_be_a_process_of_its_own_is_one(options: tuple[str, ...], here: bool) -> None:
    plan = Planner(()).plan_arguments(("-H", "127.0.0.1", *options))
    assert plan.answer is None
    assert (plan.options is not None) is here
