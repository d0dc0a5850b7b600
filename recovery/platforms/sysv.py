"""Machines with System V init scripts (LSB Core, "System Initialization").

An init script's exit code is not trusted: a service runs if its process does, and runs again if that is
another process (or the same number with another start time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imap4.deadline import Deadline
from recovery.model import CommandResult
from recovery.platforms import MARKER, MachineFacts, ServiceFacts, check_name
from recovery.platforms.linux import BOOT_SCRIPT, parse_machine
from recovery.transports.link import Link

_HEAD = """\
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
dir=/etc/init.d
[ -d "$dir" ] || dir=/etc/rc.d/init.d
"""
# Status codes (LSB): 0 running, 1 and 2 dead but a trace is left, 3 stopped, 4 not known (often: not root).
_FACTS = (
    _HEAD
    + r"""
for name; do
    script=$dir/$name
    echo "name=$name"
    if [ ! -x "$script" ]; then echo exists=no; echo; continue; fi
    said=$("$script" status 2>&1 </dev/null); status=$?
    if [ $status -ge 4 ]; then said=$(as_root "$script" status 2>&1 </dev/null); status=$?; fi
    echo "status=$status"
    echo "description=$(sed -n 's/^# *Short-Description: *//p' "$script" | head -n 1)"
    for pid in $(
        sed -n -e 's/^# *pidfile: *\(\/[^ ]*\).*/\1/p' \
            -e 's/^ *PID_*FILE=["'\'']*\(\/[^"'\''$ ]*\).*/\1/p' "$script" |
            while read -r file; do head -n 1 "$file" 2>/dev/null; done
        cat "/run/$name.pid" "/var/run/$name.pid" "/run/${name}d.pid" "/run/$name"/*.pid 2>/dev/null
        printf '%s\n' "$said" | sed -n 's/.*pid[s:)]* *\([0-9][0-9]*\).*/\1/p'
        # PID files that the account may not read: the oldest process with the daemon's name.
        daemon=$(sed -n 's/^ *DAEMON=["'\'']*\(\/[^"'\''$ ]*\).*/\1/p' "$script" | head -n 1)
        [ $status != 0 ] || pgrep -o -x -- "$(printf %.15s "${daemon##*/}")" || pgrep -o -x -- "$name"
    ); do
        case $pid in *[!0-9]*) continue ;; esac
        stat=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || continue
        start=$(printf '%s' "$stat" | cut -d' ' -f20)
        case $stat in Z*) continue ;; esac
        [ -z "$start" ] || { echo "pid=$pid"; echo "start=$start"; break; }
    done
    echo
done
"""
)
# A script without a run level to be started in belongs to the way down: reboot, halt, umountroot, sendsigs.
_DANGER = (
    _HEAD
    + r"""
ours=" "; pid=$$
while [ "$pid" -gt 1 ]; do
    ours="$ours$pid "
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f2)
done 2>/dev/null
for name; do
    case $name in rc | rcS | single | killprocs)
        echo "$name is a part of the system, and no service"; exit ;;
    esac
    if grep -q '^# *Default-Start: *$' "$dir/$name" 2>/dev/null; then
        echo "$name is run when the machine goes down, and is no service"; exit
    fi
    for file in "/run/$name.pid" "/var/run/$name.pid" "/run/${name}d.pid"; do
        pid=$(head -n 1 "$file" 2>/dev/null) || continue
        case $ours in *" $pid "*)
            echo "restarting $name would stop what we are logged in through"; exit ;;
        esac
    done
done
"""
)
_HEADERS = (
    _HEAD
    + r"""
for script in "$dir"/*; do
    [ -x "$script" ] && [ ! -d "$script" ] || continue
    printf '%s|%s|%s\n' "${script##*/}" "$(sed -n 's/^# *Provides: *//p' "$script" | tr '\n' ' ')" \
        "$(sed -n 's/^# *Required-Start: *//p' "$script" | tr '\n' ' ')"
done
"""
)
# Output goes to a file: a daemon that keeps it open holds nobody up, and a lost link kills no init script.
_ACT = (
    _HEAD
    + r"""
service=$(command -v service) || service=
log=$(mktemp) || exit
act() { # HOW NAME VERB
    if [ -n "$service" ]; then "$1" "$service" "$2" "$3"; else "$1" "$dir/$2" "$3"; fi
} >>"$log" 2>&1 </dev/null
failed=0
for step; do
    act may_as_root "${step#*:}" "${step%%:*}" || { cat "$log" >&2; rm -f "$log"; exit 1; }
done
for step; do
    act as_root "${step#*:}" "${step%%:*}" || { failed=$?; grep -q '^sudo: ' "$log" && break; }
done
cat "$log" >&2
rm -f "$log"
exit $failed
"""
)
_LAST_WORDS = (
    _HEAD
    + r"""
for file in /var/log/daemon.log /var/log/syslog /var/log/messages "/var/log/$1.log" /var/log/mail.log; do
    [ -r "$file" ] && grep -F -- "$1" "$file" | tail -n 5
