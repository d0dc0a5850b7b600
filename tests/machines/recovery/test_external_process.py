"""external-process on the real machine: arguments, endings, streams, links that fail."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.external_process import plan, run
from recovery.errors import PrivilegeMissing, UsageError
from recovery.model import Outcome, Verdict
from recovery.requests import ProcessRequest
from recovery.transports.ssh.transport import SshTransport
from recovery.transports.sudoers import line_for_process
from tests.machines.recovery.conftest import Connect
from tests.machines.recovery.machine import Machine, wait_for
from tests.machines.recovery.relay import Relay

Execute = Callable[..., Outcome]


@pytest.fixture
def execute(connect: Connect) -> Execute:
    def process(*arguments: str, account: str = "root", become: bool = False, seconds: float = 20,
                **more: object) -> Outcome:  # fmt: skip
        link = connect(account)
        request = ProcessRequest(arguments, **more)  # type: ignore[arg-type]
        return run(lambda _: link, request, become=become, deadline=Deadline(seconds))

    return process


@pytest.fixture
def relay(machine: Machine) -> Iterator[Relay]:
    relay = Relay(machine.ssh_port)
    yield relay
    relay.close()


def running(machine: Machine, word: str) -> bool:
    """Whether a process of the machine has ``word`` on its command line (not in a script's text)."""
    return bool(machine.console(f"pgrep -fx '.*sleep {word}'"))


def recorded_arguments_arrive_exactly_as_given(execute: Execute) -> None:
    words = [
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
        "~",
        "-n",
        "é ü 日本",
        ";&|",
        "!x",
    ]
    outcome = execute("printf", "<%s>", *words)
    assert outcome.facts_after["stdout"] == "".join(f"<{word}>" for word in words)
    assert outcome.verdict is Verdict.PROVEN
    assert outcome.summary == f"printf ended after {outcome.facts_after['seconds']:.1f} s (exit status 0)"


def test_environment_folder_and_input_are_given(execute: Execute) -> None:
    outcome = execute(
        "sh", "-c", 'printf "%s|" "$NAME" "$(pwd)"; cat',
        environment={"NAME": "it's $HOME\n"}, cwd="/var/lib", stdin=b"\0input\xff",
    )  # fmt: skip
    assert outcome.facts_after["stdout"] == "it's $HOME\n|/var/lib|\0input\ufffd"


@pytest.mark.parametrize("account", ["plain", "admin"])
def test_value_of_a_variable_is_on_no_command_line(execute: Execute, account: str) -> None:
    become = account == "admin"
    script = 'cat /proc/[0-9]*/cmdline | tr "\\0" " "; echo "value=$TOKEN"'
    outcome = execute(
        "sh", "-c", script, environment={"TOKEN": "quite-secret"}, account=account, become=become
    )
    assert str(outcome.facts_after["stdout"]).count("quite-secret") == 1
    assert "value=quite-secret" in str(outcome.facts_after["stdout"])


def test_exit_status_above_128_is_not_taken_for_a_signal(execute: Execute) -> None:
    outcome = execute("sh", "-c", "echo out of mail >&2; exit 137")
    assert outcome.summary == "sh failed after 0.0 s (exit status 137): out of mail"
    assert outcome.verdict is Verdict.FAILED


def test_listed_exit_status_is_a_success(execute: Execute) -> None:
    assert execute("sh", "-c", "exit 3", success_exit_status=(0, 3)).verdict is Verdict.PROVEN


def test_signal_is_told_by_name(execute: Execute) -> None:
    outcome = execute("sh", "-c", "kill -KILL $$")
    assert outcome.summary == "sh failed after 0.0 s (killed by signal 9 (SIGKILL))"
    assert outcome.facts_after["signal"] == 9


def test_missing_command_is_told(execute: Execute) -> None:
    outcome = execute("no-such-command")
    assert outcome.summary.startswith(
        "no-such-command was not found and failed after 0.0 s (exit status 127)"
    )


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_time_out_ends_the_whole_process_group(machine: Machine, execute: Execute, stubborn: str) -> None:
    began = time.monotonic()
    outcome = execute("sh", "-c", f"{stubborn}sleep 7001 & sleep 7001; sleep 7001", seconds=3)
    assert outcome.summary.endswith("s (killed by the time-out)")
    assert outcome.facts_after["signal"] is None
    assert outcome.verdict is Verdict.FAILED
    assert time.monotonic() - began < 4
    assert not running(machine, "7001")


def test_time_out_ends_a_process_of_root_too(machine: Machine, execute: Execute) -> None:
    outcome = execute("sleep", "7002", account="admin", become=True, seconds=3)
    assert outcome.summary.endswith("s (killed by the time-out)")
    wait_for(lambda: not running(machine, "7002"), 5, "the process of root is gone")


def test_time_out_holds_when_our_side_is_gone(machine: Machine, connect: Connect, relay: Relay) -> None:
    link = connect("plain", port=relay.port)
    outcomes: list[Outcome] = []
    request = ProcessRequest(("sh", "-c", "trap '' TERM HUP; sleep 7003; sleep 7003"))
    thread = threading.Thread(
        target=lambda: outcomes.append(run(lambda _: link, request, deadline=Deadline(6)))
    )
    thread.start()
    wait_for(lambda: running(machine, "7003"), 5, "the process runs")
    relay.cut()
    thread.join(5)

    assert outcomes[0].summary == (
        "sh: link lost, so it is not known what it did; the machine ends it at its time-out"
    )
    assert outcomes[0].verdict is Verdict.NOT_PROVEN
    assert running(machine, "7003")
    wait_for(lambda: not running(machine, "7003"), 10, "the machine ended it by itself")


def test_link_that_swallows_packets_is_noticed(machine: Machine, connect: Connect, relay: Relay) -> None:
    link = connect("plain", port=relay.port, silence=1.0)
    timer = threading.Timer(0.5, relay.drop_packets)
    timer.start()
    began = time.monotonic()
    outcome = run(lambda _: link, ProcessRequest(("sleep", "5")), deadline=Deadline(60))
    assert outcome.summary.startswith("sleep: link lost")
    assert time.monotonic() - began < 10


def test_ten_mebibytes_on_both_streams_block_nothing(execute: Execute) -> None:
    script = "head -c 10485760 /dev/zero | tr '\\0' o & head -c 10485760 /dev/zero | tr '\\0' e >&2; wait"
    outcome = execute("sh", "-c", script)
    assert outcome.facts_after["stdout"] == "o" * 65536
    assert outcome.facts_after["stderr"] == "e" * 65536
    assert outcome.facts_after["truncated"] is True
    assert outcome.facts_after["exit_status"] == 0
    assert outcome.summary.endswith(" (exit status 0; of its output only the first 64 KiB are kept)")


def test_large_input_arrives_whole(execute: Execute) -> None:
    data = bytes(range(256)) * 4096 * 3
    outcome = execute("sh", "-c", "cat /dev/zero | head -c 3000000 >&2; sha256sum", stdin=data)
    assert str(outcome.facts_after["stdout"]).split()[0] == hashlib.sha256(data).hexdigest()


def test_input_that_nobody_reads_holds_nobody_up(execute: Execute) -> None:
    assert execute("true", stdin=b"x" * 5_000_000).verdict is Verdict.PROVEN


def test_process_left_in_the_background_holds_nobody_up(machine: Machine, execute: Execute) -> None:
    outcome = execute("sh", "-c", "sleep 7004 & echo started")
    assert outcome.facts_after["stdout"] == "started\n"
    assert outcome.facts_after["truncated"] is False
    machine.console("pkill -fx 'sleep 7004'")


def test_chatter_of_the_login_shell_is_not_taken_for_output(machine: Machine, execute: Execute) -> None:
    machine.console("echo 'echo Welcome; echo Beware >&2' >/home/plain/.bashrc")
    try:
        outcome = execute("sh", "-c", "echo out; echo err >&2", account="plain")
    finally:
        machine.console("rm /home/plain/.bashrc")
    assert (outcome.facts_after["stdout"], outcome.facts_after["stderr"]) == ("out\n", "err\n")


def test_sudo_that_is_missing_names_the_line_and_the_line_is_enough(
    machine: Machine, execute: Execute
) -> None:
    arguments = ("/usr/bin/printf", "%s", "a+b,(c):=#\\")
    with pytest.raises(PrivilegeMissing) as missing:
        execute(*arguments, account="limited", become=True)
    line = line_for_process("limited", ProcessRequest(arguments))
    assert str(missing.value) == (
        f"sudo on the machine said 'sudo: a password is required': add to its sudoers (visudo): {line}"
    )
    machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', line)
    try:
        assert execute(*arguments, account="limited", become=True).verdict is Verdict.PROVEN
        with pytest.raises(PrivilegeMissing):
            execute("/usr/bin/id", account="limited", become=True)
    finally:
        machine.console("rm /etc/sudoers.d/limited")


def test_plan_says_what_would_be_run(connect: Connect) -> None:
    link = connect("admin")
    request = ProcessRequest(("touch", "/srv/a file"), cwd="/srv")
    run_as, end_after = plan(lambda _: link, request, become=True, deadline=Deadline(10)).lines
    assert run_as == "would run in /srv as admin through sudo: touch '/srv/a file'"
    assert re.fullmatch(
        r"would call exit status 0 a success, and end the process group after [567]\.\d s at the latest: "
        r"the rest of --timeout 10\.0 s is for connecting, and for ending it",
        end_after,
    )


def test_a_process_has_the_time_that_the_plan_says(connect: Connect) -> None:
    link = connect("plain")
    _, said = plan(lambda _: link, ProcessRequest(("sleep", "60")), deadline=Deadline(8)).lines
    found = re.search(r"after (\d+\.\d) s at the latest", said)
    assert found
    link = connect("plain")
    outcome = run(lambda _: link, ProcessRequest(("sleep", "60")), deadline=Deadline(8))
    assert outcome.facts_after["ended"] == "killed by the time-out"
    # The machine may be slow to end it, but never ends it before that; connecting took a moment of both.
    assert float(str(outcome.facts_after["seconds"])) >= float(found[1]) - 1.0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ProcessRequest(()), "external-process needs a command after --"),
        (ProcessRequest(("true",), success_exit_status=(256,)), "256 is not between 0 and 255"),
        (ProcessRequest(("true",), environment={"A-B": ""}), "environment variable 'A-B'"),
        (ProcessRequest(("a\0b",)), "NUL"),
    ],
)
def test_impossible_request_is_a_usage_error(
    connect: Connect, request_: ProcessRequest, message: str
) -> None:
    link = connect()
    with pytest.raises(UsageError, match=message):
        run(lambda _: link, request_, deadline=Deadline(5))


def test_relay_is_no_excuse(connect: Connect, relay: Relay, tmp_path: Path) -> None:
    """The relay itself changes nothing: the same link works through it."""
    link: SshTransport = connect(port=relay.port)
    assert link.run("echo through", deadline=Deadline(5)).stdout == b"through\n"
