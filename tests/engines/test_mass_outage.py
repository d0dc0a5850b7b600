"""An outage of everything in a real Nagios: a worker needs no fork for it, and its end is no trouble."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.nagios import objects
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Contact, Definition, Monitor
from imap4.monitor.states import Delays, Rules
from tests.engines import nagios_core
from tests.engines.nagios import Worker, wait_until

BIN = Path(sys.executable).parent
MONITORS = 5
# Nobody is told before the worker has been killed: then what is silent can be seen alone.
RULES = Rules(Delays(up=2, warn=1, down=1, lost=1), failures_per_alert=9, maximum_alerts=1)


class Site:
    """An engine whose monitors all fail from the beginning."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.notified = folder / "notified"
        definition = Definition(
            "m.toml",
            tuple(
                Monitor(
                    f"M{n}",
                    "127.0.0.1",
                    "mail",
                    f"M{n}",
                    port=port,
                    rules=RULES,
                    contacts=(Contact("admins"),),
                )
                for n in range(MONITORS)
            ),
        )
        programs = Programs(
            check=str(BIN / "check_imap4"),
            monitor=str(BIN / "imap4-monitor"),
            command_file=str(folder / "rw" / "nagios.cmd"),
            records="",
            interval_length=1,
        )
        nagios_core.make(folder, 1)
        said = f"/bin/sh -c 'echo $SERVICEDESC$ $NOTIFICATIONTYPE$ >> {self.notified}'"
        nagios_core.contact(folder, "admins", said)
        write(folder / "objects", objects.render(definition, programs))
        self.nagios = nagios_core.Nagios(folder)

    def failures(self) -> dict[str, list[int]]:
        """What the event handler has counted, test by test."""
        found: dict[str, list[int]] = {}
        for name, count in re.findall(
            r"CHANGE_CUSTOM_SVC_VAR;mail;(M\d+);IMAP4_COUNT;[^:\n]+:(\d+):", self.nagios.log()
        ):
            found.setdefault(name, []).append(int(count))
        return found

    def least(self) -> int:
        """The lowest count of all monitors."""
        found = self.failures()
        return min(map(max, found.values())) if len(found) == MONITORS else 0

    def told(self) -> list[str]:
        """Whom the site has told, sorted."""
        return sorted(self.notified.read_text().splitlines()) if self.notified.exists() else []


def children_reaped(leaders: list[int]) -> dict[int, int]:
    """By process of these sessions: the page faults of children that it has waited for (proc(5), cminflt).

    None can be started and reaped without some.
    """
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) in leaders:
                found[int(path.parent.name)] = int(fields[8])
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, socket.socket]]:
    folder = Path(tempfile.mkdtemp(prefix="imap4-outage-"))
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))  # nobody listens there yet: refused
        made = Site(folder, port.getsockname()[1])
        try:
            yield made, port
        finally:
            made.nagios.stop()
            shutil.rmtree(folder, ignore_errors=True)


def test_an_outage_forks_nothing_and_outlasts_its_worker(site: tuple[Site, socket.socket]) -> None:
    made, _ = site
    with Worker(made.folder, made.folder / "rw" / "nagios.qh") as worker:
        made.nagios.start()
        wait_until(lambda: made.nagios.log().count("Registry request: name=imap4-worker-") == 6)
        begun = made.least()
        wait_until(lambda: made.least() > begun, 60)
        before = children_reaped([made.nagios.pid, worker.process.pid])
        # With the supervisor, two workers; Nagios, its own workers and the reader of the command file.
        assert len(before) > 6
        counted, silences = made.least(), made.nagios.log().count(";imap4-silence;")
        wait_until(lambda: made.least() >= counted + 2, 60)
        assert children_reaped([made.nagios.pid, worker.process.pid]) == before
        assert made.nagios.log().count(";imap4-silence;") >= silences + 2 * MONITORS
        assert made.told() == []
        os.killpg(worker.process.pid, signal.SIGKILL)
    counted = made.least()
    wait_until(lambda: made.least() >= 9, 120)
    after = children_reaped([made.nagios.pid])
    assert sum(after.values()) > sum(before[pid] for pid in after if pid in before)


def test_every_failing_test_was_counted_once(site: tuple[Site, socket.socket]) -> None:
    for counts in site[0].failures().values():
        # Nagios has this much of one outage: no count of it is left out, repeated or begun anew.
        assert counts == list(range(1, len(counts) + 1))


def test_alert_and_recovery_were_told_once(site: tuple[Site, socket.socket]) -> None:
    made, port = site
    alerts = sorted(f"M{n} PROBLEM" for n in range(MONITORS))
    wait_until(lambda: made.told() == alerts)
    port.listen(100)
    port.settimeout(60)
    with Worker(made.folder, made.folder / "rw" / "nagios.qh"):
        both = sorted([*alerts, *(f"M{n} RECOVERY" for n in range(MONITORS))])
        held = []
        while made.told() != both:
            peer, _ = port.accept()
            peer.sendall(b"* OK ready\r\n")
            held.append(peer)
            words = peer.recv(100).split()
            if words:
                peer.sendall(b"* BYE\r\n" + words[0] + b" OK done\r\n")
            peer.close()
        up = r"CHANGE_CUSTOM_SVC_VAR;mail;M\d+;IMAP4_COUNT;(?:-|left)\n"
        wait_until(lambda: len(re.findall(up, made.nagios.log())) >= MONITORS)
    assert made.told() == both