done | tail -n 5
"""
)
_MACHINE = (
    BOOT_SCRIPT
    + """\
PATH=$PATH:/usr/sbin:/sbin
case "$(runlevel 2>/dev/null)" in *' 0' | *' 6') echo "reboot=it is going down" ;;
*) ! pgrep -x shutdown >/dev/null 2>&1 || echo "reboot=one is scheduled (shutdown -c ends that)" ;;
esac
"""
)
_REBOOT = f"""\
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
may_as_root "$(command -v touch)" {MARKER} || exit
may_as_root "$(command -v shutdown)" -r now || exit
as_root "$(command -v touch)" {MARKER} || exit
as_root "$(command -v shutdown)" -r now
"""
_CONDITION = """\
PATH=$PATH:/usr/sbin:/sbin
if pgrep -x 'rc|rcS|startpar' >/dev/null 2>&1; then echo starting; else echo running; fi
"""


class SysV:
    """Init scripts, their LSB headers and the processes they start."""

    name = "System V init"
    memory = "/run"
    refused_logins: int | None = None
    reboot_settle = 0.0

    def canonical(self, service: str) -> str:
        return check_name(service).removesuffix(".service")

    def services(self, link: Link, *, deadline: Deadline) -> list[str]:
        return sorted(_requirements(link.ask(_HEADERS, deadline=deadline)))

    def facts(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> list[ServiceFacts]:
        if not services:
            return []
        needed = _requirements(link.ask(_HEADERS, deadline=deadline))
        blocks = link.ask(_FACTS, services, deadline=deadline).strip("\n").split("\n\n")
        return [parse_facts(block, needed) for block in blocks]

    def cannot(self, facts: ServiceFacts) -> str:
        return ""

    def danger(self, link: Link, services: Sequence[str], *, alone: bool, deadline: Deadline) -> str:
        return link.ask(_DANGER, services, deadline=deadline).strip()

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
        # Who depends on others stops first and starts last.
        needed = _requirements(link.ask(_HEADERS, deadline=deadline))
        starting = start_order([*services, *([] if alone else dependents)], needed)
        if len(starting) == 1:
            steps = [f"restart:{starting[0]}"]
        else:
            steps = [f"stop:{name}" for name in reversed(starting)] + [f"start:{name}" for name in starting]
        return link.run(_ACT, steps, deadline=deadline)

    def start(self, link: Link, services: Sequence[str], *, deadline: Deadline) -> CommandResult:
        return link.run(_ACT, [f"start:{name}" for name in services], deadline=deadline)

    def finished(self, link: Link, service: str, *, deadline: Deadline) -> str:
        return ""

    def last_words(self, link: Link, service: str, *, deadline: Deadline) -> list[str]:
        return link.ask(_LAST_WORDS, [service], deadline=deadline).splitlines()

    def machine(self, link: Link, *, deadline: Deadline) -> MachineFacts:
        return parse_machine(link.ask(_MACHINE, deadline=deadline))

    def refused(self, result: CommandResult) -> str:
        return ""

    def blocked(self, link: Link, *, deadline: Deadline) -> str:
        return ""

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
        verbs = ("restart", "stop", "start")
        commands: list[tuple[str, ...]] = [
            ("/usr/sbin/service", name, verb) for name in (*services, *dependents) for verb in verbs
        ]
        if reboot:
            commands += [("/usr/bin/touch", MARKER), ("/sbin/shutdown", "-r", "now")]
        return commands


def _requirements(text: str) -> dict[str, frozenset[str]]:
    """Init script -> the init scripts that it needs, from the lines of ``_HEADERS``."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 2]
    provided = {facility: name for name, provides, _ in rows for facility in [*provides.split(), name]}
    return {
        name: frozenset(provided[word] for word in required.split() if word in provided) - {name}
        for name, _, required in rows
    }


def start_order(services: Sequence[str], needed: Mapping[str, frozenset[str]]) -> list[str]:
    """``services`` so that each comes after those it needs; a circle is cut where it is met."""
    ordered: list[str] = []
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in visiting:
            return
        visiting.add(name)
        for other in sorted(needed.get(name, ())):
            visit(other)
        if name in services:
            ordered.append(name)

    for service in services:
        visit(service)
    return ordered


def parse_facts(block: str, needed: Mapping[str, frozenset[str]]) -> ServiceFacts:
    """The facts in one block that ``_FACTS`` printed."""
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    name, status, pid = values["name"], values.get("status", ""), int(values.get("pid") or 0)
    running = status == "0" or (pid != 0 and status != "3")
    meaning = {"0": "running", "1": "dead", "2": "dead", "3": "stopped"}
    return ServiceFacts(
        name=name,
        exists=values.get("exists") != "no",
        state="active" if running else "failed" if status in {"1", "2"} else "inactive",
        detail=meaning.get(status, f"status {status}" if status else "not-found"),
        run=f"{pid}/{values.get('start', '')}" if pid and running else "",
        pid=pid if running else 0,
        dependents=tuple(sorted(other for other, needs in needed.items() if name in needs)),
        description=values.get("description", ""),
    )
