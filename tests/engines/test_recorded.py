"""An outage in a real Nagios and a real Icinga 2, made and ended by the server, as the report tells it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from imap4.deadline import Deadline
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.nagios.command_file import send
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.model import Contact, Definition, Monitor
from imap4.monitor.records.manifest import load
from imap4.monitor.states import Delays, Rules
from tests.engines import icinga, icinga_eyes, nagios_core
from tests.engines.acting import commands
from tests.engines.nagios import wait_until
from tests.machines.scripted import Peer, ScriptedServer, good

PLUGIN = str(Path(sys.executable).with_name("check_imap4"))
RULES = Rules(Delays(2, 1, 1, 1), failures_per_alert=2, maximum_alerts=1)
FAILING = range(3, 7)
"""Which tests find a server that says BYE."""


class Made(NamedTuple):
    """What was done, and what is recorded of it."""

    folder: Path
    came: list[float]
    """When the server was connected to, by its own clock, which is ours."""

    def command(self, *arguments: str) -> dict[str, Any] | list[Any]:
        """What one of the commands says as JSON."""
        where = ["--records", str(self.folder / "records"), "--store", str(self.folder / "store")]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "imap4.monitor.cli",
                *arguments,
                "-f",
                str(self.folder / "m.toml"),
                *where,
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stderr == ""
        found: dict[str, Any] | list[Any] = json.loads(done.stdout)
        return found

    def states(self) -> list[tuple[str, str]]:
        """State and downtime of every test."""
        text = "".join(path.read_text() for path in (self.folder / "records").glob("*.tsv"))
        return [(fields[5], fields[16]) for line in text.split("\n") if len(fields := line.split("\t")) > 1]


@pytest.fixture(scope="module", params=["nagios", "icinga2"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Tests until the outage is over and one was in a downtime."""
    folder = Path(tempfile.mkdtemp(prefix="imap4-recorded-"))
    (folder / "records").mkdir()
    came: list[float] = []

    def serve(peer: Peer) -> None:
        came.append(time.time())
        if len(came) in FAILING:
            peer.send("* BYE down for once\r\n")
        else:
            good(peer)

    with ScriptedServer(serve) as server:
        monitor = Monitor(
            "Mail", "127.0.0.1", "mail", "M 1", port=server.port, rules=RULES, contacts=(Contact("admins"),)
        )
        (folder / "m.toml").write_text(
            f'[[monitor]]\nname = "Mail"\nid = "M 1"\naddress = "127.0.0.1"\nhost = "mail"\n'
            f"port = {server.port}\n"
            'contacts = ["admins"]\nfailures_per_alert = 2\nmaximum_alerts = 1\n'
            "delays = { up = 2, warn = 1, down = 1, lost = 1 }\n"
        )
        (folder / "history.json").write_text("[]")
        engine, plan = _engine(request.param, folder, monitor)
        result = Made(folder, came)
        try:
            engine.start()
            wait_until(lambda: len(result.states()) > FAILING.stop + 1, 90)
            plan()
            wait_until(lambda: ("0", "1") in result.states(), 60)
            yield result
        finally:
            engine.stop()
            shutil.rmtree(folder, ignore_errors=True)


# What PNP4Nagios' manual has Nagios write for its spool ("Bulk Mode", "Bulk Mode with NPCD").
_FIELDS = (
    *("DATATYPE::SERVICEPERFDATA", "TIMET::$TIMET$", "HOSTNAME::$HOSTNAME$", "SERVICEDESC::$SERVICEDESC$"),
    *("SERVICEPERFDATA::$SERVICEPERFDATA$", "SERVICECHECKCOMMAND::$SERVICECHECKCOMMAND$"),
    *("HOSTSTATE::$HOSTSTATE$", "HOSTSTATETYPE::$HOSTSTATETYPE$", "SERVICESTATE::$SERVICESTATE$"),
    "SERVICESTATETYPE::$SERVICESTATETYPE$",
)
PNP = """
process_performance_data=1
service_perfdata_file={folder}/service-perfdata
service_perfdata_file_template={fields}
service_perfdata_file_mode=a
"""
PERFDATA_WRITER = """
object PerfdataWriter "perfdata" {{
  service_perfdata_path = "{folder}/service-perfdata"
  service_temp_path = "{folder}/service-perfdata-tmp"
  host_perfdata_path = "{folder}/host-perfdata"
  host_temp_path = "{folder}/host-perfdata-tmp"
  rotation_interval = 1s
}}
"""


def _engine(
    name: str, folder: Path, monitor: Monitor
) -> tuple[nagios_core.Nagios | icinga.Icinga, Callable[[], None]]:
    """The engine, and what gives it a downtime."""
    programs = Programs(
        check=PLUGIN,
        monitor=str(Path(sys.executable).with_name("imap4-monitor")),
        command_file=str(folder / "rw" / "nagios.cmd"),
        records=str(folder / "records"),
        interval_length=1,
    )
    definition = Definition("m.toml", (monitor,))
    if name == "nagios":
        main = nagios_core.make(folder, 1)
        main.write_text(main.read_text() + PNP.format(folder=folder, fields=r"\t".join(_FIELDS)))
        nagios_core.contact(folder, "admins", "/bin/true")
        write(folder / "objects", nagios.render(definition, programs))
        core = nagios_core.Nagios(folder)
        downtime = commands("downtime", "mail", "M 1")
        return core, lambda: send(str(core.command_file), downtime, Deadline(10))
    main = icinga.make(folder)
    main.write_text(main.read_text() + PERFDATA_WRITER.format(folder=folder))
    api = icinga.api(folder, {"eyes": icinga_eyes.PERMISSIONS})
    icinga.user(folder, "admins", 'command = [ "/bin/true" ]')
    write(folder / "objects", icinga2.render(definition, programs))
    return icinga.Icinga(folder), lambda: icinga_eyes.IcingaEyes(api, "eyes").make("downtime", "mail", "M 1")


