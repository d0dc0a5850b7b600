"""What is on this machine, and what the plan has."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from imap4.monitor.engines import installed
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.model import Definition
from imap4.monitor.records import places
from imap4.monitor.setup import texts
from imap4.monitor.setup.engines import Engine
from imap4.monitor.setup.steps import Step
from imap4.monitor.trouble import Trouble

HOME = (Path("/etc/check_imap4"), Path("/var/lib/check_imap4"))
"""Recovery's, which has one home on a host."""
PASSWORD = HOME[0] / "icinga-password"
"""Of Icinga's user for comments."""


@dataclass
class Plan:
    """All of it."""

    folders: list[Step] = field(default_factory=list)
    """Folders and links, which the rest needs."""
    engine: list[Step] = field(default_factory=list)
    """What the engine reads: its verifier decides whether it stays."""
    system: list[Step] = field(default_factory=list)
    """systemd's."""
    notes: list[str] = field(default_factory=list)
    """What a person may want to do."""
    wrong: list[str] = field(default_factory=list)
    """What a person must do: something will not work until then."""

    @property
    def pending(self) -> list[Step]:
        """What is not done yet, in its order."""
        return [each for each in (*self.folders, *self.engine, *self.system) if not each.done()]


@dataclass(frozen=True)
class Site:
    """What the plan is made from."""

    engine: Engine
    programs: Programs
    definition: Definition | None
    files: tuple[str, ...]
    """The definition files."""
    systemd: bool
    """Whether it runs here."""

    @property
    def prefix(self) -> str:
        """What stands before /etc and /var: an OMD site has its own."""
        return self.engine.site

    @property
    def repairs(self) -> bool:
        """Whether a monitor has one."""
        monitors = self.definition.monitors if self.definition else ()
        return any(monitor.recovery.actions for monitor in monitors)


def definitions_folder(engine: Engine) -> Path:
    """Where definitions and the journal are."""
    return Path(engine.site + str(places.DEFINITIONS)) if engine.site else places.DEFINITIONS


def records_folder(engine: Engine) -> Path:
    """Where tests are recorded."""
    return Path(engine.site, "var/imap4-monitor/records") if engine.site else places.RECORDS


def plain(text: str) -> str:
    """``text``, which may stand in a unit as it is.

    Raises:
        Trouble: it may not.
    """
    if not texts.plain(text):
        raise Trouble(f"setup: {text}: a unit of systemd can only have letters, digits and ./+@:,~=- of it")
    return text


def programs(engine: Engine, recovery: str | None = None) -> Programs:
    """The programs beside the one that runs, and the engine's own settings.

    Raises:
        Trouble: the engine's user could not run them.
    """
    started = str(Path(sys.argv[0]).resolve())
    main = engine.main
    found = Programs(
        check=installed.beside("check_imap4", started),
        monitor=installed.beside("imap4-monitor", started),
        recovery=recovery or installed.beside("imap4-recovery", started),
        command_file=main.place("command_file") if main else Programs.command_file,
        records=str(records_folder(engine)),
        interval_length=(main.interval_length if main else None) or Programs.interval_length,
    )
    for name, path in found.named((), ""):
        why = installed.trouble(path, engine.user)
        if why:
            raise Trouble(
                f"setup: {path} is {name}, and cannot be run by the engine: {why}; install it where "
                f"{engine.user.pw_name} can run it, for example into /opt/check_imap4"
            )
        plain(path)
    return found
