"""Every line for sudoers that we print, read as an attacker: a real sudo is asked for more than it says."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from imap4.deadline import Deadline
from recovery.actions.external_process import run
from recovery.errors import PrivilegeMissing
from recovery.platforms.systemd import Systemd
from recovery.platforms.sysv import SysV
from recovery.requests import ProcessRequest
from recovery.transports.sudoers import TIMEOUT, line_for_process, lines_for
from tests.machines.recovery.conftest import Connect
from tests.machines.recovery.machine import Machine

ACCOUNT = "limited"
BECOME = f"cd /tmp; setpriv --reuid {ACCOUNT} --regid {ACCOUNT} --init-groups --"


@contextmanager
def allowed(machine: Machine, lines: Sequence[str]) -> Iterator[None]:
    """Lines in the machine's sudoers, which visudo finds nothing wrong with."""
    machine.console('printf "%s\\n" "$@" >/etc/sudoers.d/limited; chmod 440 /etc/sudoers.d/limited', *lines)
    try:
        assert (
            machine.console("visudo -cf /etc/sudoers.d/limited >/run/said 2>&1 && echo fine || cat /run/said")
            == "fine"
        )
        yield
    finally:
        machine.console("rm /etc/sudoers.d/limited")


def granted(machine: Machine, commands: Iterable[Sequence[str]]) -> set[tuple[str, ...]]:
    """Those of ``commands`` that sudo would run for the account; none is run."""
    asked = [tuple(command) for command in commands]
    script = "".join(
        f"{BECOME} sudo -n -l -- {shlex.join(words)} >/dev/null 2>&1 && echo {number}\n"
        for number, words in enumerate(asked)
    )
    return {asked[int(number)] for number in machine.console(script).split()}


