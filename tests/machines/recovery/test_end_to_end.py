"""From the definition file to the recovery notification: a real engine, a real machine, a real outage."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.engines.nagios_core import Nagios
from tests.machines.recovery.machine import ADDRESS, Machine, wait_for
from tests.machines.recovery.site import PATIENCE, Site

WHERE = re.escape(ADDRESS)
RESTARTED = (
    rf"OK - restart-service dovecot on {WHERE}: running again after [0-9.]+ s "
    r"\(.*invocation (?P<old>[0-9a-f]{4}) to (?P<new>[0-9a-f]{4}).*\), IMAP4 OK - .* \(recovery 1\)"
)


def mail(machine: Machine, *actions: str) -> str:
    """The machine's own monitor, with these actions."""
    tables = "".join(f"[[monitor.recovery.action]]\n{each}\n" for each in actions)
    where = f'address = "{ADDRESS}"\nport = {machine.imap_port}'
    return f'[[monitor]]\nhost = "mail"\nname = "Mail"\n{where}\n{tables}'


def kill_dovecot(machine: Machine) -> None:
    """End all of its processes, as the kernel does when memory is short."""
    machine.console("systemctl kill -s KILL dovecot; until ! systemctl -q is-active dovecot; do :; done")


def invocation(machine: Machine) -> str:
    return machine.console("systemctl show -p InvocationID --value dovecot")


def boot_id(machine: Machine) -> str:
    return machine.console("cat /proc/sys/kernel/random/boot_id")


@pytest.fixture(autouse=True)
def well(machine: Machine) -> Iterator[None]:
    """The machine's Dovecot runs before and after each test, whatever that did to it."""

    def mend() -> None:
        machine.console(
            "rm -rf /run/systemd/system/dovecot.service.d; systemctl daemon-reload;"
            "systemctl reset-failed dovecot; systemctl start dovecot webmail indexer"
        )
        wait_for(lambda: machine.answers(machine.imap_port, b"* OK"), PATIENCE, "Dovecot greets")

    mend()
    yield
    machine.wait_until_up()
    mend()


@pytest.mark.parametrize("kind", ["nagios", "icinga2"])
def test_a_killed_dovecot_is_restarted_proven_and_told(machine: Machine, kind: str) -> None:
    before = invocation(machine)
    with Site(kind, machine, mail(machine, 'do = "restart-service"\nalerts = "1-2"')) as site:
        begun = time.time()
        site.wait_until_tested("Mail")
        assert site.notices("Mail") == []
        killed = time.time()
        kill_dovecot(machine)
        site.wait_for_comment("Mail", RESTARTED)
        site.wait_for_notice("Mail", "RECOVERY")
        recovered = time.time()
        kinds = site.notices("Mail")
        assert (kinds[0], kinds[-1], kinds.count("RECOVERY")) == ("PROBLEM", "RECOVERY", 1)
        told = re.fullmatch(RESTARTED, site.comments("Mail")[0])
        assert told
        assert (told["old"], told["new"]) == (before[:4], invocation(machine)[:4])
        first = site.history()[0]
        assert first["state"] == "proven"
        assert first["reason"] == "CRITICAL HARD, alert 1, [connect.refused], 1 of 3 in 1h"
        assert first["steps"][-1]["text"] == "a comment on mail/Mail"
        if isinstance(site.engine, Nagios):
            log = site.engine.log()
            assert re.search(
                rf"SERVICE ALERT: mail;Mail;CRITICAL;HARD;1;IMAP4 CRITICAL - {WHERE}.*\[connect\.refused\]",
                log,
            )
            assert re.search(r"SERVICE ALERT: mail;Mail;OK;HARD;1;IMAP4 OK", log)
        told_by_report(site.report(begun), first, killed, recovered)


def told_by_report(report: dict[str, Any], repair: dict[str, Any], killed: float, recovered: float) -> None:
    """The report has the outage with its seconds, and the repair with its proof."""

    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    (mail,) = report["monitors"]
    assert (mail["name"], mail["outages"], mail["repairs_proven"]) == ("Mail", 1, 1)
    (story,) = mail["stories"]
    begin, end = seconds(story["begin"]), seconds(story["end"])
    assert killed - 0.01 <= begin <= end <= recovered
    assert (story["cause"], story["recovery_due"]) == ("connect.refused", ["admins"])
    assert abs(story["down_s"] - (end - begin)) < 0.002
    # One failure is an alert here: the test that began the outage.
    assert (story["alerts"][0]["time"], story["alerts"][0]["due"]) == (story["begin"], ["admins"])
    told = story["repairs"][0]
    assert (told["what"], told["state"]) == (f"restart-service dovecot on {ADDRESS}", "proven")
    assert abs(seconds(told["asked"]) - repair["asked"]) < 0.002
    assert abs(seconds(told["ended"]) - repair["ended"]) < 0.002
    assert begin <= seconds(told["asked"]) <= seconds(told["ended"])
    assert abs(story["repaired_after_s"] - (repair["ended"] - begin)) < 0.002
    assert re.match("invocation [0-9a-f]{4} -> [0-9a-f]{4}", told["proof"])


