"""Every file in ``contrib/`` before the program that reads it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import objects as icinga2
from recovery.platforms.systemd import Systemd
from recovery.transports.sudoers import lines_for
from tests.engines import icinga, nagios_core

CONTRIB = Path(__file__).parents[2] / "contrib"


def test_nagios_takes_the_commands_and_a_service_that_uses_them(tmp_path: Path) -> None:
    config = nagios_core.make(tmp_path)
    nagios_core.contact(tmp_path, "admins", "/bin/true")
    shutil.copy(CONTRIB / "nagios" / "check_imap4.cfg", tmp_path / "objects")
    services = "".join(
        f"define service {{\n    use {name}\n    host_name mail\n    service_description {name}\n"
        "    contacts admins\n    check_interval 60\n    retry_interval 60\n}\n"
        for name in ("imap4", "imap4-certificate")
    )
    (tmp_path / "objects" / "mine.cfg").write_text(
        "define host {\n    host_name mail\n    address 192.0.2.7\n    contacts admins\n"
        "    max_check_attempts 1\n}\n" + services
    )
    ended = nagios_core.verify(config, "-p")
    assert ended.returncode == 0, ended.stdout
    used = {
        each["check_command"] for each in nagios_core.directives(tmp_path / "objects.precache", "service")
    }
    assert used == {"check_imap4!-t 10", "check_imap4_certificate!30,14!--starttls"}


def test_icinga_takes_all_of_its_files_together(tmp_path: Path) -> None:
    config = icinga.make(tmp_path)
    icinga.user(tmp_path, "admins", 'command = [ "/bin/true" ]')
    icinga.api(tmp_path, {})
    for file in (CONTRIB / "icinga2").iterdir():
        shutil.copy(file, tmp_path / "objects")
    (tmp_path / "objects" / "host.conf").write_text(
        'object Host "mail" {\n  check_command = "dummy"\n  address = "192.0.2.7"\n  vars.imap4["Mail"] = {\n'
        '    imap4_starttls = true\n    contacts = [ "admins" ]\n'
        "    rules = { up = 60, maximum_alerts = 0 }\n  }\n}\n"
    )
    ended = icinga.verify(config)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    services = icinga.objects(tmp_path, "Service")
    assert sorted(services) == ["mail!Mail", "mail-behind-agent!Mail, from the agent"]
    rules = services["mail!Mail"]["vars"]["imap4_rules"]  # type: ignore[index]
    meant = {"up": 60, "warn": 300, "down": 300, "lost": 300, "failures_per_alert": 3, "maximum_alerts": 0}
    assert rules == meant
    assert services["mail!Mail"]["check_interval"] == 60
    assert services["mail-behind-agent!Mail, from the agent"]["command_endpoint"] == "agent.example.org"
    assert list(icinga.objects(tmp_path, "Notification")) == ["mail!Mail!imap4-alert"]


def test_icingas_shared_objects_are_those_that_are_rendered() -> None:
    """``tools/golden`` writes the file anew."""
    text = (CONTRIB / "icinga2" / "imap4-monitor.conf").read_text()
    assert text == icinga2.SHARED_HEADER + icinga2.shared_objects(Programs())


def test_icingas_check_command_has_every_argument_described() -> None:
    text = (CONTRIB / "icinga2" / "check_imap4.conf").read_text()
    assert len(re.findall(r'^    "-', text, re.MULTILINE)) == text.count("description = ")


def test_systemd_takes_the_drop_in(tmp_path: Path) -> None:
    unit = tmp_path / "nagios4.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    shutil.copytree(CONTRIB / "systemd" / "nagios4.service.d", tmp_path / "nagios4.service.d")
    program = shutil.which("systemd-analyze")
    assert program is not None
    ended = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "nagios4" in line]) == (0, [])


def test_systemd_takes_the_sweeps_unit(tmp_path: Path) -> None:
    text = (CONTRIB / "systemd" / "imap4-sweep.service").read_text()
    unit = tmp_path / "imap4-sweep.service"
    unit.write_text(text.replace("/usr/local/bin/imap4-worker", "/bin/true"))
    program = shutil.which("systemd-analyze")
    assert program is not None
    ended = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "imap4" in line]) == (0, [])


def test_systemd_takes_the_units_of_records_reports_and_rehearsals(tmp_path: Path) -> None:
    units = []
    for path in (CONTRIB / "systemd").glob("imap4-*"):
        if path.name.startswith(("imap4-collect", "imap4-report", "imap4-rehearse")):
            text = re.sub(r"/usr/local/bin/[a-z0-9-]+", "/bin/true", path.read_text())
            (tmp_path / path.name).write_text(text)
            units.append(str(tmp_path / path.name))
    assert len(units) == 6
    program = shutil.which("systemd-analyze")
    assert program is not None
    ended = subprocess.run(
        [program, "verify", "--man=no", *units], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "imap4" in line]) == (0, [])


def test_the_dashboard_is_json_and_reads_what_the_writer_writes() -> None:
    dashboard = json.loads((CONTRIB / "grafana" / "imap4.json").read_text())
    queries = [target["target"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) == 11
    writer = (CONTRIB / "icinga2" / "statistics.conf").read_text()
    assert "icinga2.$host.name$.services.$service.name$.$service.check_command$" in writer
    assert all("icinga2.$host.services.$service.*.perfdata." in query for query in queries)


def test_sudo_takes_the_example_which_is_what_the_doctor_prints() -> None:
    example = CONTRIB / "sudoers" / "imap4-recovery"
    # Its owner and mode are the administrator's business; here only the grammar is.
    checked = subprocess.run(
        ["/usr/sbin/visudo", "-c", "-f", "-"], input=example.read_text(), capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout) == (0, "stdin: parsed OK\n"), checked.stderr
    printed = lines_for("recovery", Systemd().commands(["dovecot.service"]))
    printed += lines_for("recovery-reboot", Systemd().commands((), reboot=True))
    lines = [line for line in example.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == printed
