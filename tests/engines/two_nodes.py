"""Two Icinga 2 nodes in one zone, of which the one that tests goes away in the outage."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Definition
from tests.engines import icinga
from tests.engines.icinga_nodes import Nodes
from tests.engines.recorder import Recorder
from tests.engines.situations import GROUP, Situation, monitor, write_check

NODES = ("one", "two")
# At the gate the node that tests is stopped; the results after it are the other one's.
SITUATION = Situation("two nodes", 1, 6, "+--------++", {4: ["failover"]})
MAIN = """\
include <itl>
include <plugins>
const PluginDir = "/usr/lib/nagios/plugins"
const NodeName = "{name}"
const ZoneName = "master"
{endpoints}
object Zone ZoneName {{ endpoints = [ "one", "two" ] }}
object CheckerComponent "checker" {{ }}
object NotificationComponent "notification" {{ }}
object FileLogger "main-log" {{
  severity = "notice"
  path = "{folder}/icinga2.log"
}}
object ApiListener "api" {{
  bind_host = "127.0.0.1"
  bind_port = {port}
  accept_config = {accepts}
}}
object ApiUser "eyes" {{
  password = "eyes"
  permissions = [ "objects/query/*", "actions/reschedule-check" ]
}}
"""


class Zone:
    """The two nodes; the first has the configuration, and gives it to the second."""

    def __init__(self, folder: Path, accepts: bool = True) -> None:
        """
        Args:
            accepts: whether the first takes what the second has counted and sent (``accept_config``).
        """
        folder.mkdir()
        self.folder = folder
        self.recorder = Recorder(folder / "recorder")
        self.monitor = monitor(SITUATION, 99)
        nodes = Nodes(folder, NODES)
        for name in NODES:
            nodes.configure(name, MAIN, accepts=str(accepts or name != "one").lower())
        self.eyes = nodes.eyes
        """Asks one of the nodes."""
        zone = folder / "one" / "zones.d" / "master"
        zone.mkdir(parents=True)
        programs = Programs(
            check=write_check(folder, {self.monitor.port: SITUATION}), recovery=self.recorder.recovery
        )
        macros = '"$user.name$", "$service.name$", "$notification.type$"'
        (zone / "a-site.conf").write_text(
            'object UserGroup "admins" { }\nobject User "boss" { }\n'
            + "".join(f'object User "{name}" {{ groups = [ "admins" ] }}\n' for name in GROUP)
            + 'object NotificationCommand "mail-service-notification" {\n'
            f'  command = [ "{self.recorder.notify}", {macros} ]\n}}\n'
        )
        write(zone, icinga2.render(Definition("two.toml", (self.monitor,)), programs))
        self.nodes = {name: icinga.Icinga(folder / name) for name in NODES}
        self._stopped = ""
        self._aborted: Path | None = None
        self._asked = 0.0

    def testers(self) -> list[str]:
        """The nodes that run and that test the service."""
        service = f"{self.monitor.host}!{self.monitor.service}"
        names = []
        for name in NODES:
            with suppress(OSError, IndexError):
                if not self.eyes(name).attributes("services", service)["paused"]:
                    names.append(name)
        return names

    def start(self) -> None:
        """Start both."""
        for node in self.nodes.values():
            node.start()

    def stop(self) -> None:
        """Stop what runs."""
        for node in self.nodes.values():
            with suppress(OSError):
                node.stop()

    def step(self) -> bool:
        """Do what is due; whether all is over."""
        port = self.monitor.port
        tests = self.recorder.tests(port)
        if len(tests) >= len(SITUATION.results):
            return True
        gate, begun = (self.folder / f"{name}-{port}-{len(tests)}" for name in ("gate", "begun"))
        abort = self.folder / f"abort-{port}"
        if self._aborted and not self._aborted.exists():
            abort.unlink(missing_ok=True)
            gate.unlink()
            self._aborted = None
        elif gate.exists() and begun.exists() and not self._stopped:
            (self._stopped,) = self.testers()
            self.nodes[self._stopped].stop()
            # The test that was under way is gone with it: the other one makes it again.
            self._aborted = begun
            abort.touch()
        elif (not tests or tests[-1].status == 0) and time.monotonic() - self._asked > 5:
            self._force()
        return False

    def _force(self) -> None:
        """Have the service tested now, by whom it is tested; before the first test, when that is settled."""
        if not self.recorder.tests(self.monitor.port) and len(self.testers()) != 1:
            return
        for name in set(NODES) - {self._stopped}:
            with suppress(OSError):
                self.eyes(name).force(self.monitor.host, self.monitor.service)
        self._asked = time.monotonic()
