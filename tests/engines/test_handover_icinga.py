"""An Icinga 2 master with a satellite: the satellite forks the plugin, which asks the worker beside it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from tests.engines import icinga, icinga_eyes
from tests.engines.icinga_nodes import Nodes
from tests.machines.plugin import ROOT
from tests.machines.scripted import ScriptedServer
from tests.machines.serving import BIN, Serving, checked, freezer, serving

NODES = ("master", "satellite")
SERVICES = ("in its zone", "on its endpoint")
MAIN = """\
include <itl>
const PluginDir = "{plugins}"
const NodeName = "{name}"
const ZoneName = "{name}"
{endpoints}
object Zone "master" {{ endpoints = [ "master" ] }}
object Zone "satellite" {{
  endpoints = [ "satellite" ]
  parent = "master"
}}
object CheckerComponent "checker" {{ }}
object FileLogger "main-log" {{ path = "{folder}/icinga2.log" }}
object ApiListener "api" {{
  bind_host = "127.0.0.1"
  bind_port = {port}
  accept_config = true
  accept_commands = true
}}
object ApiUser "eyes" {{
  password = "eyes"
  permissions = [ "objects/query/*", "actions/reschedule-check" ]
}}
include "{root}/contrib/icinga2/check_imap4.conf"
"""
HOST = """\
object Host "mail" {{
  check_command = "dummy"
  enable_active_checks = false
  address = "127.0.0.1"
}}
object Service "{service}" {{
  host_name = "mail"
  check_command = "imap4"
  check_interval = 1h
  {more}
  vars.imap4_port = {port}
  vars.imap4_timeout = "8"
}}
"""


class Site:
    """Two nodes, and the worker of the satellite."""

    def __init__(self, folder: Path, worker: Serving, server: ScriptedServer) -> None:
        self.worker = worker
        self.server = server
        self.folder = folder
        self._nodes = Nodes(folder, NODES)
        for name in NODES:
            self._nodes.configure(name, MAIN, plugins=BIN, root=ROOT)
        self._service("satellite", SERVICES[0], "")
        self._service("master", SERVICES[1], 'command_endpoint = "satellite"')
        asks = {"master": "off", "satellite": str(worker.folder / "between.sock")}
        self.nodes = {
            name: icinga.Icinga(folder / name, {"IMAP4_WORKER": asks[name]}, icinga.PROGRAM) for name in NODES
        }

    def _service(self, zone: str, service: str, more: str) -> None:
        folder = self.folder / "master" / "zones.d" / zone
        folder.mkdir(parents=True)
        text = HOST.format(service=service, more=more, port=self.server.port)
        (folder / "objects.conf").write_text(text.replace('"mail"', f'"mail-{zone}"'))

    def result(self, zone: str, service: str) -> dict[str, object]:
        """The next result, as the master has it."""
        name, deadline = f"mail-{zone}!{service}", Deadline(120)
        master, scheduler = self._nodes.eyes("master"), self._nodes.eyes(zone)
        begun, asked = self._end(master, name), 0.0
        while self._end(master, name) <= begun:
            assert not deadline.expired, "there was no result"
            # The satellite has the service as soon as it has the configuration.
            if time.monotonic() - asked > 5:
                with suppress(OSError):
                    scheduler.act("reschedule-check", {"type": "Service", "service": name, "force": True})
                    asked = time.monotonic()
            time.sleep(0.1)
        result: dict[str, object] = master.attributes("services", name)["last_check_result"]
        return result

    @staticmethod
    def _end(eyes: icinga_eyes.IcingaEyes, name: str) -> float:
        result = eyes.attributes("services", name)["last_check_result"]
        return result["execution_end"] if result else 0.0


@pytest.fixture(scope="module")
def freezing() -> threading.Event:
    """Whether the worker is frozen by the next test's server."""
    return threading.Event()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, freezing: threading.Event) -> Iterator[Site]:
    with (
        serving("--workers", "1", "--stall", "60") as worker,
        ScriptedServer(freezer(worker, freezing)) as server,
    ):
        made = Site(tmp_path_factory.mktemp("site"), worker, server)
        try:
            for node in made.nodes.values():
                node.start()
            yield made
        finally:
            for node in made.nodes.values():
                node.stop()


def line(text: str) -> str:
    return re.sub(r"[0-9]+\.[0-9]{3,6}", "T", text.partition(" | ")[0]).strip()


@pytest.mark.parametrize(("zone", "service"), [("satellite", SERVICES[0]), ("master", SERVICES[1])])
@pytest.mark.parametrize("freezes", [False, True], ids=["answers", "freezes"])
def test_a_satellite_has_the_verdict(
    site: Site, freezing: threading.Event, zone: str, service: str, freezes: bool
) -> None:
    answers = len(site.worker.answers)
    if freezes:
        freezing.set()
    result = site.result(zone, service)
    if freezes:
        os.kill(site.worker.workers[0], signal.SIGCONT)
    else:
        assert {answer[:1] for answer in site.worker.answers[answers:]} == {b"D"}
    assert not freezing.is_set()
    assert (result["state"], result["check_source"]) == (0, "satellite")
    here = checked("-H", "127.0.0.1", "-p", str(site.server.port), "-t", "8")
    assert line(str(result["output"])) == line(here.output)
