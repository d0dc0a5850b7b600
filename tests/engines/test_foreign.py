"""A site's own escalations and notifications that reach monitors: doctors name them, remedies work."""

from __future__ import annotations

import shutil
from pathlib import Path

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import doctor as doctor_icinga2
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import doctor as doctor_nagios
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.rendered_files import write
from imap4.monitor.findings import Finding
from imap4.monitor.model import Action, AlertRange, Contact, Definition, Monitor, Recovery
from imap4.monitor.states import Delays, Rules
from tests.engines import icinga, nagios_core

MONITORS = tuple(
    Monitor(
        name,
        "192.0.2.1",
        "mail",
        rules=Rules(Delays(), failures, 3),
        contacts=(Contact("admins"), Contact("boss", AlertRange(2))),
        recovery=Recovery("m", "c", ("s",), actions=(Action("restart-service", AlertRange(1, 2)),)),
    )
    for name, failures in (("Mail", 3), ("Gateway", 1))
)
DEFINITION = Definition("foreign.toml", MONITORS)
EVERYTHING = """\
define serviceescalation {{
    host_name *
    service_description {services}
    first_notification 1
    last_notification 0
    notification_interval 60
    contacts {contact}
}}
"""


def of_nagios(folder: Path, services: str) -> list[Finding]:
    """What the doctor does not like, with an escalation for ``services``."""
    main = nagios_core.make(folder)
    for name in ("admins", "boss", "desk"):
        nagios_core.contact(folder, name, "/bin/true")
    write(folder / "objects", nagios.render(DEFINITION, Programs()))
    (folder / "objects" / "z.cfg").write_text(EVERYTHING.format(services=services, contact="desk"))
    ended = nagios_core.verify(main, "-p")
    assert ended.returncode == 0, ended.stdout
    # The cache of objects has what is written at a verification, too.
    shutil.copy(folder / "objects.precache", folder / "objects.cache")
    found = doctor_nagios.examine("nagios", str(main), Programs(), MONITORS)
    return [each for each in found if not each.ok and "an escalation of" in each.title]


def test_nagios_escalations_for_all_services_are_named_and_the_remedy_mends_them(tmp_path: Path) -> None:
    found = of_nagios(tmp_path / "before", "*")
    assert [each.title for each in found] == [
        "an escalation of the site's own sends the service Mail on the host mail to desk",
        "an escalation of the site's own sends the service Gateway on the host mail to desk",
    ]
    assert found[0].remedy.endswith("leave the service out: service_description *,!Mail")
    other = "define service {\n    use imap4-monitor\n    host_name mail\n    service_description Other\n"
    other += "    check_command imap4-silence\n    max_check_attempts 1\n    contacts desk\n}\n"
    (tmp_path / "after" / "objects").mkdir(parents=True)
    (tmp_path / "after" / "objects" / "other.cfg").write_text(other)
    assert of_nagios(tmp_path / "after", "*,!Mail,!Gateway") == []


def test_nagios_rendered_before_the_definition_was_changed_is_told(tmp_path: Path) -> None:
    assert len(of_nagios(tmp_path, "Mail")) == 1
    changed = [Monitor("Mail", "192.0.2.1", "mail", contacts=(Contact("others"),))]
    found = doctor_nagios.examine("nagios", str(tmp_path / "nagios.cfg"), Programs(), changed)
    titles = [each.title for each in found if not each.ok]
    assert "the service Mail on the host mail has not the escalations of its definition" in titles


STOCK = """\
apply Notification "mail-icingaadmin" to Service {{
  command = "mail-service-notification"
  users = [ "admins" ]
  assign where host.name == "mail"
{more}}}
"""


def of_icinga(folder: Path, more: str) -> list[Finding]:
    """What the doctor does not like, with Icinga's stock rule."""
    main = icinga.make(folder)
    icinga.user(folder, "admins", 'command = [ "/bin/true" ]')
    (folder / "objects" / "boss.conf").write_text('object User "boss" { }\n')
    (folder / "objects" / "stock.conf").write_text(STOCK.format(more=more))
    write(folder / "objects", icinga2.render(DEFINITION, Programs()))
    found = doctor_icinga2.examine(str(main), Programs(), MONITORS, defines=icinga.defines(folder))
    return [each for each in found if not each.ok and ("notification" in each.title or "zone" in each.title)]


def test_icinga_notifications_for_all_services_are_named_and_the_remedy_mends_them(tmp_path: Path) -> None:
    (found,) = of_icinga(tmp_path / "before", "")
    title = "the notification mail-icingaadmin of the site's own reaches mail!Gateway and 1 more"
    assert found.title in (title, title.replace("Gateway", "Mail"))
    place, _, line = found.remedy.partition(": add the line: ")
    assert place == f"{tmp_path}/before/objects/stock.conf:1"
    assert of_icinga(tmp_path / "after", f"  {line}\n") == []


def test_icinga_zones_of_two_nodes_need_accept_config(tmp_path: Path) -> None:
    folder = tmp_path
    main = icinga.make(folder)
    text = main.read_text().replace(
        "object Zone ZoneName { endpoints = [ NodeName ] }",
        'object Endpoint "second" { }\nobject Zone ZoneName { endpoints = [ NodeName, "second" ] }',
    )
    main.write_text(text)
    icinga.user(folder, "admins", 'command = [ "/bin/true" ]')
    icinga.api(folder, {"reports": list(doctor_icinga2.PERMISSIONS)})
    api = folder / "objects" / "api.conf"

    def zones() -> list[tuple[bool, str]]:
        found = doctor_icinga2.examine(str(main), Programs(), (), defines=icinga.defines(folder))
        return [(each.ok, each.title) for each in found if "the zone" in each.title]

    shared = "the zone localhost is shared with second, and accept_config is"
    assert zones() == [(False, f"{shared} false")]
    api.write_text(api.read_text().replace('"127.0.0.1"\n', '"127.0.0.1"\n  accept_config = true\n', 1))
    assert zones() == [(True, f"{shared} true")]
