"""A machine whose services are System V init scripts: Debian's own, with no systemd running.

It is the tree of the other machine, started without its init: the scripts, daemons and PID files are real,
the boot is not. So restarts are proven here, a reboot is not.
"""

from __future__ import annotations

import re

import pytest

from imap4.deadline import Deadline
from recovery.actions.restart_service import plan, run
from recovery.errors import PrivilegeMissing
from recovery.machines.doctor_unix import examine
from recovery.machines.services import list_services
from recovery.model import Outcome, Verdict
from recovery.requests import RestartRequest
from tests.machines.recovery.conftest import credential_for, target_of
from tests.machines.recovery.machine import Machine
from tests.machines.recovery.test_restart_service import way


def restart(machine: Machine, *services: str, account: str = "root") -> Outcome:
    request = RestartRequest(services, settle=0.5)
    return run(way(machine, account), request, become=account != "root", deadline=Deadline(20))


def pid(machine: Machine) -> str:
    return machine.console("cat /run/dovecot/master.pid")


@pytest.fixture(autouse=True)
def _dependent(sysv_machine: Machine) -> None:
    """An init script that needs Dovecot, by its LSB header."""
    sysv_machine.console("""
        cat >/etc/init.d/webmail <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          webmail
# Required-Start:    $remote_fs dovecot
# Short-Description: Web mail
### END INIT INFO
. /lib/lsb/init-functions
PIDFILE=/run/webmail.pid
case $1 in
start) start-stop-daemon --start --background --make-pidfile --pidfile $PIDFILE --exec /bin/sleep -- 9001 ;;
stop) start-stop-daemon --stop --oknodo --remove-pidfile --pidfile $PIDFILE ;;
restart) "$0" stop; "$0" start ;;
status) status_of_proc -p $PIDFILE /bin/sleep webmail ;;
esac
END
        chmod 755 /etc/init.d/webmail; rm -f /etc/init.d/broken
        /etc/init.d/dovecot start; /etc/init.d/webmail start""")


def test_dovecot_is_restarted_with_what_needs_it(sysv_machine: Machine) -> None:
    old, old_webmail = pid(sysv_machine), sysv_machine.console("cat /run/webmail.pid")
    outcome = restart(sysv_machine, "dovecot")
    new = pid(sysv_machine)
    assert new != old
    assert re.fullmatch(rf"running again after \d+\.\d s \(PID {old} -> {new}\)", outcome.summary)
    assert outcome.verdict is Verdict.PROVEN
    assert sysv_machine.console("cat /run/webmail.pid") != old_webmail


def test_dead_dovecot_runs_again(sysv_machine: Machine) -> None:
    sysv_machine.console("kill -KILL $(cat /run/dovecot/master.pid); sleep 0.2")
    outcome = restart(sysv_machine, "dovecot", account="admin")
    assert f"(PID none -> {pid(sysv_machine)})" in outcome.summary
    assert outcome.verdict is Verdict.PROVEN


def test_script_that_only_says_ok_is_not_believed(sysv_machine: Machine) -> None:
    sysv_machine.console("printf '#!/bin/sh\\nexit 0\\n' >/etc/init.d/broken; chmod 755 /etc/init.d/broken")
    request = RestartRequest(("broken",), settle=0.5)
    outcome = run(way(sysv_machine), request, deadline=Deadline(5))
    assert outcome.verdict is Verdict.NOT_PROVEN
    assert outcome.summary.startswith("restart asked for, but not proven: ")


def test_unknown_script_is_a_failure(sysv_machine: Machine) -> None:
    outcome = restart(sysv_machine, "dovecott")
    assert outcome.summary == "dovecott does not exist on the machine (not-found); nothing was done"


def test_missing_sudo_names_the_lines(sysv_machine: Machine) -> None:
    with pytest.raises(PrivilegeMissing, match="/usr/sbin/service dovecot restart; "):
        restart(sysv_machine, "dovecot", account="plain")


def test_plan_services_and_doctor_know_the_platform(sysv_machine: Machine) -> None:
    lines = plan(way(sysv_machine), RestartRequest(("dovecot.service",)), deadline=Deadline(10)).lines
    assert lines[0] == "the machine runs System V init"
    assert "would restart what depends on it and runs: webmail" in lines
    (dovecot,) = list_services(way(sysv_machine), "dovecot", deadline=Deadline(10))
    assert (dovecot.state, dovecot.dependents) == ("active", ("webmail",))
    found = examine(
        target_of(sysv_machine),
        credential_for(sysv_machine),
        ["dovecot"],
        deadline=Deadline(10),
        known_hosts=sysv_machine.known_hosts,
    )
    assert all(finding.ok for finding in found)
