"""``imap4-recovery`` from end to end: the program, the stored credential, the real machine, the history."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.execution.detached import systemd_run_command
from tests.machines.recovery.machine import ADDRESS, Machine, wait_for

ROOT = Path(__file__).parents[3]
GREETING = Path(__file__).with_name("greeting.py")
EVENT = ("--state", "CRITICAL", "--state-type", "HARD", "--output=IMAP4 CRITICAL - refused [connect.refused]")
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(machine: Machine, tmp_path: Path) -> Program:
    """Runs the program with files of its own and a credential for the machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "IMAP4_RECOVERY_CREDENTIALS": str(tmp_path / "credentials"),
        "IMAP4_RECOVERY_KEY": str(tmp_path / "key"),
        "IMAP4_RECOVERY_STATE": str(tmp_path / "state"),
    }

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "recovery", *arguments],
            env=environment,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    added = run(
        *("credentials", "add", "mail", "--account", "root", "--private-key-stdin"),
        *("--machines", "127.0.0.0/8", "--actions", "all"),
        stdin=(machine.folder / "key").read_text(),
    )
    assert (added.returncode, added.stdout) == (0, "Added mail.\n")
    run.folder = str(tmp_path)  # type: ignore[attr-defined]
    return run


def tmp_file(program: Program, text: str) -> str:
    """A file that nobody else can read, in the folder of the program's files."""
    path = Path(program.folder) / "input"  # type: ignore[attr-defined]
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return str(path)


def there(machine: Machine) -> tuple[str, ...]:
    """The options that lead to the machine."""
    known = machine.folder / "known_hosts.command"
    known.write_text(machine.known_hosts_line().replace(machine.name, ADDRESS, 1))
    return (
        *("--machine", ADDRESS, "--port", str(machine.ssh_port), "--credential", "mail"),
        *("--known-hosts", str(known)),
    )


