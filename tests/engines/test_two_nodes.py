"""Two Icinga 2 nodes in one zone: one count for both, also when the node that tests goes away."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Definition
from tests.engines import acting, icinga
from tests.engines.recorder import Recorder
from tests.engines.situations import GROUP, Situation, found, mistakes, monitor, write_check

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
  accept_config = true
}}
object ApiUser "eyes" {{
  password = "eyes"
  permissions = [ "objects/query/*", "actions/reschedule-check" ]
}}
"""


class Zone:
    """The two nodes; the first has the configuration, and gives it to the second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = Recorder(folder / "recorder")
        self.monitor = monitor(SITUATION, 99)
        authority = trustme.CA()
        self._ports = {}
        for name in NODES:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._ports[name] = free.getsockname()[1]
        for name in NODES:
            self._make(name, authority)
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

    def _make(self, name: str, authority: trustme.CA) -> None:
        folder = self.folder / name
        icinga.make(folder)
        endpoints = "\n".join(
            f'object Endpoint "{each}" {{ host = "127.0.0.1"\n  port = "{port}" }}'
            for each, port in self._ports.items()
        )
        text = MAIN.format(name=name, endpoints=endpoints, folder=folder, port=self._ports[name])
        (folder / "icinga2.conf").write_text(text)
        certificate = authority.issue_cert(name, "localhost", common_name=name)
        certs = folder / "data" / "certs"
        authority.cert_pem.write_to_path(certs / "ca.crt")
        certificate.cert_chain_pems[0].write_to_path(certs / f"{name}.crt")
        certificate.private_key_pem.write_to_path(certs / f"{name}.key")
        (folder / "password").write_text("eyes")

    def eyes(self, name: str) -> acting.IcingaEyes:
        """Asks one of the nodes."""
        folder = self.folder / name
        api = icinga.Api(
            self._ports[name], folder / "data" / "certs" / "ca.crt", {"eyes": folder / "password"}
        )
        return acting.IcingaEyes(api, "eyes")

    def testers(self) -> list[str]:
        """The nodes that run and that test the service."""
        service = f"{self.monitor.host}!{self.monitor.service}"
        names = []
        for name in NODES:
            with suppress(OSError, IndexError):
                if not self.eyes(name).attributes("services", service)["paused"]:
                    names.append(name)
        return names


def until(condition: object, deadline: Deadline) -> None:
    """Wait for a condition."""
    assert callable(condition)
    while not condition():
        assert not deadline.expired, "it did not happen"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    """The nodes after an outage in which the one that tested has gone."""
    made = Zone(tmp_path_factory.mktemp("zone"))
    port = made.monitor.port
    deadline = Deadline(600)
    try:
        for node in made.nodes.values():
            node.start()
        until(lambda: len(made.testers()) == 1, deadline)
        force = {"type": "Service", "service": f"{made.monitor.host}!{made.monitor.service}", "force": True}
        asked, stopped = 0.0, ""
        while len(made.recorder.tests(port)) < len(SITUATION.results) and not deadline.expired:
            time.sleep(0.3)
            tests = made.recorder.tests(port)
            gate, begun = (made.folder / f"{name}-{port}-{len(tests)}" for name in ("gate", "begun"))
            if gate.exists() and begun.exists() and not stopped:
                (stopped,) = made.testers()
                made.nodes[stopped].stop()
                # The test that was under way is gone with it: the other one makes it again.
                abort = made.folder / f"abort-{port}"
                abort.touch()
                until(lambda path=begun: not path.exists(), deadline)
                abort.unlink()
                gate.unlink()
            passed = not tests or tests[-1].status == 0
            if passed and time.monotonic() - asked > 5:
                for name in set(NODES) - {stopped}:
                    with suppress(OSError):
                        made.eyes(name).act("reschedule-check", force)
                asked = time.monotonic()
        # The last notifications are sent after the last tests.
        time.sleep(3)
        yield made
    finally:
        for node in made.nodes.values():
            with suppress(OSError):
                node.stop()


def test_alerts_repairs_and_recoveries_are_one_sequence_over_both_nodes(zone: Zone) -> None:
    tests = zone.recorder.tests(zone.monitor.port)
    assert len(tests) >= len(SITUATION.results), "".join(node.log()[-2000:] for node in zone.nodes.values())
    seen = found(SITUATION, zone.monitor.port, zone.recorder)
    assert mistakes(SITUATION.expected(early=False), seen) == []
