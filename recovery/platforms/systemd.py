"""Machines with systemd (systemctl(1), org.freedesktop.systemd1(5))."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from imap4.deadline import Deadline
from recovery.errors import UsageError
from recovery.model import CommandResult, Ended
from recovery.platforms import MARKER, MachineFacts, ServiceFacts, check_name
from recovery.platforms.linux import BOOT_SCRIPT, parse_machine
from recovery.platforms.systemd_jobs import danger
from recovery.transports.link import Link

_SUFFIXES = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".automount", ".slice", ".swap")
_PROPERTIES = (
    "Id,Description,Type,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,Job,"
    "RefuseManualStart,RefuseManualStop,RequiredBy,BoundBy,ConsistsOf,RestartUSec,FragmentPath,"
    "ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic"
)
_ALONE = "--job-mode=ignore-requirements"
"""Leaves out what depends on the unit, but keeps the order (systemctl(1))."""
# The clock first, by the age of our own process: /proc/uptime is a container's own, systemd's times are not.
_SHOW = f"""\
export LC_ALL=C
now=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
printf '%s %s\\n\\n' "${{now:-0}}" "$(getconf CLK_TCK 2>/dev/null || echo 100)"
systemctl show -p {_PROPERTIES} -- "$@"
"""
# A unit whose file is empty is "masked" to systemd as well (systemd.unit(5)), but nothing can unmask it.
_EMPTY = "its unit file is empty"
_EMPTY_FILES = 'for file; do [ ! -f "$file" ] || [ -s "$file" ] || echo "$file"; done'
_LIST = """\
export LC_ALL=C
{ systemctl list-unit-files --type=service --no-legend --no-pager --plain
  systemctl list-units --all --type=service --no-legend --no-pager --plain; } | awk '{ print $1 }'
"""
# Each job is queued before any is waited for, and systemd orders them; a lost link changes nothing then.
# "reset-failed" forgets failures that would make systemd refuse the start (start-limit-hit).
_JOBS = """\
export LC_ALL=C
systemctl=$(command -v systemctl)
verb=$1; mode=$2; shift 2
for unit; do
    may_as_root "$systemctl" --no-block $mode "$verb" "$unit" || exit
done
for unit; do
    as_root "$systemctl" reset-failed "$unit" 2>/dev/null
done
for unit; do
    as_root "$systemctl" --no-block $mode "$verb" "$unit" || exit
done
"""
_JOURNAL = ("--no-pager", "-q", "-n", "12", "-o", "json", "-u")
_LAST_WORDS = f"""\
export LC_ALL=C
journalctl=$(command -v journalctl) || exit 0
lines=$("$journalctl" {" ".join(_JOURNAL)} "$1" 2>/dev/null)
[ -n "$lines" ] || lines=$(as_root "$journalctl" {" ".join(_JOURNAL)} "$1" 2>/dev/null)
printf '%s\\n' "$lines"
"""
_SHOWN_WORDS = 5
_SUCCESS = "7ad2d189f7e94e70a38c781354912448"
"""The message "UNIT: Deactivated successfully" (sd-messages(3): SD_MESSAGE_UNIT_SUCCESS; systemd 243)."""
_MACHINE = (
    BOOT_SCRIPT
    + """\
if [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; then echo "reboot=it is going down"
elif systemctl list-jobs --no-legend --no-pager 2>/dev/null |
    grep -Eq ' (reboot|poweroff|halt|kexec|shutdown)[.]target +start'; then echo "reboot=it is going down"
fi
file=/run/systemd/shutdown/scheduled
if [ -r $file ]; then
    echo "scheduled=$(sed -n 's/^MODE=//p' $file)"
    usec=$(sed -n 's/^USEC=//p' $file)
    echo "scheduled_in=$((${usec:-0} / 1000000 - $(date +%s)))"
fi
exit 0
"""
)
# a(ssssuu): what it is against, who holds it, why, how (block or delay), user, process.
_INHIBITORS = """\
export LC_ALL=C
login=org.freedesktop.login1
busctl call $login /org/freedesktop/login1 $login.Manager ListInhibitors 2>/dev/null
exit 0
"""
_REBOOT = f"""\
export LC_ALL=C
may_as_root "$(command -v touch)" {MARKER} || exit
may_as_root "$(command -v systemctl)" --no-block reboot || exit
as_root "$(command -v touch)" {MARKER} || exit
as_root "$(command -v systemctl)" --no-block reboot
"""
_CONDITION = """\
export LC_ALL=C
state=$(systemctl is-system-running 2>/dev/null)
[ "$state" != degraded ] || state="degraded: $(systemctl --failed --no-legend --plain |
    awk '{ print $1 }' | xargs)"
