"""Two monitoring hosts and one Windows, with a real registry, whose volatile keys end with its run."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator

import pytest

from imap4.deadline import Deadline
from recovery.actions import external_process, restart_service
from recovery.decision.turns import Turn
from recovery.model import Outcome, Verdict
from recovery.platforms import turns
from recovery.requests import ProcessRequest, RestartRequest
from recovery.transports.link import Link
from tests.machines.winrm.wine_machine import WineMachine


def turn_of(number: str, action: str = "restart-service") -> Turn:
    return Turn(secrets.token_hex(16), number * 32, f"mon{number}", action, "Store", 7, "for mail IMAP4")


def restart(wine: WineMachine, turn: Turn) -> Outcome:
    way = wine.transport()
    request = RestartRequest(("Store",), settle=0.5)
    return restart_service.run(lambda _: way, request, deadline=Deadline(120), turn=turn)


@pytest.fixture
def link(wine: WineMachine) -> Iterator[Link]:
    way = wine.transport()
    yield Link(lambda _: way)
    wine.forget_turns()


def test_of_two_hosts_one_restarts_and_the_other_is_told_who(wine: WineMachine, link: Link) -> None:
    wine.service("Store", "slowstop", 6000)
    first: list[Outcome] = []
    thread = threading.Thread(target=lambda: first.append(restart(wine, turn_of("1"))))
    thread.start()
    wine.wait(lambda: "Store stop" in wine.log())
    second = restart(wine, turn_of("2"))
    way = wine.transport()
    third = external_process.run(
        lambda _: way, ProcessRequest((wine.program, "-?")), deadline=Deadline(60), turn=turn_of("2", "x")
    )
    thread.join(120)
    for outcome in (second, third):
        assert outcome.verdict is Verdict.SKIPPED
        assert outcome.summary.startswith(
            "the machine is busy: monitoring host mon1 (restart-service Store, its recovery 7, for "
        )
    assert first[0].verdict is Verdict.PROVEN, first
    assert "; the machine keeps no record" not in first[0].summary
    assert wine.log().count("Store start") == 2
    found = turns.look(link, turn_of("2"), deadline=Deadline(60)).deeds[-1]
    assert (found.host, found.verdict, found.left) == ("mon1", "proven", 0)


def test_a_turn_ends_with_the_run_of_windows_and_what_was_done_is_known_after_it(
    wine: WineMachine, link: Link
) -> None:
    first, second = turn_of("1", "reboot-server"), turn_of("2")
    assert not turns.take(link, first, 600, deadline=Deadline(60)).busy
    assert turns.take(link, second, 600, deadline=Deadline(60)).busy
    wine.shut_down()
    wine.boot()
    # Before anything was begun in the new run, nobody is at work in it.
    assert second.refusal(turns.look(link, second, deadline=Deadline(60)).deeds) == ""
    taken = turns.take(link, second, 600, deadline=Deadline(60))
    assert (taken.busy, taken.unkept) == (False, "")
    found = {deed.key: deed for deed in taken.deeds}[first.key]
    assert (found.host, found.action, found.ended) == ("mon1", "reboot-server", None)
    assert 0 <= found.began < 600
    turns.end(link, second, "nothing", deadline=Deadline(60))
