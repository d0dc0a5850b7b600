"""A sweep whose results go to real engines as passive ones."""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imap4 import trust
from tests.engines import core, icinga, nagios_core
from tests.engines.nagios import wait_until
from tests.engines.sweeping import Sweeping, definition, monitor, sweep, without_times
from tests.machines.scripted import Peer, ScriptedServer, good

ODD = "back\\slash \\n 100%;x"

NAGIOS = """\
define timeperiod {
    timeperiod_name always
    alias always
    sunday 00:00-24:00
}
define command {
    command_name none
    command_line /bin/true
}
define contact {
    contact_name nobody
    host_notifications_enabled 0
    service_notifications_enabled 0
    service_notification_commands none
    host_notification_commands none
}
define host {
    host_name mail
    address 127.0.0.1
    max_check_attempts 1
    contacts nobody
}
"""

SERVICE = """\
define service {{
    host_name mail
    service_description {name}
    active_checks_enabled 0
    check_command none
    check_interval 1
    retry_interval 1
    max_check_attempts 1
    check_period always
    contacts nobody
}}
"""

NAMES = ("Good", "Odd", "Refused")


def _bye(peer: Peer) -> None:
    peer.send("* BYE no; service | today\r\n")


@pytest.fixture
def monitors(tmp_path: Path) -> Iterator[str]:
    """A definition whose monitors have services in the engines, but for one."""
    with ScriptedServer(good) as server, ScriptedServer(_bye) as bye:
        tables = [
            monitor("None", server.port, host="mail"),
            monitor("Good", server.port, host="mail", options=["-vv"]),
            monitor("Odd", server.port, host="mail", options=["--name", ODD]),
            monitor("Refused", bye.port, host="mail"),
        ]
        yield definition(tmp_path, tables)


def test_nagios_takes_the_results_as_if_it_had_run_the_plugin(tmp_path: Path, monitors: str) -> None:
    folder = tmp_path / core.KIND
    nagios_core.make(folder)
    (folder / "objects" / "all.cfg").write_text(NAGIOS + "".join(SERVICE.format(name=name) for name in NAMES))
    engine = nagios_core.Nagios(folder)
    engine.start()
    try:
        done = sweep(monitors, "--once", "--json", "--nagios", str(engine.command_file))
        said = {found["service"]: found for found in map(json.loads, done.stdout.splitlines())}

        def known() -> dict[str, dict[str, str]]:
            text = (folder / "status.dat").read_text()
            blocks = re.findall(r"^servicestatus \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE)
            fields = [dict(line.strip().partition("=")[::2] for line in each.splitlines()) for each in blocks]
            return {each["service_description"]: each for each in fields}

        wait_until(lambda: all(each["has_been_checked"] == "1" for each in known().values()))
        for name, fields in known().items():
            expected = said[name]
            assert fields["current_state"] == str(expected["exit_code"])
            # What Nagios does to active results as well: an output has no semicolons.
            assert fields["plugin_output"] == expected["output"].replace(";", ":")
            assert fields["performance_data"] == expected["perfdata"]
            longer = "" if core.IS_NAEMON else expected["long_output"]  # Naemon takes one line
            assert fields["long_plugin_output"].replace("\\n", "\n").rstrip("\n") == longer
            assert fields["last_check"] == str(int(expected["time"]))
        refused = "Passive check result was received for service 'None' on host 'mail'"
        assert core.IS_NAEMON or refused in engine.log()  # Naemon says nothing
    finally:
        engine.stop()
    assert done.returncode == 2
    assert done.stderr == "imap4-worker sweep: 4 tests of 4 monitors: 3 OK, 1 CRITICAL\n"


def _services(api: icinga.Api) -> dict[str, dict[str, Any]]:
    context = trust.context(str(api.ca_file))
    connection = http.client.HTTPSConnection("localhost", api.port, context=context, timeout=10)
    login = base64.b64encode(f"sweep:{api.passwords['sweep'].read_text().strip()}".encode()).decode()
    connection.request("GET", "/v1/objects/services", headers={"Authorization": f"Basic {login}"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return {each["attrs"]["name"]: each["attrs"] for each in answer["results"]}


def test_icinga_takes_the_results_and_its_refusal_of_one_is_told(tmp_path: Path, monitors: str) -> None:
    folder = tmp_path / "icinga2"
    icinga.make(folder)
    api = icinga.api(folder, {"sweep": ["actions/process-check-result", "objects/query/Service"]})
    objects = 'object Host "mail" { check_command = "dummy" }\n'
    for name in NAMES:
        objects += (
            f'object Service "{name}" {{\n  host_name = "mail"\n  check_command = "dummy"\n'
            "  enable_active_checks = false\n  max_check_attempts = 1\n}\n"
        )
    (folder / "objects" / "mail.conf").write_text(objects)
    engine = icinga.Icinga(folder)
    environment = {
        "IMAP4_ICINGA_USER": "sweep",
        "IMAP4_ICINGA_PASSWORD_FILE": str(api.passwords["sweep"]),
        "IMAP4_ICINGA_CA_FILE": str(api.ca_file),
    }
    url = f"https://localhost:{api.port}"
    engine.start()
    try:
        with Sweeping(monitors, "--once", "--json", "--icinga", url, env=environment) as running:
            output, errors = running.process.communicate(timeout=30)
        known = _services(api)
    finally:
        engine.stop()
    said = {found["service"]: found for found in map(json.loads, output.splitlines())}
    for name, attributes in known.items():
        expected, result = said[name], attributes["last_check_result"]
        assert result["state"] == attributes["state"] == expected["exit_code"]
        text = expected["output"] + (f"\n{expected['long_output']}" if expected["long_output"] else "")
        assert without_times(result["output"]) == without_times(text)
        assert " ".join(result["performance_data"]) == expected["perfdata"]
        assert round(result["execution_end"], 3) == expected["time"]
    name = f"Icinga's API at localhost:{api.port}"
    lines = [line.removeprefix("imap4-worker sweep: ") for line in errors.splitlines()]
    assert lines == [
        f"{name}, process-check-result: there is no service mail!None, or sweep lacks the permission "
        '"actions/process-check-result"',
        f"{name}: results not delivered: 1",
        "4 tests of 4 monitors: 3 OK, 1 CRITICAL",
    ]
    assert running.process.returncode == 2
