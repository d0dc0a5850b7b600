"""systemd's part of the plan: the engine's environment, and timers."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from imap4.monitor.engines import facts
from imap4.monitor.setup import texts
from imap4.monitor.setup.site import PASSWORD, Plan, Site, plain
from imap4.monitor.setup.steps import File, Folder, Service, Step

UNITS = Path("/etc/systemd/system")
_PACKAGED_UNITS = (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
_CERTIFICATES = Path("/var/lib/icinga2/certs")
"""Where Icinga's own set-up puts them."""


def steps_for(site: Site, plan: Plan) -> Iterator[Step]:
    """systemd's files and timers."""
    if not UNITS.is_dir():
        plan.notes.append(
            "there is no systemd here: docs/monitor.md says what the engine's environment needs"
        )
        return
    engine, programs = site.engine, site.programs
    if engine.unit and (engine.name != facts.ICINGA2 or any(_names_password(plan))):
        folder = UNITS / f"{engine.unit}.service.d"
        yield Folder(folder, pwd.getpwuid(0), 0o755)
        yield File(
            folder / "imap4.conf",
            texts.drop_in({name: plain(value) for name, value in variables(site).items()}),
            "the engine's environment",
        )
    timers = []
    if importlib.util.find_spec("duckdb") is None:
        plan.notes.append("reports need an extra: install it with [reports], then run this again")
    else:
        timers.append(("imap4-collect", texts.collect_units(engine, programs)))
    if site.repairs:
        files = [plain(os.path.abspath(each)) for each in site.files]
        timers.append(("imap4-rehearse", texts.rehearse_units(engine, programs, files)))
    for name, units in timers:
        if not any((folder / f"{name}.service").exists() for folder in _PACKAGED_UNITS):
            for file, text in units.items():
                yield File(UNITS / file, text, "systemd's")
        timer = f"{name}.timer"
        wanted = UNITS / "timers.target.wants" / timer
        if site.systemd:
            on, off = ("systemctl", "enable", "--now", timer), ("systemctl", "disable", "--now", timer)
            yield Service(wanted, on, off)
        elif not wanted.is_symlink():
            plan.notes.append(f"systemd does not run here; where it does: systemctl enable --now {timer}")
    if site.systemd and site.repairs and shutil.which("loginctl"):
        user = engine.user.pw_name
        lingers = Path("/var/lib/systemd/linger", user)
        yield Service(lingers, ("loginctl", "enable-linger", user), ("loginctl", "disable-linger", user))


def _names_password(plan: Plan) -> Iterator[bool]:
    for each in plan.engine:
        yield each.path == PASSWORD


def variables(site: Site) -> dict[str, str]:
    """What tells a repair which engine hears of its end."""
    if site.engine.name != facts.ICINGA2:
        return {"IMAP4_NAGIOS_COMMAND_FILE": site.programs.command_file}
    return {
        "IMAP4_ICINGA_API": "https://localhost:5665",
        "IMAP4_ICINGA_USER": texts.API_USER,
        "IMAP4_ICINGA_PASSWORD_FILE": str(PASSWORD),
        "IMAP4_ICINGA_CA_FILE": str(_CERTIFICATES / "ca.crt"),
        **_server_name(),
    }


def _server_name() -> dict[str, str]:
    """The node's own name, which its certificate has in the place of localhost."""
    own = [each.stem for each in _CERTIFICATES.glob("*.crt") if each.name != "ca.crt"]
    return {"IMAP4_ICINGA_SERVER_NAME": own[0]} if len(own) == 1 else {}