def test_a_dovecot_that_will_not_start_is_rebooted_at_alert_3(machine: Machine) -> None:
    old = boot_id(machine)
    actions = ('do = "restart-service"\nalerts = "1-2"', 'do = "reboot-server"\nalerts = "3-"')
    with Site("nagios", machine, mail(machine, *actions)) as site:
        site.wait_until_tested("Mail")
        # /run does not outlive a reboot, so what is broken there is mended by one.
        machine.console(
            "mkdir -p /run/systemd/system/dovecot.service.d;"
            "printf '[Service]\\nExecStartPre=/bin/false\\n'"
            " >/run/systemd/system/dovecot.service.d/broken.conf; systemctl daemon-reload"
        )
        kill_dovecot(machine)
        failed = rf"CRITICAL - restart-service dovecot on {WHERE}: dovecot\.service does not run: failed .*"
        site.wait_for_comment("Mail", failed)
        site.wait_for_notice("Mail", "RECOVERY")
        up = rf"OK - reboot-server on {WHERE}: up again after [0-9.]+ s \(boot id {old[:4]} to \w+\)"
        site.wait_for_comment("Mail", rf"{up}.*, IMAP4 OK - .* \(recovery \d+\)")
        assert boot_id(machine) != old
        begun = [each for each in site.history() if each["started"]]
        reboot = next(each for each in begun if each["action"] == "reboot-server")
        assert re.match("CRITICAL HARD, alert ([3-9]|1[0-9]), ", reboot["reason"])
        assert [(each["action"], each["state"]) for each in begun] == [
            ("restart-service", "failed"),
            ("reboot-server", "proven"),
        ]
        assert site.notices("Mail")[-1] == "RECOVERY"


def test_with_a_name_that_does_not_resolve_nothing_is_touched(machine: Machine) -> None:
    """The first monitor's own address has no name; the second's repair goes to a machine without one."""
    action = '[[monitor.recovery.action]]\ndo = "restart-service"\n'
    definition = (
        f'[[monitor]]\nhost = "mail"\nname = "No address"\naddress = "nowhere.invalid"\n{action}'
        f'[[monitor]]\nhost = "mail"\nname = "No machine"\naddress = "{ADDRESS}"\nport = 1\n'
        f'recovery.machine = "nowhere.invalid"\n{action}'
    )
    before = (invocation(machine), boot_id(machine), machine.console("journalctl -u ssh -o cat | wc -l"))
    with Site("nagios", machine, definition) as site:
        site.wait_for_comment(
            "No address",
            rf"OK - restart-service dovecot on {WHERE}: skipped: "
            r"cause dns\.\w+ is not one that this repair can mend \(recovery \d+\)",
        )
        site.wait_for_comment(
            "No machine",
            r"CRITICAL - restart-service dovecot on nowhere\.invalid: nowhere\.invalid: .* \(recovery \d+\)",
        )
        assert [each for each in site.history() if each["started"]] == []
    after = (invocation(machine), boot_id(machine), machine.console("journalctl -u ssh -o cat | wc -l"))
    assert after == before


def test_a_recovery_survives_the_stop_of_the_engine_that_began_it(machine: Machine) -> None:
    """Nagios is stopped and what is left of its session killed; the repair tells the next Nagios."""
    definition = (
        f'[[monitor]]\nhost = "mail"\nname = "Down"\naddress = "{ADDRESS}"\nport = 1\nmaximum_alerts = 1\n'
        "recovery.verify = false\n"
        '[[monitor.recovery.action]]\ndo = "external-process"\ntimeout = 120\n'
        'command = ["/bin/sh", "-c", "echo begun >/run/begun; until test -e /run/go; do sleep 0.1; done"]\n'
    )
    machine.console("rm -f /run/begun /run/go")
    with Site("nagios", machine, definition) as site:
        wait_for(lambda: machine.console("cat /run/begun") == "begun", PATIENCE, "the process runs")
        site.engine.stop()
        site.engine.start()
        assert [each["state"] for each in site.history()] == ["running"]
        machine.console("touch /run/go")
        site.wait_for_comment("Down", rf"OK - external-process /bin/sh on {WHERE}: .* \(recovery 1\)")
        [only] = site.history()
        assert (only["state"], only["event"]["service"]) == ("proven", "Down")
