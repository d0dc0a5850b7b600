"""A monitoring host as an administrator sets it up: an engine, a definition file, a stored credential.

Everything is real: ``imap4-monitor render`` makes the configuration of a private engine, the engine runs
the check and ``imap4-recovery``, and that goes to the machine over SSH. Only two things are said beside
the definition, by the script that the engine runs as ``imap4-recovery``: the machine's port, and that it
may be rebooted although it was booted a moment ago.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imap4.monitor.engines.icinga2.doctor import PERMISSIONS
from tests.engines import icinga, nagios_core
from tests.engines.recorder import Recorder
from tests.machines.recovery.machine import ADDRESS, Machine, wait_for

ROOT = Path(__file__).parents[3]
PATIENCE = 120
"""Seconds for what takes a few, on a machine that has other things to do."""

DEFAULTS = """\
[defaults]
test_duration = 5
failures_per_alert = 1
maximum_alerts = 20
contacts = ["admins"]
delays = {{ up = 2, down = {down}, lost = 60 }}
recovery = {{ machine = "{address}", credential = "mail", services = ["dovecot"] }}
"""


class Site:
    """One monitoring host. Use it as a context manager."""

    def __init__(self, kind: str, machine: Machine, definition: str, *, down: int = 6) -> None:
        # Short: the paths of Nagios' sockets may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="imap4-site-"))
        self.recorder = Recorder(self.folder / "programs")
        self._environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "IMAP4_RECOVERY_CREDENTIALS": str(self.folder / "credentials"),
            "IMAP4_RECOVERY_KEY": str(self.folder / "key"),
            "IMAP4_RECOVERY_STATE": str(self.folder / "state"),
        }
        (self.folder / "records").mkdir()
        (self.folder / ".ssh").mkdir(mode=0o700)
        known = machine.known_hosts_line().replace(machine.name, ADDRESS, 1)
        (self.folder / ".ssh" / "known_hosts").write_text(known)
        self._secret = (machine.folder / "key").read_text()
        self.recovery(
            *("credentials", "add", "mail", "--account", "root", "--private-key-stdin"),
            *("--machines", "127.0.0.0/8,*.invalid", "--actions", "all"),
            stdin=self._secret,
        )
        defaults = DEFAULTS.format(address=ADDRESS, down=down)
        (self.folder / "monitors.toml").write_text(defaults + definition)
        self._api = ""
        self.engine = self._nagios() if kind == "nagios" else self._icinga()
        self._render(kind, machine)

    def _nagios(self) -> nagios_core.Nagios | icinga.Icinga:
        folder = self.folder / "engine"
        nagios_core.make(folder)
        line = f"{self.recorder.notify} admins '$SERVICEDESC$' '$NOTIFICATIONTYPE$'"
        nagios_core.contact(folder, "admins", line)
        # No variable says where repairs report: the rendered command lines do.
        return nagios_core.Nagios(folder, self._environment)

    def _icinga(self) -> nagios_core.Nagios | icinga.Icinga:
        folder = self.folder / "engine"
        icinga.make(folder)
        macros = '"$user.name$", "$service.name$", "$notification.type$"'
        icinga.user(folder, "admins", f'command = [ "{self.recorder.notify}", {macros} ]')
        # The name of the user and the permissions are those that docs/monitor.md gives.
        api = icinga.api(folder, {"imap4-recovery": PERMISSIONS})
        self._api = f"https://localhost:{api.port}"
        report = {
            "IMAP4_ICINGA_PASSWORD_FILE": str(api.passwords["imap4-recovery"]),
            "IMAP4_ICINGA_CA_FILE": str(api.ca_file),
        }
        return icinga.Icinga(folder, self._environment | report)

    def _render(self, kind: str, machine: Machine) -> None:
        programs = {
            "check": self.recorder.program("check_imap4", "check_imap4"),
            "monitor": self.recorder.program("imap4-monitor", "imap4.monitor.cli"),
            "recovery": self._recovery_script(machine),
        }
        subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "imap4.monitor.cli",
                    "render",
                    kind,
                    str(self.folder / "monitors.toml"),
                ),
                *("-o", str(self.folder / "engine" / "objects")),
                *(part for name, path in programs.items() for part in (f"--{name}-command", path)),
                *("--command-file", str(self.folder / "engine" / "rw" / "nagios.cmd")),
                *("--records", str(self.folder / "records")),
                *(("--icinga-api", self._api) if self._api else ()),
            ],
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def _recovery_script(self, machine: Machine) -> str:
        path = self.folder / "programs" / "imap4-recovery"
        path.write_text(
            "#!/bin/sh\naction=$1; shift\n"
            f'[ "$action" != history ] || exec {shlex.quote(sys.executable)} -m recovery history "$@"\n'
            '[ "$action" != reboot-server ] || set -- --min-uptime 0s "$@"\n'
            f"exec {shlex.quote(sys.executable)} -m recovery "
            f'"$action" --port {machine.ssh_port} "$@"\n'
        )
        path.chmod(0o755)
        return str(path)

    def __enter__(self) -> Site:
        self.engine.start()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.engine.stop()
            if exception[0] is not None:
                print(self.engine.log()[-6000:], self.recovery("history", "list"), sep="\n")
            else:
                self._assert_no_secret_is_readable()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _assert_no_secret_is_readable(self) -> None:
        lines = self._secret.splitlines()[1:-1]
        for path in self.folder.rglob("*"):
            if path.is_file():
                found = path.read_bytes()
                assert not any(line.encode() in found for line in lines), path

    def recovery(self, *arguments: str, stdin: str = "") -> str:
        """What ``imap4-recovery`` says to the administrator."""
        ran = subprocess.run(
            [sys.executable, "-m", "recovery", *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == 0, ran
        return ran.stdout

    def history(self) -> list[dict[str, Any]]:
        """All recoveries, the oldest first, with their steps."""
        numbers = [each["id"] for each in json.loads(self.recovery("history", "list", "--json"))]
        return [json.loads(self.recovery("history", "show", str(each), "--json")) for each in numbers]

    def report(self, begin: float) -> dict[str, Any]:
        """What ``imap4-monitor report`` tells of the time from ``begin`` to now, as JSON."""
        span = [datetime.fromtimestamp(each, UTC).isoformat() for each in (begin, time.time() + 1)]
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "imap4.monitor.cli", "report", "--format", "json"),
                *("-f", str(self.folder / "monitors.toml"), "--timezone", "UTC"),
                *("--records", str(self.folder / "records"), "--store", str(self.folder / "store")),
                *("--recovery-command", str(self.folder / "programs" / "imap4-recovery")),
                *("--from", span[0], "--to", span[1]),
            ],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def notices(self, service: str) -> list[str]:
        """The kinds of the notifications that the administrators got, in their order."""
        return [each.kind for each in self.recorder.notices(service)]

    def wait_for_notice(self, service: str, kind: str) -> None:
        """Wait until the engine has sent it."""
        wait_for(lambda: kind in self.notices(service), PATIENCE, f"{kind} for {service}")

    def wait_until_tested(self, service: str) -> None:
        """Wait until the engine has found the service well."""
        wait_for(lambda: self._is_well(service), PATIENCE, f"a good test of {service}")

    def _is_well(self, service: str) -> bool:
        if isinstance(self.engine, icinga.Icinga):
            # Its log names the program; there is one monitor that tests something.
            return bool(re.search("check_imap4'.* terminated with exit code 0", self.engine.log()))
        found = _blocks(self.engine.folder / "status.dat", "servicestatus", service)
        return any(each["has_been_checked"] == "1" and each["current_state"] == "0" for each in found)

    def comments(self, service: str) -> list[str]:
        """The comments that repairs left on the service, as the engine keeps them, the oldest first."""
        folder = self.folder / "engine"
        if isinstance(self.engine, nagios_core.Nagios):
            found = _blocks(folder / "status.dat", "servicecomment", service)
            mine = [each for each in found if each["author"] == "imap4-recovery"]
            return [each["comment_data"] for each in sorted(mine, key=lambda each: int(each["comment_id"]))]
        texts = [each.read_text() for each in folder.glob("data/api/packages/_api/*/conf.d/comments/*.conf")]
        kept = []
        for text in texts:
            fields = dict(re.findall(r'^\t(\w+) = "?(.*?)"?$', text, re.MULTILINE))
            if (fields["author"], fields["service_name"]) == ("imap4-recovery", service):
                kept.append((float(fields["entry_time"]), fields["text"]))
        return [text for _, text in sorted(kept)]

    def wait_for_comment(self, service: str, pattern: str) -> None:
        """Wait until there is a comment that matches as a whole."""

        def is_there() -> bool:
            return any(re.fullmatch(pattern, each) for each in self.comments(service))

        wait_for(is_there, PATIENCE, f"a comment on {service} like {pattern}")


def _blocks(path: Path, kind: str, service: str) -> list[dict[str, str]]:
    """Nagios' status of one service, block by block."""
    if not path.exists():
        return []
    blocks = re.findall(rf"^{kind} \{{\n(.*?)^\t\}}", path.read_text(), re.DOTALL | re.MULTILINE)
    found = [dict(re.findall(r"^\t(\w+)=(.*)$", each, re.MULTILINE)) for each in blocks]
    return [each for each in found if each["service_description"] == service]