def test_a_dead_dovecot_is_restarted_proven_and_written_down(machine: Machine, program: Program) -> None:
    machine.console("systemctl kill -s KILL dovecot; until ! systemctl -q is-active dovecot; do :; done")
    verify = f"{sys.executable} {GREETING} {ADDRESS} {machine.imap_port}"
    ran = program(
        *("restart-service", *there(machine), "--service", "dovecot", "--settle", "0.5s"),
        *(*EVENT, "--verify", verify),
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    assert re.fullmatch(
        rf"OK - restart-service dovecot on {re.escape(ADDRESS)}: running again after \d+\.\d s \(.*\), .*\n",
        ran.stdout,
    )
    shown = json.loads(program("history", "show", "1", "--json").stdout)
    assert (shown["state"], shown["reason"]) == ("proven", "CRITICAL HARD, [connect.refused], 1 of 3 in 1h")
    assert shown["steps"]
    again = program("restart-service", *there(machine), "--service", "dovecot", *EVENT)
    assert again.stdout.startswith(f"OK - restart-service dovecot on {ADDRESS}: skipped: cooling down: ")


def test_a_detached_process_ends_in_the_history(machine: Machine, program: Program) -> None:
    ran = program("external-process", *there(machine), "--detach", "--", "/bin/echo", "a  b")
    assert ran.returncode == 0
    assert " begun as recovery 1 " in ran.stdout

    def ended() -> bool:
        return bool(json.loads(program("history", "show", "1", "--json").stdout)["ended"])

    wait_for(ended, 30, "the end of the detached process")
    shown = json.loads(program("history", "show", "1", "--json").stdout)
    assert (shown["state"], shown["facts_after"]["stdout"]) == ("proven", "a  b\n")


def test_test_services_doctor_and_dry_run_change_nothing(machine: Machine, program: Program) -> None:
    before = machine.console("systemctl show -p InvocationID --value dovecot")
    assert program("credentials", "test", *there(machine)).stdout.startswith(
        f"OK - mail logs in to {ADDRESS}: as root; the machine runs systemd"
    )
    assert re.search(r"^dovecot\.service: ", program("services", *there(machine), "dovecot").stdout, re.M)
    assert program("doctor", *there(machine), "--service", "dovecot").returncode == 0
    dry = program("restart-service", *there(machine), "--service", "dovecot", "--dry-run")
    assert dry.stdout.splitlines()[-1] == (
        f"OK - restart-service dovecot on {ADDRESS}: dry run, would act: asked for by hand"
    )
    assert machine.console("systemctl show -p InvocationID --value dovecot") == before
    assert program("history", "list").stdout == ""


def test_a_rehearsal_finds_by_day_what_would_fail_at_night(
    machine: Machine, program: Program, tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    line = machine.known_hosts_line().replace(machine.name, ADDRESS, 1)
    (tmp_path / ".ssh" / "known_hosts").write_text(line)
    definition = tmp_path / "monitors.toml"
    definition.write_text(
        f'''
[[monitor]]
name = "Mail"
address = "{ADDRESS}"
port = {machine.imap_port}
[monitor.recovery]
machine = "{ADDRESS}"
port = {machine.ssh_port}
credential = "mail"
services = ["dovecot"]
[[monitor.recovery.action]]
do = "restart-service"
alerts = "1-2"
[[monitor.recovery.action]]
do = "reboot-server"
alerts = 3
'''
    )
    before = machine.console(
        "systemctl show -p InvocationID --value dovecot; cat /proc/sys/kernel/random/boot_id"
    )
    ran = program("rehearse", str(definition), "--save")
    assert (ran.returncode, ran.stdout) == (
        0,
        "OK - rehearsal: all 2 repairs of 1 monitors would work | repairs=2;;;0 failing=0;0;;0\n",
    ), ran
    machine.console("systemctl mask --runtime dovecot")
    try:
        ran = program("rehearse", str(definition), "--save")
    finally:
        machine.console("systemctl unmask --runtime dovecot")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[0].startswith(
        f"WARNING - rehearsal: 1 of 2 repairs would fail: restart-service dovecot on {ADDRESS}: service: "
    )
    assert program("rehearse", "--last").stdout == ran.stdout
    after = machine.console(
        "systemctl show -p InvocationID --value dovecot; cat /proc/sys/kernel/random/boot_id"
    )
    assert after == before
    assert program("history", "list").stdout == ""


@pytest.mark.parametrize(
    ("allowed", "command", "code"),
    [
        ("/bin/echo a", '"/bin/echo", "a"', 0),
        ("/bin/echo a", '"/bin/echo", "b"', 1),
        ("/bin/echo a.CRITICAL", '"/bin/echo", "a.{state}"', 0),
    ],
    ids=["allowed", "another argument", "with a token"],
)
def test_a_rehearsal_asks_sudo_about_a_process(
    machine: Machine, program: Program, tmp_path: Path, allowed: str, command: str, code: int
) -> None:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    line = machine.known_hosts_line().replace(machine.name, ADDRESS, 1)
    (tmp_path / ".ssh" / "known_hosts").write_text(line)
    added = program(
        *("credentials", "add", "few", "--account", "limited", "--private-key-stdin", "--become"),
        *("--machines", "127.0.0.0/8", "--actions", "external-process"),
        stdin=(machine.folder / "key").read_text(),
    )
    assert added.returncode == 0
    (tmp_path / "monitors.toml").write_text(
        f"""
[[monitor]]
name = "Mail"
address = "{ADDRESS}"
port = {machine.imap_port}
recovery.machine = "{ADDRESS}"
recovery.port = {machine.ssh_port}
recovery.credential = "few"
[[monitor.recovery.action]]
do = "external-process"
command = [{command}]
"""
    )
    words = allowed.replace(".", r"\.")
    rule = f"limited ALL=(root) NOPASSWD: /usr/bin/timeout ^-k 2 [0-9]+ {words}$"
    machine.console('printf "%s\\n" "$1" >/etc/sudoers.d/limited', rule)
    try:
        ran = program("rehearse", str(tmp_path / "monitors.toml"), "-v")
    finally:
        machine.console("rm /etc/sudoers.d/limited")
    assert ran.returncode == code, ran
    if code:
        assert ran.stdout.startswith(
            f"WARNING - rehearsal: 1 of 1 repairs would fail: external-process /bin/echo on {ADDRESS}: plan: "
            "sudo on the machine said 'sudo: not allowed: "
        ), ran
        wanted = r"limited ALL=(root) NOPASSWD: /usr/bin/timeout ^-k 2 [0-9]+ /bin/echo b$"
        assert wanted in ran.stdout


def test_a_refused_machine_is_never_called(machine: Machine, program: Program) -> None:
    assert program("credentials", "set", "mail", "--machines", "192.0.2.0/24").returncode == 0
    ran = program("restart-service", *there(machine), "--service", "dovecot")
    assert (ran.returncode, ran.stdout) == (
        2,
        f"CRITICAL - restart-service dovecot on {ADDRESS}: credential mail may not be used on {ADDRESS}: "
        "it is for 192.0.2.0/24 (imap4-recovery credentials set mail --machines ... changes that)\n",
    )


def test_systemd_run_takes_our_command_and_gives_it_a_unit_of_its_own(machine: Machine) -> None:
    command = systemd_run_command(
        ["/bin/sh", "-c", "cat /proc/self/cgroup >/run/unit; echo $HOME >>/run/unit"],
        7,
        {"HOME": "/h"},
        False,
    )
    machine.console('rm -f /run/unit; HOME=/h "$@"', *command)
    wait_for(lambda: machine.console("cat /run/unit 2>&1 || true").endswith("/h"), 20, "the unit's process")
    assert "imap4-recovery-7-" in machine.console("cat /run/unit")


def test_systemd_hands_over_credentials_with_a_mode_that_we_allow(machine: Machine) -> None:
    """The reason why the key in $CREDENTIALS_DIRECTORY may show group bits: systemd uses an ACL, or, where
    there are none (as in a container), gives the file to the unit's user."""
    look = """stat -c "%a %u %g" "$CREDENTIALS_DIRECTORY/key"; cat "$CREDENTIALS_DIRECTORY/key" >/dev/null"""
    unit = "--property=LoadCredential=key:/etc/hostname --property=User=nobody"
    shown = machine.console(f"systemd-run --quiet --pipe --wait {unit} -- sh -c '{look}'")
    assert shown in ("440 0 0", "400 65534 0", "400 65534 65534")


@pytest.mark.parametrize("before", [65536 - 22, 190], ids=["64 KiB", "the line"])
def test_a_password_that_a_cut_goes_through_is_seen_nowhere(
    machine: Machine, program: Program, before: int
) -> None:
    """The machine prints the password so that what is kept, or shown, ends within it."""
    added = program(
        *("credentials", "add", "cut", "--account", "plain", "--password-stdin"),
        *("--machines", "127.0.0.0/8", "--actions", "all"),
        stdin=machine.password + "\n",
    )
    assert added.returncode == 0
    options = [word if word != "mail" else "cut" for word in there(machine)]
    script = """read -r word
        x() { printf "%${1}s" "" | tr ' ' x; }
        printf '%s%s%s\\n' "$(x "$1")" "$word" "$(x 900)" | tee /dev/stderr
        exit 3"""
    secret = tmp_file(program, machine.password)
    ran = program(
        *("external-process", *options, "-v", "--stdin-file", secret),
        *("--", "/bin/sh", "-c", script, "sh", str(before)),
    )
    shown = program("history", "show", "1", "--json").stdout
    assert ran.returncode == 2
    for length in range(4, len(machine.password)):
        assert machine.password[:length] not in ran.stdout + ran.stderr + shown
    assert "xxx***" in shown
