"""Rendered repairs before ``imap4-recovery`` itself: it understands options and event of both engines."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.monitor.definition.reader import load
from imap4.monitor.engines.command_lines import Programs, recovery_arguments

TOP = Path(__file__).parents[5]
RECOVERY = load(Path(__file__).parents[1] / "golden" / "definition.toml").monitors[0]
TOLD = {
    "HOSTNAME": "mail",
    "HOSTADDRESS": "192.0.2.7",
    "SERVICEDESC": "Mail _Berlin_",
    "SERVICESTATE": "CRITICAL",
    "SERVICESTATETYPE": "HARD",
    "SERVICEATTEMPT": "3",
    "NOTIFICATIONTYPE": "PROBLEM",
    "SERVICEPROBLEMID": "17",
    "SERVICEDOWNTIME": "0",
    "HOSTDOWNTIME": "0",
    "SERVICEOUTPUT": "IMAP4 CRITICAL - 192.0.2.7:143 connection refused [connect.refused]",
    "ALERT": "9",
}


@pytest.mark.parametrize(("port", "jump"), [(None, ()), (2222, ("gate@gate1", "gate2:2222"))])
@pytest.mark.parametrize("event", ["nagios", "icinga"])
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "restart-service dovecot on mail.example.org{}: skipped: alert 9 is outside 1-2"),
        (1, "reboot-server on mail.example.org{}: skipped: alert 9 is outside 3"),
    ],
)
def test_recovery_understands_what_is_rendered(
    tmp_path: Path, event: str, number: int, said: str, port: int | None, jump: tuple[str, ...]
) -> None:
    """The alert is one at which nothing is to be done, so it decides and nothing else."""
    monitor = replace(RECOVERY, recovery=replace(RECOVERY.recovery, port=port, jump=jump))
    arguments = recovery_arguments(monitor, monitor.recovery.actions[number], Programs(), event)[1:]
    said = said.format(" through gate1, gate2" if jump else "")
    told = {f"{event.upper()}_{name}": text for name, text in TOLD.items()}
    ended = subprocess.run(
        [sys.executable, "-m", "recovery", *arguments],
        env={**os.environ, **told, "PYTHONPATH": str(TOP), "IMAP4_RECOVERY_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (f"OK - {said}\n", "", 0)