echo "$state"
"""


class Systemd:
    """systemd as the source of truth; reading its facts needs no privilege."""

    name = "systemd"
    memory = "/run"
    refused_logins: int | None = None
    reboot_settle = 0.0

    def canonical(self, service: str) -> str:
        check_name(service)
        stem = service.removesuffix(".service")
        if stem.endswith("@"):
            raise UsageError(f"{service!r} is a template, not a service; name one made of it: {stem}NAME")
        return service if service.endswith(_SUFFIXES) else f"{service}.service"

    def services(self, link: Link, *, deadline: Deadline) -> list[str]:
        names = set(link.ask(_LIST, deadline=deadline).split())
        # "name@.service" is a template, not a service.
        return sorted(name for name in names if name.endswith(".service") and "@." not in name)

    def facts(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> list[ServiceFacts]:
        if not services:
            return []
        clock, *blocks = link.ask(_SHOW, services, deadline=deadline).strip("\n").split("\n\n")
        ticks, hertz = map(int, clock.split())
        shown = zip(services, blocks, strict=True)
        found = [parse_show(name, block, ticks / hertz) for name, block in shown]
        files = [one.file for one in found if one.masked and one.file]
        empty = set(link.ask(_EMPTY_FILES, files, deadline=deadline).splitlines()) if files else set()
        return [replace(one, detail=_EMPTY) if one.masked and one.file in empty else one for one in found]

    def cannot(self, facts: ServiceFacts) -> str:
        if facts.masked:
            if facts.detail == _EMPTY:
                return (
                    f"{facts.name} cannot be started: its unit file {facts.file} is empty; write or remove it"
                )
            unmask = f"systemctl unmask {facts.name}"
            return f"{facts.name} is masked, so it cannot be started ({unmask})"
        return ""

    def danger(self, link: Link, services: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
        return danger(link, services, alone=alone, deadline=deadline)

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
        # systemd itself restarts the running dependents in the job's own transaction.
        mode = _ALONE if alone else ""
        return link.run(_JOBS, ["restart", mode, *services], deadline=deadline)

    def start(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> CommandResult:
        return link.run(_JOBS, ["start", "", *services], deadline=deadline)

    def finished(self, link: Link, service: str, *, deadline: Deadline) -> str:
        return parse_finished(link.ask(_LAST_WORDS, [service], deadline=deadline))

    def last_words(self, link: Link, service: str, *, deadline: Deadline) -> list[str]:
        return parse_journal(link.ask(_LAST_WORDS, [service], deadline=deadline))

    def machine(self, link: Link, *, deadline: Deadline) -> MachineFacts:
        return parse_machine(link.ask(_MACHINE, deadline=deadline))

    def refused(self, result: CommandResult) -> str:
        # systemctl queues the jobs and waits for none, so its status is about the asking alone.
        if result.ended is not Ended.EXITED or not result.exit_status:
            return ""
        lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[0] if lines else f"exit status {result.exit_status}"

    def blocked(self, link: Link, *, deadline: Deadline) -> str:
        return parse_inhibitors(link.ask(_INHIBITORS, deadline=deadline))

    def reboot(self, link: Link, *, deadline: Deadline) -> CommandResult:
        return link.run(_REBOOT, deadline=deadline)

    def condition(self, link: Link, *, deadline: Deadline) -> str:
        return link.ask(_CONDITION, deadline=deadline).strip()

    def commands(
        self,
        services: Sequence[str],
        dependents: Sequence[str] = (),
        *,
        alone: bool = False,
        reboot: bool = False,
    ) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = []
        job = ("/usr/bin/systemctl", "--no-block")
        mode = [_ALONE] if alone else []
        commands += [(*job, *mode, "restart", unit) for unit in services]
        for unit in (*services, *dependents):
            commands.append((*job, "start", unit))
            commands.append(("/usr/bin/systemctl", "reset-failed", unit))
            commands.append(("/usr/bin/journalctl", *_JOURNAL, unit))
        if reboot:
            commands += [("/usr/bin/touch", MARKER), (*job, "reboot")]
        return commands


def parse_show(name: str, block: str, now: float = 0.0) -> ServiceFacts:
    """The facts in one block of ``systemctl show``; ``name`` is what was asked for.

    Args:
        now: seconds since the machine's kernel began, as systemd counts its times.
    """
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    load = values.get("LoadState", "")
    began, ended = (
        int(values.get(f"ExecMain{what}TimestampMonotonic") or 0) / 1e6 for what in ("Start", "Exit")
    )
    reverse = [values.get(key, "").split() for key in ("RequiredBy", "BoundBy", "ConsistsOf")]
    return ServiceFacts(
        name=values.get("Id") or name,
        exists=load not in {"not-found", "masked", ""},
        masked=load == "masked",
        state=values.get("ActiveState", ""),
        detail=values.get("SubState", "") if load == "loaded" else load,
        run=values.get("InvocationID", ""),
        pid=int(values.get("MainPID") or 0),
        restarts=int(values.get("NRestarts") or 0),
        busy=values.get("Job", "") not in {"", "0"},
        result=values.get("Result", ""),
        ends=values.get("Type") == "oneshot",
        lived=max(0.0, (ended if ended >= began else now) - began) if began else 0.0,
        pause=parse_span(values.get("RestartUSec", "")),
        empty=values.get("ActiveState") == "active" and values.get("SubState") == "exited",
        refuses=next(
            (verb for verb in ("stop", "start") if values.get(f"RefuseManual{verb.title()}") == "yes"), ""
        ),
        dependents=tuple(sorted({unit for units in reverse for unit in units})),
        description=values.get("Description", ""),
        file=values.get("FragmentPath", ""),
    )


def parse_inhibitors(text: str) -> str:
    """Who blocks a shutdown, in what ``busctl call ... ListInhibitors`` wrote; "" where nobody does."""
    try:
        words = shlex.split(text)[2:]
    except ValueError:
        return ""
    for what, who, why, mode, _, process in zip(*(words[place::6] for place in range(6)), strict=False):
        if "shutdown" in what.split(":") and mode.startswith("block"):
            return f"{who} (process {process}): {why}"
    return ""


def parse_span(text: str) -> float:
    """Seconds in a time span as ``systemctl show`` writes it (systemd.time(7)): ``1min 30s``, ``100ms``."""
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
    parts = re.findall(r"([\d.]+)(us|ms|s|min|h|d)\b", text)
    return sum(float(count) * units[unit] for count, unit in parts)


def parse_finished(text: str) -> str:
    """The newest run that systemd says ended well, in what ``journalctl -o json -u UNIT`` wrote."""
    entries = [entry for entry in map(_entry, text.splitlines()) if entry.get("_PID") == "1"]
    good = [str(entry.get("INVOCATION_ID") or "") for entry in entries if entry.get("MESSAGE_ID") == _SUCCESS]
    return good[-1] if good else ""


def parse_journal(text: str) -> list[str]:
    """The last words in what ``journalctl -o json -u UNIT`` wrote (systemd.journal-fields(7)).

    What the service itself said in its newest run, or where it said nothing, what systemd said about it.
    systemd's own lines tell what the unit's state tells, and would push the service's out: they are many,
    and the journal does not keep the order of lines that reach it by different ways.
    """
    entries = [entry for entry in map(_entry, text.splitlines()) if entry]
    run = _run(entries[-1]) if entries else ""
    own = [entry for entry in entries if entry.get("_PID") != "1" and _run(entry) == run]
    lines = [line for entry in own or entries for line in _message(entry).splitlines()]
    return [line for line in lines if line][-_SHOWN_WORDS:]


def _entry(line: str) -> dict[str, object]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _run(entry: dict[str, object]) -> object:
    return entry.get("_SYSTEMD_INVOCATION_ID") if entry.get("_PID") != "1" else entry.get("INVOCATION_ID")


def _message(entry: dict[str, object]) -> str:
    message = entry.get("MESSAGE")
    if isinstance(message, list):  # A message that is not text comes as the list of its bytes.
        return bytes(byte for byte in message if byte in range(256)).decode("utf-8", "replace")
    return message if isinstance(message, str) else ""
