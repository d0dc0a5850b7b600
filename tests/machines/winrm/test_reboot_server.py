"""reboot-server over WinRM, against the model that goes away and comes back."""

from __future__ import annotations

import re
import time

import pytest

from imap4.deadline import Deadline
from recovery.actions import reboot_server
from recovery.actions.reboot_server import plan, run
from recovery.errors import PrivilegeMissing
from recovery.model import Outcome, Transport, Verdict
from recovery.platforms.windows import Windows as WindowsPlatform
from recovery.requests import RebootRequest
from recovery.transports import connect
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.links import credential, target
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.windows import Windows


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reboot_server, "_FIRST_PAUSE", 0.3)
    monkeypatch.setattr(WindowsPlatform, "reboot_settle", 0.5)


def reboot(site: Site, endpoint: Endpoint, *, min_uptime: float = 600, seconds: float = 20) -> Outcome:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    return run(way, RebootRequest(min_uptime), deadline=Deadline(seconds))


def test_machine_reboots_with_proof(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    before = windows.booted
    outcome = reboot(site, endpoint)
    assert windows.booted > before
    assert re.fullmatch(
        r"up again after \d+\.\d s \(boot id [0-9a-f]{4} -> [0-9a-f]{4}\)", outcome.summary
    ), outcome
    assert outcome.verdict is Verdict.PROVEN
    assert (outcome.facts_before["marker"], outcome.facts_after["marker"]) == (False, False)
    assert endpoint.unencrypted == 0


def test_machine_that_just_came_up_is_not_rebooted(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    windows.booted = time.time() - 60
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.SKIPPED
    assert outcome.summary.startswith("not rebooted: the machine came up only 60.")


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        (1190, "one is scheduled (error 1190; shutdown /a ends that)"),
        (1115, "it is going down (error 1115)"),
    ],
)
def test_reboot_under_way_is_not_repeated(
    site: Site, endpoint: Endpoint, windows: Windows, code: int, seen: str
) -> None:
    windows.shutdown_code = code
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.SKIPPED
    assert outcome.summary == f"not rebooted: a reboot is already under way: {seen}"
    assert not windows.marker


def test_missing_right_to_shut_down_is_told(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    windows.shutdown_code = 5
    with pytest.raises(PrivilegeMissing, match=r"the account needs the right .* to shut the machine down"):
        reboot(site, endpoint)


def test_machine_that_does_not_come_back_is_a_failure(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    windows.comes_back = False
    outcome = reboot(site, endpoint, seconds=2.5)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary.startswith("did not come back within 2.5 s: ")
    assert "connection refused; nothing listens there" in outcome.summary


def test_clock_that_moves_is_no_proof(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    # The boot time changes, as when the clock is set, and the marker stays: that was no reboot.
    def set_clock() -> None:
        windows.booted += 5
        windows.marker = True

    windows.go_down = set_clock
    windows.comes_back = False
    outcome = reboot(site, endpoint, seconds=5)
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert outcome.summary.endswith(", but the marker in the registry is still there after the reboot")
    # One look is not enough: the boot time may have been read a millisecond differently.
    assert outcome.seconds > 3


def test_login_that_is_refused_after_the_reboot_is_not_tried_for_long(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    def come_up() -> None:
        endpoint.accounts.methods = ("Negotiate",)
        endpoint.accounts.closed = True
        endpoint.open_again()

    windows.come_up = come_up
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.FAILED
    assert "not tried again" in outcome.summary
    assert endpoint.accounts.refused == 2


@pytest.mark.parametrize("said", ["The RPC server is unavailable (error 1722)", "Access is denied (error 5)"])
def test_whatever_a_machine_says_while_it_comes_up_is_waited_out(
    site: Site, endpoint: Endpoint, windows: Windows, said: str
) -> None:
    def come_up() -> None:
        windows.machine_errors = [said] * 2
        endpoint.open_again()

    windows.come_up = come_up
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert any(said in step.text for step in outcome.steps)


def test_order_that_nobody_confirmed_is_followed_by_a_look(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    # PowerShell that ends without a word while the machine goes down (0xC0000142).
    windows.reboot_word = False
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert any("not known yet whether it was begun" in step.text for step in outcome.steps)


def test_second_reboot_that_follows_is_no_proof(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    def come_up() -> None:
        endpoint.open_again()
        windows.booted += 0.001
        windows.second_boot = 2

    windows.come_up = come_up
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert outcome.summary.endswith(", but it is being rebooted once more")


def test_updates_and_people_at_work_are_told_and_updates_are_not_cut_short(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    windows.users = ["EXAMPLE\\anna"]
    windows.servicing = ["Windows is installing or removing updates (TiWorker.exe)"]
    outcome = reboot(site, endpoint)
    assert outcome.verdict is Verdict.SKIPPED
    assert outcome.summary == (
        "not rebooted: Windows is installing or removing updates (TiWorker.exe), and a reboot would cut that "
        "short (--during-updates does it all the same)"
    )
    assert outcome.steps[0].text.endswith(
        ", logged on: EXAMPLE\\anna, Windows is installing or removing updates (TiWorker.exe)"
    )
    assert not windows.marker


def test_plan_says_what_would_be_done_and_does_nothing(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    lines = plan(way, RebootRequest(), deadline=Deadline(20)).lines
    assert lines[0] == "the machine runs Windows"
    assert lines[2:] == (
        "would reboot cleanly",
        "would wait for another boot id, for the marker in the registry to be gone and for the system to run",
    )
    assert not windows.marker