def test_the_report_tells_the_outage_with_its_seconds(made: Made) -> None:
    span = [datetime.fromtimestamp(each).isoformat() for each in (made.came[0] - 60, time.time() + 1)]
    zone = ["--timezone", "Etc/UTC"] if time.timezone == 0 else []
    report = made.command(
        *("report", "--format", "json", "--from", span[0], "--to", span[1], *zone),
        *("--repairs", str(made.folder / "history.json")),
    )
    assert isinstance(report, dict)
    (mail,) = report["monitors"]
    assert (mail["id"], mail["name"], mail["causes"]) == ("M 1", "Mail", {"greeting.bye": 4})
    (story,) = mail["stories"]
    begin, end = (datetime.fromisoformat(story[name]).timestamp() for name in ("begin", "end"))
    # A test's verdict is known after the server saw it come, and before the next one came.
    first, last = FAILING.start - 1, FAILING.stop - 1
    assert made.came[first] - 0.002 <= begin <= made.came[first + 1]
    assert made.came[last] - 0.002 <= end <= made.came[last + 1]
    assert abs(story["down_s"] - (end - begin)) < 0.01
    assert (story["failed_tests"], story["cause"]) == (4, "greeting.bye")
    assert story["message"].endswith("down for once [greeting.bye]")
    (alert,) = story["alerts"]
    assert (alert["due"], story["recovery_due"]) == (["admins"], ["admins"])
    second = datetime.fromisoformat(alert["time"]).timestamp()
    assert made.came[first + 1] - 0.002 <= second <= made.came[first + 2]
    assert mail["planned_s"] > 0
    whole = sum(mail[f"{name}_s"] for name in ("up", "down", "planned", "not_covered"))
    assert (
        abs(whole - (datetime.fromisoformat(span[1]) - datetime.fromisoformat(span[0])).total_seconds()) < 5
    )
    assert load(made.folder / "store").parts == []  # nothing is closed yet: all of it came from lines


def test_the_log_of_nagios_tells_the_same_outage_and_who_was_told(made: Made) -> None:
    """Imported into a store of its own, without a look at the records."""
    log = made.folder / "nagios.log"
    if not log.exists():
        pytest.skip("Icinga 2 has no such log")
    imap4_monitor = [sys.executable, "-m", "imap4.monitor.cli"]
    where = ["-f", str(made.folder / "m.toml"), "--store", str(made.folder / "imported")]
    done = subprocess.run(
        [*imap4_monitor, "records", "import", *where, str(log)], capture_output=True, text=True, timeout=60
    )
    assert (done.stderr, done.returncode) == ("", 0)
    span = [datetime.fromtimestamp(each).isoformat() for each in (made.came[0] - 60, time.time() + 1)]
    reporting = ["report", *where, "--records", str(made.folder / "none"), "--format", "json"]
    reporting += ["--from", span[0], "--to", span[1], "--repairs", str(made.folder / "history.json")]
    done = subprocess.run([*imap4_monitor, *reporting], capture_output=True, text=True, timeout=60)
    (mail,) = json.loads(done.stdout)["monitors"]
    (story,) = mail["stories"]
    begin = datetime.fromisoformat(story["begin"]).timestamp()
    # The engine logs whole seconds, a moment after the test.
    assert -1 <= begin - made.came[FAILING.start - 1] <= 5
    assert (story["cause"], story["failed_tests"]) == ("greeting.bye", 4)
    assert [each["contact"] for alert in story["alerts"] for each in alert["sent"]] == ["admins"]


def test_the_status_is_in_maintenance(made: Made) -> None:
    rows = made.command("status", "--json")
    assert isinstance(rows, list)
    assert [(row["name"], row["state"], row["result"]) for row in rows] == [("Mail", "In Maintenance", "OK")]


def test_what_the_engine_wrote_of_performance_data_is_imported_as_its_tests(made: Made) -> None:
    """Files of PNP4Nagios' format by a real Nagios, and by the PerfdataWriter of a real Icinga 2."""
    recorded = [
        (float(fields[1]), int(fields[5]))
        for path in sorted((made.folder / "records").glob("*.tsv"))
        for line in path.read_text().split("\n")
        if len(fields := line.split("\t")) > 1
    ][: FAILING.stop]

    def files() -> list[Path]:
        return [each for each in made.folder.glob("service-perfdata*") if "tmp" not in each.name]

    def lines() -> list[str]:
        return "".join(each.read_text() for each in sorted(files())).splitlines()

    wait_until(lambda: len(lines()) >= len(recorded), 60)
    store = made.folder / "of-perfdata"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "imap4.monitor.cli", "records", "import"),
            *("-f", str(made.folder / "m.toml"), "--store", str(store), *map(str, files())),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"{store}: \d+ tests and log entries, 0 notifications", done.stdout)
    found = duckdb.execute(
        "select epoch(moment), state, seconds, connect, greeting, message, recorder from read_parquet(?)"
        " order by moment",
        [[str(store / part.name) for part in load(store).parts]],
    ).fetchall()
    imported = found[: len(recorded)]
    assert [row[1] for row in imported] == [state for _, state in recorded]
    assert {row[6] for row in imported} == {"imported"}
    for (moment, state), (at, _, seconds, connect, greeting, _, _) in zip(recorded, imported, strict=True):
        assert abs(at - moment) < 30  # whole seconds, and of when the engine came to read the result
        assert (seconds is not None, connect is not None) == (True, True)
        assert (greeting is not None) == (state == 0)
