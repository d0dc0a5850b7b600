"""What means the same over SSH and over WinRM: one set of tests, on the real machine and on the model.

The model of Windows runs the test's programs on this machine and has services of the same names.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions import external_process, reboot_server, restart_service
from recovery.errors import LoginFailed
from recovery.machines.services import list_services
from recovery.model import Credential, Outcome, Secret, Transport, Verdict
from recovery.requests import ProcessRequest, RebootRequest, RestartRequest
from recovery.transports import connect
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import Machine
from tests.machines.winrm import links as winrm
from tests.machines.winrm.listeners import Site, make_site
from tests.machines.winrm.windows import Service, Windows

WAYS = ["ssh", "winrm-ntlm over http", "winrm-basic over https"]
Way = Callable[[Deadline], Transport]


def same_machine() -> Windows:
    """The services of the real machine, as Windows would have them."""
    return Windows(
        {
            "dovecot": Service("IMAP"),
            "webmail": Service("Web mail", needs=("dovecot",)),
            "indexer": Service("Indexer", needs=("dovecot",)),
            "idle": Service("Idle", needs=("dovecot",), state="Stopped", start="Manual"),
            "fails": Service("Fails", fails="cannot open the mail store", state="Stopped", start="Manual"),
            "dies": Service("Dies", dies_after=0.7, state="Stopped", start="Manual"),
        }
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("every-way"))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, site: Site) -> Iterator[Way]:
    if request.param == "ssh":
        machine: Machine = request.getfixturevalue("machine")
        machine.console("systemctl start dovecot webmail indexer; systemctl stop idle")
        known, key = machine.known_hosts, credential_for(machine)
        yield lambda deadline: connect(target_of(machine), key, deadline=deadline, known_hosts=known)
        return
    method, _, scheme = request.param.split()
    windows = same_machine()
    listen = site.http if scheme == "http" else site.https
    with listen(windows) as endpoint:
        windows.go_down, windows.come_up = endpoint.shut, endpoint.open_again
        place, who = winrm.target(site, endpoint), winrm.credential(site, method)
        yield lambda deadline: connect(place, who, deadline=deadline)


def restart(way: Way, *services: str, settle: float = 0.3) -> Outcome:
    return restart_service.run(way, RestartRequest(services, settle=settle), deadline=Deadline(20))


def execute(way: Way, *arguments: str, seconds: float = 20, **more: object) -> Outcome:
    request = ProcessRequest(arguments, **more)  # type: ignore[arg-type]
    return external_process.run(way, request, deadline=Deadline(seconds))


def test_restart_is_proven_and_dependents_run_again(way: Way) -> None:
    outcome = restart(way, "dovecot")
    assert outcome.verdict is Verdict.PROVEN
    assert re.fullmatch(r"running again after \d+\.\d s \((PID|invocation) \w+ -> \w+\)", outcome.summary)
    after = {name.removesuffix(".service"): facts for name, facts in outcome.facts_after.items()}
    assert {"dovecot", "webmail", "indexer"} <= set(after)
    assert "idle" not in after


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("dovecott", r"dovecott\S* does not exist on the machine \(not-found\); nothing was done"),
        ("fails", r"fails\S* does not run: .*; its log ends: .+"),
        ("dies", r"dies\S* (started, but died within|does not run).*"),
    ],
)
def test_service_that_does_not_run_is_a_failure(way: Way, service: str, said: str) -> None:
    outcome = restart(way, service, settle=3)
    assert outcome.verdict is Verdict.FAILED
    assert re.fullmatch(said, outcome.summary), outcome.summary


def test_services_are_listed_with_their_dependents(way: Way) -> None:
    found = {one.name.removesuffix(".service"): one for one in list_services(way, deadline=Deadline(20))}
    dependents = {name.removesuffix(".service") for name in found["dovecot"].dependents}
    assert {"webmail", "indexer", "idle"} <= dependents
    assert (found["dovecot"].state, found["idle"].state) == ("active", "inactive")


WORDS = [
    "",
    "a b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "$(id)",
    "two\nlines",
    "\\",
    "*",
    "-n",
    "é ü 日本",
    ";&|",
    "%PATH%",
]


def recorded_arguments_arrive_exactly_as_given(way: Way) -> None:
    outcome = execute(way, "printf", "<%s>", *WORDS)
    assert outcome.facts_after["stdout"] == "".join(f"<{word}>" for word in WORDS)
    assert outcome.verdict is Verdict.PROVEN
    assert re.fullmatch(r"printf ended after \d\.\d s \(exit status 0\)", outcome.summary)


def test_environment_folder_and_input_are_given(way: Way) -> None:
    outcome = execute(
        way, "sh", "-c", 'printf "%s|" "$NAME" "$(pwd)"; cat',
        environment={"NAME": "it's $HOME\n"}, cwd="/var/lib", stdin=b"\0input\xff",
    )  # fmt: skip
    assert outcome.facts_after["stdout"] == "it's $HOME\n|/var/lib|\0input\ufffd"


def test_exit_status_and_last_words_are_told(way: Way) -> None:
    outcome = execute(way, "sh", "-c", "echo out of mail >&2; exit 137")
    assert outcome.verdict is Verdict.FAILED
    assert re.fullmatch(r"sh failed after \d\.\d s \(exit status 137\): out of mail", outcome.summary)


def test_listed_exit_status_is_a_success(way: Way) -> None:
    assert execute(way, "sh", "-c", "exit 3", success_exit_status=(0, 3)).verdict is Verdict.PROVEN


def test_both_streams_are_cut_at_64_kib(way: Way) -> None:
    outcome = execute(way, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' o; head -c 70000 /dev/zero >&2")
    assert outcome.facts_after["stdout"] == "o" * 65536
    assert len(str(outcome.facts_after["stderr"])) == 65536
    assert outcome.facts_after["truncated"] is True


def test_time_out_ends_the_process_and_is_told_as_such(way: Way) -> None:
    began = time.monotonic()
    outcome = execute(way, "sh", "-c", "sleep 7005 & sleep 7005", seconds=5)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.summary.endswith("s (killed by the time-out)")
    assert time.monotonic() - began < 6


def test_reboot_is_proven_by_another_boot_and_the_marker(way: Way) -> None:
    outcome = reboot_server.run(way, RebootRequest(0), deadline=Deadline(60))
    assert outcome.verdict is Verdict.PROVEN
    assert re.match(r"up again after \d+\.\d s \(boot id \w{4} -> \w{4}\)", outcome.summary)
    assert outcome.facts_before["boot_id"] != outcome.facts_after["boot_id"]


@pytest.mark.parametrize("kind", WAYS)
def test_wrong_password_is_a_failed_login(
    request: pytest.FixtureRequest, site: Site, kind: str, tmp_path: Path
) -> None:
    wrong = Secret("not-" + os.urandom(8).hex())
    if kind == "ssh":
        machine: Machine = request.getfixturevalue("machine")
        who = Credential("wrong", "admin", "ssh-password", password=wrong)
        with pytest.raises(LoginFailed):
            connect(target_of(machine), who, deadline=Deadline(20), known_hosts=machine.known_hosts)
        return
    method, _, scheme = kind.split()
    listen = site.http if scheme == "http" else site.https
    with listen(same_machine()) as endpoint:
        who = winrm.credential(site, method, password=wrong)
        with pytest.raises(LoginFailed):
            connect(winrm.target(site, endpoint), who, deadline=Deadline(20))
        assert endpoint.accounts.refused == 1
