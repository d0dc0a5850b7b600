"""Machines with Windows: reviewed PowerShell scripts whose answers are JSON (Win32_Service and the like)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.errors import PrivilegeMissing, RecoveryError, Refused, UsageError
from recovery.model import CommandResult, Ended
from recovery.platforms import MachineFacts, RebootUnderWay, ServiceFacts
from recovery.platforms.windows.answers import script, texts, value
from recovery.transports.link import Link

MARKER_KEY = r"SOFTWARE\check_imap4\rebooting"
"""A registry key that only memory holds (REG_OPTION_VOLATILE): gone after a reboot."""
VITAL = ("winrm", "rpcss", "rpceptmapper", "dcomlaunch", "http", "eventlog")
"""Without these there is no way back to the machine, or no record of what was done."""
REBOOT_SECONDS = 5
"""Between the order to reboot and the reboot: time for the answer to come back."""
_STATES = {
    "running": "active",
    "stopped": "inactive",
    "start pending": "activating",
    "continue pending": "activating",
    "stop pending": "deactivating",
    "pause pending": "deactivating",
    "paused": "paused",
}
_ACCESS_DENIED, _SHUTDOWN_IN_PROGRESS, _SHUTDOWN_SCHEDULED = 5, 1115, 1190
_NEVER_STARTED = 1077
_LONGEST_WAIT = 30.0


class Windows:
    """The service control manager as the source of truth; a new process proves a restart."""

    name = "Windows"
    memory = "the registry"
    refused_logins: int | None = 2

    def __init__(self) -> None:
        # A process that hosts several services stays when one of them is restarted: then that the service
        # was seen stopped, and runs, is the proof, and this counts it.
        self._seen_stopped: dict[str, int] = {}

    def canonical(self, service: str) -> str:
        # A wildcard would match what nobody named; services of Windows may have blanks in their names.
        if not 0 < len(service) <= 256 or not service.isprintable() or set(service) & set('/\\*?[]"'):
            raise UsageError(f"{service!r} is not the name of a Windows service (the short one: Get-Service)")
        return service

    def services(self, link: Link, *, deadline: Deadline) -> list[str]:
        every = self._services(link, (), deadline)
        return sorted(str(one["name"]) for one in every)

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
            remedy = f"Set-Service -Name {facts.name} -StartupType Manual"
            return f"{facts.name} is disabled, so it cannot be started ({remedy})"
        return ""

    def danger(self, link: Link, services: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
        return ""

    def restart(
        self,
        link: Link,
        services: Sequence[str],
        dependents: Sequence[str],
        *,
        alone: bool,
        deadline: Deadline,
    ) -> CommandResult:
        return self._change(link, "alone" if alone else "restart", [*services, *dependents], deadline)

    def start(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> CommandResult:
        return self._change(link, "start", services, deadline)

    def last_words(self, link: Link, service: str, *, deadline: Deadline) -> list[str]:
        answer = value(link.ask(script("events"), [service, "10"], deadline=deadline))
        lines = answer.get("lines")
        return [" ".join(str(line).split()) for line in lines] if isinstance(lines, list) else []

    def machine(self, link: Link, *, deadline: Deadline) -> MachineFacts:
        answer = value(link.ask(script("machine"), [MARKER_KEY], deadline=deadline))
        boot = str(answer.get("boot", ""))
        return MachineFacts(
            # The time of the boot moves when the clock is set: the marker must confirm it.
            boot_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"LastBootUpTime {boot}")) if boot else "",
            first_process=boot,
            uptime=max(0.0, float(str(answer.get("uptime") or 0))),
            marker=bool(answer.get("marker")),
        )

    def reboot(self, link: Link, *, deadline: Deadline) -> CommandResult:
        text = "check_imap4 recovery: this machine is rebooted to repair its services"
        result = link.run(script("reboot"), [MARKER_KEY, str(REBOOT_SECONDS), text], deadline=deadline)
        if result.ended is not Ended.EXITED or not result.ok:
            return _privileged(result)
        answer = value(result.stdout.decode())
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
        return "starting" if answer.get("starting") else "running"

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
        found = value(link.ask(script("services"), names, deadline=deadline)).get("services")
        if not isinstance(found, list):
            raise RecoveryError("the machine did not list its services")
        return found

    def _read(self, one: dict[str, object]) -> ServiceFacts:
        name, state, code = str(one["name"]), str(one["state"]).lower(), int(str(one["code"]))
        pid = int(str(one["pid"]))
        run = ""
        if pid and state == "running":
            run = f"{pid}/{one['began']}/{self._seen_stopped.get(name, 0) if one['shared'] else 0}"
        dependents = one["dependents"] if isinstance(one["dependents"], list) else []
        return ServiceFacts(
            name=name,
            exists=True,
            state=_STATES.get(state, state),
            detail=state,
            masked=str(one["start"]).lower() == "disabled",
            run=run,
            pid=pid,
            busy=state.endswith("pending"),
            result=f"error {code}" if code not in (0, _NEVER_STARTED) else state,
            dependents=tuple(str(dependent) for dependent in dependents),
            description=str(one["display"]),
        )

    def _change(self, link: Link, mode: str, services: Sequence[str], deadline: Deadline) -> CommandResult:
        each = max(1.0, min(_LONGEST_WAIT, (deadline.left - 6) * 0.4 / len(services)))
        limit = str(int(each * 1000))
        result = link.run(script("restart"), [mode, limit, limit, *services], deadline=deadline)
        if result.ended is not Ended.EXITED or not result.ok:
            return _privileged(result)
        answer = value(result.stdout.decode())
        if refused := str(answer.get("refused") or ""):
            raise Refused(f"the machine refused: {refused}; nothing was done")
        for name in texts(answer.get("stopped")):
            self._seen_stopped[name] = self._seen_stopped.get(name, 0) + 1
        errors = "; ".join(texts(answer.get("errors")))
        return _privileged(CommandResult(Ended.EXITED, 1 if errors else 0, stderr=errors.encode()))


def _missing(name: str) -> ServiceFacts:
    return ServiceFacts(name=name, exists=False, state="", detail="not-found")


def _privileged(result: CommandResult) -> CommandResult:
    """``result``, unless it shows that the account lacks a right.

    Raises:
        PrivilegeMissing: with what would grant it.
    """
    said = result.stderr.decode("utf-8", "replace")
    if f"(error {_ACCESS_DENIED})" in said:
        raise PrivilegeMissing(
            f"the machine said '{said}': the account needs the right to stop and start the service, or to "
            "shut the machine down; docs/windows.md has the commands that grant exactly that"
        )
    return result
