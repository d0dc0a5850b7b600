"""Machines with Windows: reviewed PowerShell scripts whose answers are JSON."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.errors import PrivilegeMissing, RecoveryError, Refused, UsageError
from recovery.model import CommandResult, Ended
from recovery.platforms import MachineFacts, RebootUnderWay, RepairUnderWay, ServiceFacts
from recovery.platforms.windows.answers import ACCESS_DENIED, script, texts, value
from recovery.transports.link import Link

MARKER_KEY = r"SOFTWARE\check_imap4\rebooting"
"""A registry key that only memory holds (REG_OPTION_VOLATILE): gone after a reboot."""
VITAL = ("winrm", "rpcss", "rpceptmapper", "dcomlaunch", "http", "eventlog")
"""Without these there is no way back to the machine, or no record of what was done."""
REBOOT_SECONDS = 5
"""Between the order to reboot and the reboot: time for the answer to come back."""
_STATES = {
    1: ("inactive", "stopped"),
    2: ("activating", "start pending"),
    3: ("deactivating", "stop pending"),
    4: ("active", "running"),
    5: ("activating", "continue pending"),
    6: ("deactivating", "pause pending"),
    7: ("paused", "paused"),
}
"""The states of winsvc.h, in systemd's words and in Windows'."""
_SHUTDOWN_IN_PROGRESS, _SHUTDOWN_SCHEDULED = 1115, 1190
_OWN_CODE, _NEVER_STARTED = 1066, 1077
_SHARE = 0.85
"""Of the time that is left, for the stops and starts; the rest is for their proof."""
GUARD_SECONDS = 900
"""How long the machine itself tries to start what was left down."""
_GRACE = 15.0
"""Seconds that the machine's own guard has for a service that is stopped, before that is a failure."""