def variations(command: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """What somebody would try who has the line for ``command``."""
    program, *arguments = command
    yield (*command, "--now")
    yield (*command, "/bin/sh")
    if arguments:
        yield tuple(command[:-1])
        yield (program, *reversed(arguments)) if arguments != arguments[::-1] else (program, "x")
        yield (*command[:-1], command[-1] + "*")
        yield (*command[:-1], command[-1] + "\n/bin/sh")
        yield (*command[:-1], "../" + command[-1])
        yield (program, "--root=/home/limited", *arguments)
        yield (program, "-H", "root@elsewhere", *arguments)
    yield ("/home/limited/" + program.rpartition("/")[2], *arguments)
    yield ("/bin/sh", "-c", " ".join(command))


SYSTEMD = Systemd().commands(("dovecot.service",), ("webmail.service",), reboot=True)
ALONE = Systemd().commands(("dovecot.service",), alone=True)
STRANGE = Systemd().commands(("srv-a\\x2db:c.mount", "getty@tty1.service"), alone=True)
SYSV = SysV().commands(("dovecot",), reboot=True)


@pytest.mark.parametrize(
    "commands", [SYSTEMD, ALONE, STRANGE, SYSV], ids=["systemd", "alone", "strange names", "sysv"]
)
def test_the_lines_of_services_allow_these_commands_and_nothing_else(
    machine: Machine, commands: list[tuple[str, ...]]
) -> None:
    with allowed(machine, lines_for(ACCOUNT, commands)):
        assert granted(machine, commands) == set(commands)
        tries = {another for one in commands for another in variations(one)} - set(commands)
        assert granted(machine, tries) == set()
        assert setting_variables(machine, *commands[0]) == "refused"


def test_the_line_of_an_account_of_a_domain_is_its_own(machine: Machine) -> None:
    """As winbind and sssd name accounts; useradd(8) calls that a bad name."""
    command = ("/usr/bin/systemctl", "--no-block", "restart", "a\\x2db.service")
    machine.console("useradd --badname 'ACME\\recovery'")
    try:
        with allowed(machine, lines_for("ACME\\recovery", [command])):
            script = (
                "setpriv --reuid 'ACME\\recovery' --regid nogroup --clear-groups -- sudo -n -l -- " + '"$@"'
            )
            assert machine.console(script, *command) == shlex.join(command).replace("'", "")
    finally:
        machine.console("userdel 'ACME\\recovery'")


def setting_variables(machine: Machine, *command: str) -> str:
    """What becomes of a variable that would have the loader run somebody's code as root."""
    script = f"""
        for way in LD_PRELOAD=/tmp/evil.so --preserve-env=PERL5OPT -E; do
            {BECOME} env PERL5OPT=-Mevil sudo -n "$way" -- "$@" >/tmp/said 2>&1
            grep -q "sudo: sorry, you are not allowed" /tmp/said || echo "$way: $(cat /tmp/said)"
        done
        rm -f /tmp/said
    """
    return machine.console(script, *command) or "refused"


def test_a_line_with_setenv_would_be_root(machine: Machine) -> None:
    """What the tests here would see if a line gave too much."""
    with allowed(machine, [f"{ACCOUNT} ALL=(root) NOPASSWD: SETENV: /usr/bin/true"]):
        assert "'/tmp/evil.so' from LD_PRELOAD cannot be preloaded" in setting_variables(
            machine, "/usr/bin/true"
        )


PROCESSES = [
    ProcessRequest(("/usr/bin/true",)),
    ProcessRequest(("/usr/bin/printf", "%s|", "a.b*c[d]", "^x$", "e,f:g=h", "\\\\i#j", "(k){l}|m+n?")),
    ProcessRequest(("/usr/bin/printf", "#1", "!2"), cwd="/var/lib"),
    ProcessRequest(("/bin/sh", "/usr/local/sbin/fix", "dovecot")),
]


@pytest.mark.parametrize("request_", PROCESSES, ids=lambda one: one.arguments[-1])
def test_the_line_of_a_process_allows_it_and_nothing_else(machine: Machine, request_: ProcessRequest) -> None:
    command = (TIMEOUT, "-k", "2", "61", *request_.arguments)
    with allowed(machine, [line_for_process(ACCOUNT, request_)]):
        good = {command, (*command[:3], "7", *command[4:])}
        assert granted(machine, good) == good
        tries = {
            *variations(command),
            (*command[:3], "7;id", *command[4:]),
            (TIMEOUT, "-s", "9", *command[1:]),
            (*command[:4], "/bin/sh", *command[4:]),
            (*command[:4], command[4].replace(".", "x") + "x", *command[5:]),
            request_.arguments,
        }
        assert granted(machine, tries - good) == set()
        assert setting_variables(machine, *command) == "refused"


@pytest.mark.parametrize("way", ["program", "folder", "link"])
def test_a_program_that_others_can_change_gets_no_line(machine: Machine, connect: Connect, way: str) -> None:
    touch = "mkdir /srv/tool && echo true >/srv/tool/fix && chmod 755 /srv/tool/fix"
    make = {
        "program": f"{touch} && chmod 775 /srv/tool/fix",
        "folder": f"{touch} && chown limited /srv/tool",
        "link": "mkdir /srv/tool && ln -s /home/limited/fix /srv/tool/fix && echo true >/home/limited/fix",
    }
    found = {"program": "/srv/tool/fix", "folder": "/srv/tool", "link": "/home/limited"}
    machine.console(make[way])
    try:
        link = connect(ACCOUNT)
        with pytest.raises(PrivilegeMissing) as missing:
            run(lambda _: link, ProcessRequest(("/srv/tool/fix",)), become=True, deadline=Deadline(30))
    finally:
        machine.console("rm -rf /srv/tool /home/limited/fix")
    assert str(missing.value) == (
        "sudo on the machine said 'sudo: a password is required': no line of sudoers can allow just this, "
        f"since others than root can change {found[way]} on the machine; let root own the program and each "
        "folder on the way to it, and nobody else write there"
    )


def test_variables_for_a_process_get_no_line(machine: Machine, connect: Connect) -> None:
    link = connect(ACCOUNT)
    request = ProcessRequest(("/usr/bin/true",), environment={"MODE": "fast"})
    with pytest.raises(PrivilegeMissing, match=r"no line of sudoers can .* LD_PRELOAD among them; put"):
        run(lambda _: link, request, become=True, deadline=Deadline(30))
