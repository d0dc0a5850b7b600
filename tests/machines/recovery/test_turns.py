"""Two monitoring hosts, each with its own store and history, and one real machine that both may repair."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.machines.recovery.machine import ADDRESS, Machine, wait_for
from tests.machines.recovery.test_command import EVENT, ROOT

PATIENCE = 150
"""Seconds: longer than a restart may take, whose own last line says more than ours."""
HOST = re.escape(os.uname().nodename)
LIST = "cat ~root/.imap4-recovery/turns-*"
MINE = re.escape(pwd.getpwnam("root").pw_dir + "/.imap4-recovery")
"""Root's folder on the machine, in a pattern."""


class Host:
    """One monitoring host: files of its own, and a credential for the machine."""

    def __init__(self, folder: Path, machine: Machine, account: str) -> None:
        self.folder = folder
        folder.mkdir()
        known = folder / "known_hosts"
        known.write_text(machine.known_hosts_line().replace(machine.name, ADDRESS, 1))
        self.there = (
            *("--machine", ADDRESS, "--port", str(machine.ssh_port), "--credential", "mail"),
            *("--known-hosts", str(known)),
        )
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "IMAP4_RECOVERY_CREDENTIALS": str(folder / "credentials"),
            "IMAP4_RECOVERY_KEY": str(folder / "key"),
            "IMAP4_RECOVERY_STATE": str(folder / "state"),
        }
        self.started: list[subprocess.Popen[str]] = []
        added = self.start(
            *("credentials", "add", "mail", "--account", account, "--private-key-file"),
            *(str(machine.folder / "key"), "--machines", "127.0.0.0/8", "--actions", "all"),
            there=False,
        )
        assert added.wait(PATIENCE) == 0

    def start(self, *arguments: str, there: bool = True) -> subprocess.Popen[str]:
        """Begin a call; the name of the action comes first."""
        command = [sys.executable, "-m", "recovery", arguments[0], *(self.there if there else ())]
        process = subprocess.Popen(
            [*command, *arguments[1:]],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the last line of a call."""
        return ended(self.start(*arguments))

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"still at work: {late.output!r}") from None
    return process.returncode, out.splitlines()[-1] if out else ""


def acts(host: Host, *arguments: str) -> bool:
    """Whether a call did what it was to do; a skip ends well too."""
    code, line = host(*arguments)
    return code == 0 and "skipped" not in line


Make = Callable[..., Host]


@pytest.fixture
def make(machine: Machine, tmp_path: Path) -> Iterator[Make]:
    machine.console(
        "systemctl reset-failed; systemctl start dovecot webmail indexer; rm -f /run/begun /run/go"
    )
    hosts: list[Host] = []

    def one(account: str = "root") -> Host:
        hosts.append(Host(tmp_path / f"host{len(hosts)}", machine, account))
        return hosts[-1]

    yield one
    for host in hosts:
        host.close()


def invocation(machine: Machine) -> str:
    return machine.console("systemctl show -p InvocationID --value dovecot")


def boot_id(machine: Machine) -> str:
    return machine.console("cat /proc/sys/kernel/random/boot_id")


def words(machine: Machine, command: str = LIST) -> list[str]:
    """What the machine's list has, each line without its numbers."""
    lines = [line.split(" ") for line in machine.console(command).splitlines()]
    return [" ".join([line[0], line[8] if line[0] == "begin" else line[-1]]) for line in lines]


RESTART = ("restart-service", "--service", "dovecot", "--settle", "0.5s")
BUSY = (
    rf"OK - {{0}} on {re.escape(ADDRESS)}: skipped: the machine is busy: monitoring host {HOST} \({{1}}, its "
    r"recovery 1, {2}\) began \w+ ago, and has it for \w+ more at most"
)


def waiting(folder: Path) -> tuple[str, ...]:
    """A proof that is not there before the file ``go`` is."""
    return ("--verify", f"test -e {folder / 'go'}")


def test_of_two_hosts_one_restarts_and_the_other_says_who(machine: Machine, make: Make) -> None:
    first, second = make(), make()
    before = invocation(machine)
    at_work = first.start(*RESTART, *EVENT, *waiting(first.folder))
    wait_for(lambda: invocation(machine) not in ("", before), PATIENCE, "the first host restarts it")
    made = invocation(machine)
    busy = BUSY.format("restart-service dovecot", "restart-service dovecot", "for")
    for asked in (EVENT, ()):
        code, line = second(*RESTART, *asked)
        assert code == 0
        assert re.fullmatch(busy, line), line
    dry = second(*RESTART, "--dry-run")
    assert "dry run, would skip: the machine is busy: monitoring host" in dry[1]
    assert invocation(machine) == made
    (first.folder / "go").touch()
    code, line = ended(at_work)
    assert (code, line.split(" (")[0].rpartition(" after ")[0]) == (
        0,
        f"OK - restart-service dovecot on {ADDRESS}: running again",
    )
    assert words(machine) == ["begin restart-service", "end proven"]


def test_what_one_host_did_counts_for_the_other_and_not_for_a_person(machine: Machine, make: Make) -> None:
    first, second = make(), make()
    assert acts(first, *RESTART, *EVENT)
    made = invocation(machine)
    code, line = second(*RESTART, *EVENT)
    assert code == 0
    assert re.fullmatch(
        rf"OK - restart-service dovecot on {re.escape(ADDRESS)}: skipped: cooling down: the last one here "
        rf"ended \w+ ago, and --cooldown is 5m; the last was monitoring host {HOST} \(restart-service "
        r"dovecot, its recovery 1, for\), proven",
        line,
    ), line
    limited = (*EVENT, "--cooldown", "none", "--at-most", "1/1h")
    code, line = second(*RESTART, *limited)
    assert "skipped: already done 1 times on this machine in 1h, and --at-most is 1/1h; the last was" in line
    assert invocation(machine) == made
    # A skip is not counted here either.
    assert second(*RESTART, *EVENT, "--cooldown", "none")[1].startswith("OK - restart-service dovecot on ")
    assert invocation(machine) != made
    made = invocation(machine)
    assert acts(second, *RESTART)
    assert invocation(machine) != made
    assert words(machine).count("end nothing") == 2


def test_of_two_hosts_that_reboot_at_once_one_does(machine: Machine, make: Make) -> None:
    old = boot_id(machine)
    hosts = make(), make()
    reboot = ("reboot-server", "--min-uptime", "0s", "--causes", "any", *EVENT)
    results = [ended(process) for process in [host.start(*reboot) for host in hosts]]
    assert [code for code, _ in results] == [0, 0], results
    [done] = [line for _, line in results if "skipped" not in line]
    [left] = [line for _, line in results if "skipped" in line]
    new = boot_id(machine)
    assert "up again after" in done
    assert f"(boot id {old[:4]} -> {new[:4]})" in done
    assert re.search(rf"skipped: (the machine is busy|cooling down): .*monitoring host {HOST} \(reboot", left)
    # What was done is known in the next run of the machine, in which nobody is at work any more.
    assert words(machine) == ["begin reboot-server", "end proven"]
    code, line = make()(*reboot)
    assert (code, "skipped: cooling down: " in line) == (0, True), line
    assert boot_id(machine) == new


def test_a_turn_ends_with_the_run_of_the_machine_and_what_was_begun_in_it_counts(
    machine: Machine, make: Make
) -> None:
    first, second = make(), make()
    old = boot_id(machine)
    reboot = ("reboot-server", "--min-uptime", "0s", "--causes", "any", *EVENT)
    at_work = first.start(*reboot, *waiting(first.folder))

    def runs_anew() -> bool:
        # Between two runs there is nobody to ask.
        with contextlib.suppress(StopIteration, OSError, subprocess.SubprocessError):
            return boot_id(machine) not in ("", old)
        return False

    wait_for(runs_anew, PATIENCE, "another run")
    machine.wait_until_up()
    new = boot_id(machine)
    code, line = second(*reboot)
    assert (code, "skipped: cooling down: the last one here ended 0s ago" in line) == (0, True), line
    assert line.endswith("whose end is not known")
    assert boot_id(machine) == new
    # Another action is free to act in it.
    wait_for(
        lambda: machine.console("systemctl is-system-running") in ("running", "degraded"),
        PATIENCE,
        "it is up",
    )
    assert acts(second, *RESTART, *EVENT, "-v")
    (first.folder / "go").touch()
    assert ended(at_work)[0] == 0


def test_a_host_that_dies_keeps_the_others_away_for_its_time_and_itself_not_at_all(
    machine: Machine, make: Make
) -> None:
    first, second = make(), make()
    before = invocation(machine)
    at_work = first.start(*RESTART, *EVENT, *waiting(first.folder))
    wait_for(lambda: invocation(machine) not in ("", before), PATIENCE, "the first host restarts it")
    at_work.send_signal(signal.SIGKILL)
    at_work.wait(PATIENCE)
    code, line = second(*RESTART)
    assert (code, "skipped: the machine is busy: monitoring host" in line) == (0, True), line
    assert acts(first, *RESTART)
    assert words(machine) == [
        *("begin restart-service", "end interrupted", "begin restart-service", "end proven")
    ]
    assert acts(second, *RESTART)


WAIT = ("/bin/sh", "-c", "touch /run/begun; until test -e /run/go; do sleep 0.1; done")
"""Who may not write there only waits."""


def test_a_process_of_one_host_is_not_run_beside_another_repair(machine: Machine, make: Make) -> None:
    first, second = make(), make()
    at_work = first.start("external-process", "--", *WAIT)
    wait_for(lambda: machine.console("ls /run/begun"), PATIENCE, "the process runs")
    who = "user \\S+"
    busy = BUSY.format("external-process /bin/echo", "external-process /bin/sh", who)
    code, line = second("external-process", "--", "/bin/echo", "a")
    assert code == 0
    assert re.fullmatch(busy, line), line
    assert "skipped: the machine is busy" in second(*RESTART)[1]
    machine.console("touch /run/go")
    assert ended(at_work)[0] == 0
    assert acts(second, "external-process", "--", "/bin/echo", "a")


@pytest.mark.parametrize(
    ("make_so", "why"),
    [
        ("mkdir -m 700 $F; mount -t tmpfs -o ro,mode=700 none $F", r"\S+: Read-only file system"),
        (
            "mkdir -m 700 $F; mount -t tmpfs -o size=4k,mode=700 none $F; echo >$F/full; "
            "touch $F/turns-$(cat /etc/machine-id)",
            r"\S+: .*No space left on device",
        ),
        ("ln -s /run $F", f"others can write {MINE}"),
        ("mkdir -m 777 $F; chmod 777 $F", f"others can write {MINE}"),
        (
            "mkdir -m 700 $F; ln -s /run/elsewhere $F/turns-$(cat /etc/machine-id)",
            rf"{MINE}/turns-\w+ is a link",
        ),
        ("mkdir -m 777 $S; chmod 777 $S; touch $S/turns", "/var/lib/imap4-recovery can be written by .*"),
        ("mkdir $S; ln -s /run/elsewhere $S/turns", "/var/lib/imap4-recovery/turns is no plain file"),
    ],
    ids=["read-only", "full", "link", "open", "linked file", "open shared", "linked shared"],
)
def test_a_list_that_cannot_be_kept_ends_no_repair_and_is_told(
    machine: Machine, make: Make, make_so: str, why: str
) -> None:
    places = "F=~root/.imap4-recovery S=/var/lib/imap4-recovery;"
    machine.console(f"{places} {make_so}")
    try:
        code, line = make()("external-process", "--", "/bin/echo", "a")
    finally:
        machine.console(f"{places} umount $F; rm -rf $F $S")
    assert code == 0
    assert re.fullmatch(
        rf"OK - external-process /bin/echo on {re.escape(ADDRESS)}: /bin/echo ended after \S+ s "
        rf"\(exit status 0\); the machine keeps no record of it for other hosts \({why}\)",
        line,
    ), line
    assert machine.console("ls /run/elsewhere /run/turns-* 2>/dev/null") == ""


def test_accounts_share_the_list_that_an_administrator_made(machine: Machine, make: Make) -> None:
    """As docs/pairs.md says it."""
    machine.console(
        "groupadd -f imap4-recovery; usermod -aG imap4-recovery limited; usermod -aG imap4-recovery plain;"
        "install -d -m 755 /var/lib/imap4-recovery;"
        "install -m 660 -g imap4-recovery /dev/null /var/lib/imap4-recovery/turns"
    )
    first, second, third = make("limited"), make("plain"), make()
    at_work = first.start("external-process", "--", *WAIT)
    wait_for(
        lambda: words(machine, "cat /var/lib/imap4-recovery/turns") == ["begin external-process"],
        PATIENCE,
        "the first host's turn",
    )
    for host in (second, third):
        code, line = host("external-process", "--", "/bin/echo", "a")
        assert (code, "skipped: the machine is busy: monitoring host" in line) == (0, True), line
    machine.console("touch /run/go")
    ended(at_work)
    assert acts(third, "external-process", "--", "/bin/echo", "a")
    assert machine.console("ls -d ~limited/.imap4-recovery ~root/.imap4-recovery 2>/dev/null") == ""


def test_the_history_of_the_loser_says_it_too_and_counts_nothing(machine: Machine, make: Make) -> None:
    first, second = make(), make()
    assert acts(first, *RESTART, *EVENT)
    second(*RESTART, *EVENT)
    shown = second.start("history", "show", "1", "--json", there=False)
    out, _ = shown.communicate(timeout=PATIENCE)
    found = json.loads(out)
    assert (found["state"], found["started"]) == ("skipped", None)
    assert found["summary"].startswith("cooling down: ")