class Windows:
    """The service control manager as the source of truth; a new process proves a restart."""

    name = "Windows"
    memory = "the registry"
    refused_logins: int | None = 2
    reboot_settle = 10.0

    def __init__(self) -> None:
        # A process that hosts several services stays when one of them is restarted: then that the service
        # was seen stopped, and runs, is the proof, and this counts it.
        self._seen_stopped: dict[str, int] = {}
        # What the machine's own guard may still be about to start, and since when it was seen stopped.
        self._guarded: dict[str, float | None] = {}

    def canonical(self, service: str) -> str:
        # CreateServiceW: at most 256 characters, no slashes. Names are compared whole: blanks, brackets and
        # what looks like a wildcard stand for themselves.
        if not 0 < len(service) <= 256 or not service.isprintable() or set(service) & set("/\\"):
            raise UsageError(f"{service!r} is not the name of a Windows service (the short one: Get-Service)")
        return service

    def services(self, link: Link, *, deadline: Deadline) -> list[str]:
        return sorted(texts(value(link.ask(script("services"), deadline=deadline)).get("names")))

    def facts(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> list[ServiceFacts]:
        if not services:
            return []
        found = {str(one["name"]).casefold(): one for one in self._services(link, services, deadline)}
        return [
            self._read(found[name.casefold()]) if name.casefold() in found else _missing(name)
            for name in services
        ]

    def cannot(self, facts: ServiceFacts) -> str:
        if facts.name.casefold() in VITAL:
            return (
                f"{facts.name} would stop, and without it the machine cannot be reached or keeps no record; "
                "reboot the machine instead"
            )
        if facts.masked:
            remedy = f"Set-Service -Name {_in_powershell(facts.name)} -StartupType Manual"
            return f"{facts.name} is disabled, so it cannot be started ({remedy})"
        return facts.hindrance

    def danger(self, link: Link, services: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
        return ""

    def restart(
        self,
        link: Link,
        services: Sequence[str],
        dependents: Sequence[str],
        *,
        alone: bool,
        kill: bool = False,
        deadline: Deadline,
    ) -> CommandResult:
        return self._change(
            link, "alone" if alone else "restart", [*services, *dependents], deadline, kill=kill
        )

    def start(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> CommandResult:
        return self._change(link, "start", services, deadline)

    def finished(self, link: Link, service: str, *, deadline: Deadline) -> str:
        return ""

    def last_words(self, link: Link, service: str, *, deadline: Deadline) -> list[str]:
        answer = value(link.ask(script("events"), [service, "10"], deadline=deadline))
        lines = answer.get("lines")
        return [" ".join(str(line).split()) for line in lines] if isinstance(lines, list) else []

    def machine(self, link: Link, *, deadline: Deadline) -> MachineFacts:
        answer = value(link.ask(script("machine"), [MARKER_KEY], deadline=deadline))
        boot = str(answer.get("boot", ""))
        return MachineFacts(
            # When the first process began was written down once: a clock that is set moves it no more.
            boot_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"first process {boot}")) if boot else "",
            first_process=boot,
            uptime=max(0.0, float(str(answer.get("uptime") or 0))),
            marker=bool(answer.get("marker")),
            users=tuple(texts(answer.get("users"))),
            servicing="; ".join(texts(answer.get("servicing"))),
        )

    def refused(self, result: CommandResult) -> str:
        return ""

    def blocked(self, link: Link, *, deadline: Deadline) -> str:
        return ""

    def reboot(self, link: Link, *, deadline: Deadline) -> CommandResult:
        text = "check_imap4 recovery: this machine is rebooted to repair its services"
        result = link.run(script("reboot"), [MARKER_KEY, str(REBOOT_SECONDS), text], deadline=deadline)
        if result.ended is not Ended.EXITED or not result.ok:
            return _privileged(result)
        answer = value(result.stdout.decode())
        if answer.get("busy"):
            raise RepairUnderWay("another repair is at work on the machine")
        code, said = int(str(answer.get("code"))), " ".join(str(answer.get("said", "")).split())
        if code == _SHUTDOWN_SCHEDULED:
            raise RebootUnderWay("one is scheduled (error 1190; shutdown /a ends that)")
        if code == _SHUTDOWN_IN_PROGRESS:
            raise RebootUnderWay("it is going down (error 1115)")
        return _privileged(
            CommandResult(Ended.EXITED, code, stderr=f"{said} (error {code})".encode() if code else b"")
        )

    def condition(self, link: Link, *, deadline: Deadline) -> str:
        answer = value(link.ask(script("machine"), [MARKER_KEY], deadline=deadline))
        return "starting" if answer.get("starting") or answer.get("finishing") else "running"

    def commands(
        self,
        services: Sequence[str],
        dependents: Sequence[str] = (),
        *,
        alone: bool = False,
        reboot: bool = False,
    ) -> list[tuple[str, ...]]:
        # Rights of Windows are granted on the service itself, not on commands: docs/windows.md.
        return []

    def _services(self, link: Link, names: Sequence[str], deadline: Deadline) -> list[dict[str, object]]:
        answer = value(link.ask(script("services"), names, deadline=deadline))
        if hidden := texts(answer.get("hidden")):
            raise PrivilegeMissing(
                f"the account cannot see {', '.join(hidden)}: it lacks the right to query the status "
                "(LC, and SW for what depends on it); docs/windows.md has the script that grants it"
            )
        found = answer.get("services")
        if not isinstance(found, list):
            raise RecoveryError("the machine did not list its services")
        return found

    def _read(self, one: dict[str, object]) -> ServiceFacts:
        name, code, own = str(one["name"]), int(str(one["code"])), int(str(one["own"]))
        pid, number = int(str(one["pid"])), int(str(one["state"]))
        state, detail = _STATES.get(number, (f"state {number}", f"state {number}"))
        run = ""
        if pid and state == "active":
            run = f"{pid}/{one['began']}/{self._seen_stopped.get(name, 0) if one['shared'] else 0}"
        dependents = one["dependents"] if isinstance(one["dependents"], list) else []
        result = detail
        if code not in (0, _NEVER_STARTED):
            result = f"its own code {own}, error {code}" if code == _OWN_CODE else f"error {code}"
        return ServiceFacts(
            name=name,
            exists=True,
            state=state,
            detail=detail,
            masked=one["disabled"] is True,
            run=run,
            pid=pid,
            busy=detail.endswith("pending") or (state == "inactive" and self._is_guarded(name)),
            result=result,
            dependents=tuple(str(dependent) for dependent in dependents),
            description=str(one["display"]),
            hindrance=str(one.get("hindrance") or ""),
        )

    def _is_guarded(self, name: str) -> bool:
        """Whether the machine itself is about to start a service that is stopped now."""
        if name not in self._guarded:
            return False
        since = self._guarded[name] = self._guarded[name] or time.monotonic()
        return time.monotonic() - since < _GRACE

    def _change(
        self, link: Link, mode: str, services: Sequence[str], deadline: Deadline, *, kill: bool = False
    ) -> CommandResult:
        share = deadline.share(max(deadline.left * _SHARE, deadline.left - 30))
        settings = [mode, "kill" if kill else "keep", str(GUARD_SECONDS), script("guard")]
        result = link.run(script("restart"), [*settings, *services], deadline=share)
        if result.ended is not Ended.EXITED:
            # Nobody knows how far it came; the machine goes on by itself.
            self._guarded = dict.fromkeys(services)
        if result.ended is not Ended.EXITED or not result.ok:
            return _privileged(result)
        answer = value(result.stdout.decode())
        if refused := str(answer.get("refused") or ""):
            if f"(error {ACCESS_DENIED})" in refused or f"error {ACCESS_DENIED})" in refused:
                raise PrivilegeMissing(
                    f"{refused}; docs/windows.md has the script that grants it; nothing was done"
                )
            if answer.get("busy"):
                raise RepairUnderWay(refused)
            raise Refused(f"the machine refused: {refused}; nothing was done")
        for name in texts(answer.get("stopped")):
            self._seen_stopped[name] = self._seen_stopped.get(name, 0) + 1
        self._guarded = dict.fromkeys(texts(answer.get("left")))
        notes = texts(answer.get("notes"))
        if killed := texts(answer.get("killed")):
            notes.insert(0, f"killed {', '.join(killed)}")
        errors = "; ".join(texts(answer.get("errors")))
        done = CommandResult(Ended.EXITED, 1 if errors else 0, stderr=errors.encode(), notes=tuple(notes))
        # What the account lacked is told as that only where nothing was asked to stop.
        return done if answer.get("asked") else _privileged(done)


def _in_powershell(text: str) -> str:
    """``text`` as a word of a PowerShell command that a person may copy."""
    return text if re.fullmatch(r"[\w.]+", text) else "'" + text.replace("'", "''") + "'"


def _missing(name: str) -> ServiceFacts:
    return ServiceFacts(name=name, exists=False, state="", detail="not-found")


def _privileged(result: CommandResult) -> CommandResult:
    """``result``, unless it shows that the account lacks a right.

    Raises:
        PrivilegeMissing: with what would grant it.
    """
    said = result.stderr.decode("utf-8", "replace")
    if f"(error {ACCESS_DENIED})" in said:
        raise PrivilegeMissing(
            f"the machine said '{said}': the account needs the right to stop and start the service, or to "
            "shut the machine down; docs/windows.md has the script that grants exactly that"
        )
    return result
