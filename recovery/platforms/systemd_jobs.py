"""What restarting units would do to the rest of a machine with systemd, worked out before it is asked for.

systemctl has no dry run for it. The rules are those of systemd's transactions (systemd.unit(5), "Mapping of
unit properties to their inverses", and src/core/transaction.c): stopping a unit stops what requires it, is
bound to it or part of it; starting one starts what it requires and wants, and stops what it conflicts with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from imap4.deadline import Deadline
from recovery.transports.link import Link

KINDS = (".service", ".socket", ".timer", ".path")
"""What a person calls a service. A target, slice or mount is a part of the system itself."""
_NOT_RUNNING = frozenset(
    f"{name}.target"
    for name in (
        *("shutdown", "reboot", "poweroff", "halt", "kexec", "soft-reboot", "exit", "final", "umount"),
        *("emergency", "rescue", "sleep", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"),
        *("factory-reset", "system-update", "initrd", "initrd-switch-root", "ctrl-alt-del"),
    )
)
"""Targets that end the system as it is, by their meaning in systemd.special(7)."""
_STOPPED_WITH = ("RequiredBy", "BoundBy", "ConsistsOf", "PropagatesStopTo")
_STARTED_WITH = ("Requires", "BindsTo", "Wants", "Upholds")
_ACTIONS = ("SuccessAction", "FailureAction", "StartLimitAction")
_LISTS = (*_STOPPED_WITH, *_STARTED_WITH, "Conflicts", "WantedBy")
_SHOW = f"""\
export LC_ALL=C
systemctl show -p Id,ActiveState,{",".join((*_LISTS, *_ACTIONS))} -- "$@"
"""
# The control groups of all processes from ours up to the first: session, sshd, and what holds them.
_WAY_IN = """\
pid=$$
while [ "$pid" -gt 1 ]; do
    cat "/proc/$pid/cgroup" || exit 0
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f2)
done 2>/dev/null
"""
_ROUNDS = 50


@dataclass
class _Unit:
    """What systemd says of a unit."""

    name: str
    active: bool
    lists: dict[str, list[str]]
    actions: dict[str, str]


@dataclass
class _Jobs:
    """The jobs of one transaction, as far as they are known."""

    alone: bool
    stopped: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)

    def missing(self, known: dict[str, _Unit], restarted: Sequence[str]) -> set[str]:
        """Work the jobs out from what is known; returns the units that have to be known first."""
        self.stopped, self.started, missing = set(), set(), set()
        pending = [(job, name) for name in restarted for job in ("restart", "start")]
        while pending:
            job, name = pending.pop()
            unit = known.get(name)
            if unit is None:
                missing.add(name)
            elif job == "start":
                pending += self._start(unit)
            else:
                pending += self._stop(unit, job)
        return missing

    def _start(self, unit: _Unit) -> list[tuple[str, str]]:
        if unit.name in self.started or (unit.active and unit.name not in self.stopped):
            return []
        self.started.add(unit.name)
        if self.alone:
            return []
        wanted = [("start", name) for key in _STARTED_WITH for name in unit.lists[key]]
        return [*wanted, *(("stop", name) for name in unit.lists["Conflicts"])]

    def _stop(self, unit: _Unit, job: str) -> list[tuple[str, str]]:
        if unit.name in self.stopped or not unit.active:
            return []
        self.stopped.add(unit.name)
        if self.alone:
            return []
        others = [name for key in _STOPPED_WITH for name in unit.lists[key]]
        again = others if job == "restart" else []
        return [(job, name) for name in others] + [("start", name) for name in again]


def danger(link: Link, units: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
    """Why ``units`` must not be restarted by somebody who may restart services; "" where they may.

    Args:
        alone: whether only they are restarted, without what systemd would restart with them.
    """
    for name in units:
        if not name.endswith(KINDS):
            kind = name.rpartition(".")[2]
            return f"{name} is a {kind}, a part of the system, and no service, socket, timer or path"
    known: dict[str, _Unit] = {}
    whole, jobs = _Jobs(False), _Jobs(alone)
    for _ in range(_ROUNDS):
        missing = whole.missing(known, units) | jobs.missing(known, units)
        if not missing:
            break
        known |= _ask(link, sorted(missing), deadline)
    way_in = _units_in(link.ask(_WAY_IN, deadline=deadline))
    # A unit that leads to the end of the system is for that, also where the target itself is left out.
    return _judge([known[name] for name in units], whole.started, jobs.stopped & way_in)


def _judge(units: Iterable[_Unit], started: set[str], ours: set[str]) -> str:
    for unit in units:
        wanted_by = {*unit.lists["RequiredBy"], *unit.lists["WantedBy"]}
        if wanted_by and wanted_by <= _NOT_RUNNING:
            return f"{unit.name} is part of {sorted(wanted_by)[0]}, which ends the running system"
        for action, value in unit.actions.items():
            if value not in ("", "none"):
                return f"{unit.name} has {action}={value}, which a restart could set off"
    names = ", ".join(unit.name for unit in units)
    if ends := sorted(started & _NOT_RUNNING):
        return f"restarting {names} would start {ends[0]}, which ends the running system"
    if ours:
        return f"restarting {names} would stop {sorted(ours)[0]}, through which we are logged in"
    return ""


def _ask(link: Link, names: Sequence[str], deadline: Deadline) -> dict[str, _Unit]:
    blocks = link.ask(_SHOW, names, deadline=deadline).strip("\n").split("\n\n")
    found = {}
    for name, block in zip(names, blocks, strict=True):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        active = values.get("ActiveState", "inactive") not in ("inactive", "failed")
        lists = {key: values.get(key, "").split() for key in _LISTS}
        # By the name that was asked for: an alias leads to the same jobs.
        unit = _Unit(values.get("Id") or name, active, lists, {key: values.get(key, "") for key in _ACTIONS})
        found[name] = found[unit.name] = unit
    return found


def _units_in(cgroups: str) -> set[str]:
    """The units on the paths of control groups, as in ``0::/user.slice/user-0.slice/session-1.scope``."""
    parts = {part for line in cgroups.splitlines() for part in line.split(":", 2)[-1].split("/")}
    return {part for part in parts if part.endswith((".service", ".scope", ".slice"))}
