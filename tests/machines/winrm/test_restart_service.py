"""restart-service over WinRM, against the model: the same action, proof and words as over SSH."""

from __future__ import annotations

import re
import threading
import time

import pytest

from imap4.deadline import Deadline
from recovery.actions.restart_service import plan, run
from recovery.errors import LoginFailed, PrivilegeMissing, Refused, UsageError
from recovery.model import Outcome, Secret, Step, Transport, Verdict
from recovery.requests import RestartRequest
from recovery.transports import connect
from tests.machines.winrm import trouble
from tests.machines.winrm.endpoint import Endpoint, Exchange
from tests.machines.winrm.links import credential, target
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.windows import Windows


def restart(
    site: Site,
    endpoint: Endpoint,
    *services: str,
    dependents: bool = True,
    settle: float = 0.5,
    seconds: float = 20,
    kill: bool = False,
    steps: list[Step] | None = None,
) -> Outcome:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    return run(
        way,
        RestartRequest(services, dependents, settle, kill),
        deadline=Deadline(seconds),
        progress=(steps if steps is not None else []).append,
    )


def test_service_and_dependents_stop_leaves_first_and_start_in_reverse(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    before = windows.services["IMAP4"].pid
    steps: list[Step] = []
    outcome = restart(site, endpoint, "imap4", steps=steps)
    assert outcome.verdict is Verdict.PROVEN
    after = windows.services["IMAP4"].pid
    assert re.fullmatch(rf"running again after \d+\.\d s \(PID {before} -> {after}\)", outcome.summary)
    assert windows.calls == [
        "stop Web Mail",
        "stop Indexer",
        "stop IMAP4",
        "start IMAP4",
        "start Indexer",
        "start Web Mail",
    ]
    assert windows.services["Idle"].state == "Stopped"
    assert windows.services["MailStore"].state == "Running"
    assert steps[-1].text == "not running before, so left alone: Idle"
    assert not endpoint.shells.open
    assert endpoint.unencrypted == 0


def test_stopped_service_is_started(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    windows.services["IMAP4"].state, windows.services["IMAP4"].pid = "Stopped", 0
    for name in ("Web Mail", "Indexer"):
        windows.services[name].state, windows.services[name].pid = "Stopped", 0
    outcome = restart(site, endpoint, "IMAP4")
    assert outcome.verdict is Verdict.PROVEN
    assert windows.calls == ["start IMAP4"]


def test_names_are_matched_whole(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    outcome = restart(site, endpoint, "IMAP")
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary == "IMAP does not exist on the machine (not-found); nothing was done"
    # What looks like a wildcard stands for itself.
    for name in ("IM*", "IMAP[4]", "IMAP?", 'a"b'):
        outcome = restart(site, endpoint, name)
        assert outcome.summary == f"{name} does not exist on the machine (not-found); nothing was done"
    for name in ("a/b", "a\\b", "a\tb", "x" * 257):
        with pytest.raises(UsageError, match="is not the name of a Windows service"):
            restart(site, endpoint, name)
    assert windows.calls == []


@pytest.mark.parametrize("name", ["WinRM", "eventlog", "RpcSs"])
def test_what_the_repair_stands_on_is_never_stopped(
    site: Site, endpoint: Endpoint, windows: Windows, name: str
) -> None:
    outcome = restart(site, endpoint, name)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary.endswith("reboot the machine instead; nothing was done")
    assert windows.calls == []


def test_a_service_that_winrm_needs_is_never_stopped(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    windows.services["WinRM"].needs = ("MailStore",)
    outcome = restart(site, endpoint, "MailStore")
    assert outcome.summary.startswith("WinRM would stop, and without it")
    assert windows.calls == []


def test_disabled_service_is_a_failure_and_nothing_is_done(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    outcome = restart(site, endpoint, "Disabled")
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary == (
        "Disabled is disabled, so it cannot be started (Set-Service -Name Disabled -StartupType Manual); "
        "nothing was done"
    )


def test_service_that_does_not_start_fails_with_its_last_words(site: Site, endpoint: Endpoint) -> None:
    outcome = restart(site, endpoint, "Fails")
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary == (
        "Fails does not run: inactive (error 1067); its log ends: The mail store cannot be opened "
        "(Fails could not be started: The mail store cannot be opened)"
    )


def test_service_that_dies_again_is_a_failure(site: Site, endpoint: Endpoint) -> None:
    outcome = restart(site, endpoint, "Dies", settle=3)
    assert outcome.verdict is Verdict.FAILED
    assert re.match(r"Dies (started, but died within|does not run)", outcome.summary)


def test_kill_is_done_only_where_it_was_allowed_and_is_told(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    outcome = restart(site, endpoint, "Hangs", seconds=5)
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert windows.calls == ["stop Hangs"]
    windows.calls.clear()
    outcome = restart(site, endpoint, "Hangs", seconds=10, kill=True)
    assert outcome.verdict is Verdict.PROVEN
    assert outcome.summary.endswith(" (killed Hangs)")
    assert [step.text for step in outcome.steps].count("killed Hangs") == 1
    assert windows.calls == ["stop Hangs", "kill Hangs", "start Hangs"]


def test_process_that_hosts_others_is_never_killed(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    windows.services["Themes"].stop_seconds = 60
    outcome = restart(site, endpoint, "Themes", seconds=5)
    assert outcome.verdict is not Verdict.PROVEN
    assert windows.calls == ["stop Themes"]


def test_shared_process_is_proven_by_the_stop_that_was_seen(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    pid = windows.services["Themes"].pid
    outcome = restart(site, endpoint, "Themes")
    assert outcome.verdict is Verdict.PROVEN
    assert f"(PID {pid} -> {pid})" in outcome.summary
    assert windows.services["Netman"].state == "Running"


def test_missing_right_names_the_remedy(site: Site, endpoint: Endpoint) -> None:
    with pytest.raises(PrivilegeMissing, match=r"Access is denied \(error 5\).*docs/windows.md"):
        restart(site, endpoint, "Forbidden")


def test_alone_is_refused_while_a_dependent_runs(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    with pytest.raises(Refused, match="runs and depends on IMAP4; nothing was done"):
        restart(site, endpoint, "IMAP4", dependents=False)
    assert windows.calls == []


def test_link_lost_during_the_restart_is_no_failure_where_the_proof_is_there(
    site: Site, endpoint: Endpoint, windows: Windows
) -> None:
    # The answer to the restart itself is lost; the facts are asked for over a new link.
    seen = threading.Event()
    facts = endpoint.actions

    def cut(exchange: Exchange) -> None:
        # The Receive that would bring the restart's answer often comes before the restart has begun.
        end = time.monotonic() + 0.5
        while not (windows.calls or seen.is_set()) and time.monotonic() < end:
            time.sleep(0.01)
        if windows.calls and not seen.is_set():
            seen.set()
            trouble.reset(exchange)
        else:
            exchange.go_on = True

    endpoint.troubles["Receive"] = cut
    windows.services["IMAP4"].stop_seconds = 0.1
    outcome = restart(site, endpoint, "IMAP4")
    assert seen.is_set()
    assert outcome.verdict is Verdict.PROVEN
    assert facts.count("Create") == 2
    assert [step.text for step in outcome.steps if "link was lost" in step.text]


def test_wrong_password_is_tried_once_by_the_whole_action(site: Site, endpoint: Endpoint) -> None:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site, password=Secret("no")), deadline=deadline)

    with pytest.raises(LoginFailed):
        run(way, RestartRequest(("IMAP4",)), deadline=Deadline(20))
    assert endpoint.accounts.refused == 1


def test_plan_tells_and_changes_nothing(site: Site, endpoint: Endpoint, windows: Windows) -> None:
    def way(deadline: Deadline) -> Transport:
        return connect(target(site, endpoint), credential(site), deadline=deadline)

    lines = plan(way, RestartRequest(("IMAP4",)), deadline=Deadline(20)).lines
    pid = windows.services["IMAP4"].pid
    assert lines == (
        "the machine runs Windows",
        f"IMAP4: active (running), PID {pid}",
        "would restart IMAP4",
        "would restart what depends on it and runs: Indexer, Web Mail",
        "would leave alone what depends on it and does not run: Idle",
        "would wait until all have been running for 3 s",
    )
    assert windows.calls == []
