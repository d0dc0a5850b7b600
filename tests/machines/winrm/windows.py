"""A model of Windows behind the endpoint: services with dependents, boots, a marker, processes.

It answers what the package's scripts would say, as Microsoft documents the service control manager,
shutdown.exe and the registry. It proves our side of the conversation; what the scripts do on a real
Windows, no test here can prove (docs/windows.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.machines.winrm import cmd, powershell, programs
from tests.machines.winrm.powershell import ScriptError
from tests.machines.winrm.shells import Process

STATES = (
    "",
    "Stopped",
    "Start Pending",
    "Stop Pending",
    "Running",
    "Continue Pending",
    "Pause Pending",
    "Paused",
)
TICKS = 10_000_000
"""Of .NET, in a second."""
EPOCH = 621_355_968_000_000_000
"""1970 in ticks of .NET."""
ACCESS_DENIED = "Access is denied (error 5)"


@dataclass
class Service:
    """One service, and how it behaves."""

    display: str
    needs: tuple[str, ...] = ()
    state: str = "Running"
    start: str = "Auto"
    group: str = ""
    """Services of one group share a process, as those of svchost.exe may."""
    stop_seconds: float = 0.0
    """How long it takes to stop; more than the limit is a service that hangs."""
    fails: str = ""
    """The error that a start ends with."""
    dies_after: float | None = None
    """Seconds after a start after which it stops by itself."""
    forbidden: bool = False
    """Whether the account may not touch it."""
    code: int = 0
    pid: int = 0
    began: int = 0


@dataclass
class Windows:
    """One machine. Times are real; ``boot_seconds`` is how long a reboot takes."""

    services: dict[str, Service]
    account: str = "STANDIN\\svc"
    administrator: bool = True
    language: str = "FullLanguage"
    boot_seconds: float = 0.5
    shutdown_code: int = 0
    """What shutdown.exe answers: 0, 5, 1115 or 1190."""
    comes_back: bool = True
    marker: bool = False
    booted: float = field(default_factory=lambda: time.time() - 86400)
    events: dict[str, list[str]] = field(default_factory=dict)
    path: str = ""
    """A folder whose programs come first."""
    variables: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    """Exit codes beyond 255, which programs here do not have, by the last argument."""
    calls: list[str] = field(default_factory=list)
    """What was done to services, in order: ``stop X``, ``start X``, ``kill X``."""
    go_down: Callable[[], None] = lambda: None
    come_up: Callable[[], None] = lambda: None
    users: list[str] = field(default_factory=list)
    servicing: list[str] = field(default_factory=list)
    machine_errors: list[str] = field(default_factory=list)
    """What the next looks at the machine end with, one each."""
    reboot_word: bool = True
    """Whether PowerShell still says something after the order to reboot."""
    second_boot: int = 0
    """At which look it turns out that it has booted once more; 0 is never."""
    turns: list[str] = field(default_factory=list)
    """The list of turns, as the registry keeps it."""
    _next_pid: int = 1000

    def __post_init__(self) -> None:
        for service in self.services.values():
            if service.state == "Running":
                self._run(service)

    def __call__(self, line: str, process: Process) -> int:
        """A command line in a shell of this machine."""
        if r"\powershell.exe " not in line:
            return cmd.run_command(line, process)
        models: dict[str, powershell.Model] = {
            "about": self._about,
            "events": self._events,
            "machine": self._machine,
            "process": self._process,
            "reboot": self._reboot,
            "restart": self._restart,
            "services": self._services,
            "turns": self._turns,
        }
        return powershell.run(models, line, process, self.language)

    def dependents(self, name: str) -> list[str]:
        """All that needs ``name``, directly or through others."""
        direct = [other for other, service in self.services.items() if name in service.needs]
        return list(dict.fromkeys([*direct, *(far for near in direct for far in self.dependents(near))]))

    def _run(self, service: Service) -> None:
        neighbours = [
            other for other in self.services.values() if service.group and other.group == service.group
        ]
        running = [other for other in neighbours if other.pid]
        if running:
            service.pid, service.began = running[0].pid, running[0].began
        else:
            self._next_pid += 4
            service.pid, service.began = self._next_pid, EPOCH + int(time.time() * TICKS)
        service.state = "Running"

    def _halt(self, service: Service, code: int = 0) -> None:
        service.state, service.pid, service.code = "Stopped", 0, code

    def _find(self, name: str) -> str | None:
        return next((own for own in self.services if own.casefold() == name.casefold()), None)

    def _services(self, names: list[str], _: bytes, __: Mapping[str, str]) -> object:
        wanted = {name.casefold() for name in names}
        if not wanted:
            return {"names": list(self.services)}
        pids = [service.pid for service in self.services.values()]
        return {
            "services": [
                {
                    "name": name,
                    "display": one.display,
                    "state": STATES.index(one.state),
                    "disabled": one.start == "Disabled",
                    "pid": one.pid,
                    "began": str(one.began) if one.pid else "",
                    "shared": bool(one.pid) and pids.count(one.pid) > 1,
                    "code": one.code,
                    "own": 0,
                    "hindrance": "",
                    "dependents": self.dependents(name),
                }
                for name, one in self.services.items()
                if name.casefold() in wanted
            ],
            "hidden": [],
        }

    def _restart(self, arguments: list[str], _: bytes, __: Mapping[str, str]) -> object:
        mode, kill, _seconds, _guard, *names = arguments
        lists = ("asked", "stopped", "started", "killed", "errors", "notes", "left")
        answer: dict[str, list[str]] = {one: [] for one in lists}
        members: list[str] = []
        for name in names:
            found = self._find(name)
            if found is None:
                return {**answer, "refused": f"{name} does not exist"}
            active = [one for one in self.dependents(found) if self.services[one].state != "Stopped"]
            members += [found, *(active if mode == "restart" else [])]
        members = list(dict.fromkeys(members))
        for name in members if mode != "start" else []:
            if name in ("WinRM", "RpcSs", "RpcEptMapper", "DcomLaunch", "HTTP", "EventLog"):
                return {**answer, "refused": f"{name} would stop"}
            for one in self.dependents(name):
                if self.services[one].state != "Stopped" and one not in members:
                    return {**answer, "refused": f"{one} runs and depends on {name}"}
        order = sorted(members, key=lambda name: len([m for m in members if m in self.dependents(name)]))
        starts = order[::-1]
        if mode != "start" and not self._stop_all(order, kill == "kill", answer):
            starts = answer["stopped"][::-1]
        for name in starts:
            self._start_one(name, answer)
        return {**answer, "refused": ""}

    def _stop_all(self, order: list[str], kill: bool, answer: dict[str, list[str]]) -> bool:
        limit = 1.0
        for name in order:
            service = self.services[name]
            if service.state == "Stopped":
                continue
            if service.forbidden:
                answer["errors"].append(f"{name} could not be stopped: {ACCESS_DENIED}")
                return False
            self.calls.append(f"stop {name}")
            answer["asked"].append(name)
            service.state = "Stop Pending"
            time.sleep(min(service.stop_seconds, limit))
            if service.stop_seconds > limit:
                alone = [one.pid for one in self.services.values()].count(service.pid) == 1
                if not kill or not alone:
                    answer["errors"].append(
                        f"{name} could not be stopped: {name} did not stop within {limit:g} s"
                    )
                    return False
                self.calls.append(f"kill {name}")
                answer["killed"].append(name)
            self._halt(service)
            answer["stopped"].append(name)
        return True

    def _start_one(self, name: str, answer: dict[str, list[str]]) -> None:
        service = self.services[name]
        if service.state == "Running":
            answer["started"].append(name)
            return
        self.calls.append(f"start {name}")
        if service.forbidden:
            answer["errors"].append(f"{name} could not be started: {ACCESS_DENIED}")
        elif service.fails:
            self._halt(service, 1067)
            self.events.setdefault(name, []).append(service.fails)
            answer["errors"].append(f"{name} could not be started: {service.fails}")
        else:
            self._run(service)
            answer["started"].append(name)
            if service.dies_after is not None:
                threading.Timer(service.dies_after, self._halt, (service, 1067)).start()

    def _turns(self, arguments: list[str], _: bytes, __: Mapping[str, str]) -> object:
        """Without a lock: no two repairs are at work on a model."""
        mode, name, owner, span, words, _alive = arguments
        when = f"{int(self.booted)} {int(time.time() - self.booted)} {int(time.time())}"
        if mode == "take":
            self.turns.append(f"begin {name} {when} {span} {owner} {words}")
        elif mode == "end":
            self.turns.append(f"end {name} {when} {words}")
        boot, up, now = when.split()
        return {"lines": [f"clock={boot} {up} {up} {now}", *self.turns]}

    def _events(self, arguments: list[str], _: bytes, __: Mapping[str, str]) -> object:
        return {"lines": self.events.get(arguments[0], [])[-5:]}

    def _machine(self, _: list[str], __: bytes, ___: Mapping[str, str]) -> object:
        if self.machine_errors:
            raise ScriptError(self.machine_errors.pop(0))
        if self.second_boot:
            self.second_boot -= 1
            self.booted += 0 if self.second_boot else 1
        return {
            "boot": str(EPOCH + int(self.booted * TICKS)),
            "uptime": time.time() - self.booted,
            "marker": self.marker,
            "starting": [name for name, one in self.services.items() if one.state == "Start Pending"],
            "users": self.users,
            "servicing": self.servicing,
            "finishing": [],
        }

    def _reboot(self, arguments: list[str], _: bytes, __: Mapping[str, str]) -> object:
        texts = {
            5: "Access is denied.(5)",
            1115: "A system shutdown is in progress.(1115)",
            1190: "A system shutdown has already been scheduled.(1190)",
        }
        if self.shutdown_code:
            return {"code": self.shutdown_code, "said": texts[self.shutdown_code]}
        self.marker = True
        self.shutdown_code = 1190
        threading.Thread(target=self._go_through_reboot, daemon=True).start()
        if not self.reboot_word:
            raise powershell.Silent
        return {"code": 0, "said": ""}

    def _go_through_reboot(self) -> None:
        # The delay of shutdown.exe, shortened: time for the answer to get away.
        time.sleep(0.3)
        self.go_down()
        time.sleep(self.boot_seconds)
        if not self.comes_back:
            return
        self.booted, self.marker, self.shutdown_code = time.time(), False, 0
        for service in self.services.values():
            self._halt(service)
            if service.start == "Auto":
                self._run(service)
        self.come_up()

    def _process(self, arguments: list[str], stdin: bytes, _: Mapping[str, str]) -> object:
        return programs.run(arguments, stdin, self.path, self.variables, self.exit_codes)

    def _about(self, _: list[str], __: bytes, ___: Mapping[str, str]) -> object:
        if not self.services:
            raise ScriptError("Invalid class")
        seen = self.administrator
        return {
            "account": self.account,
            "administrator": self.administrator,
            "machine": "STANDIN",
            "system": "Microsoft Windows Server 2022 Standard",
            "version": "10.0.20348",
            "powershell": "5.1.20348.2849",
            "language": "FullLanguage",
            "clock": time.time(),
            "listeners": ["HTTP * port 5985", "HTTPS * port 5986"] if seen else [],
            "settings": {"Basic": "false", "Negotiate": "true", "AllowUnencrypted": "false"} if seen else {},
        }


def mail_server() -> Windows:
    """A mail server: IMAP on a store, a web front end and an indexer on IMAP, what Windows needs itself."""
    return Windows(
        {
            "RpcSs": Service("Remote Procedure Call (RPC)", group="rpcss"),
            "EventLog": Service("Windows Event Log"),
            "WinRM": Service("Windows Remote Management (WS-Management)", needs=("RpcSs",)),
            "Netman": Service("Network Connections", needs=("RpcSs",), group="netsvcs"),
            "Themes": Service("Themes", group="netsvcs"),
            "MailStore": Service("Mail Store"),
            "IMAP4": Service("IMAP4 Service", needs=("MailStore",)),
            "Web Mail": Service("Web Mail Front End", needs=("IMAP4",)),
            "Indexer": Service("Mail Indexer", needs=("IMAP4",)),
            "Idle": Service("Idle Dependent", needs=("IMAP4",), state="Stopped", start="Manual"),
            "Disabled": Service("Disabled Service", state="Stopped", start="Disabled"),
            "Fails": Service("Failing Service", fails="The mail store cannot be opened", start="Manual"),
            "Dies": Service("Dying Service", dies_after=0.3, start="Manual"),
            "Hangs": Service("Hanging Service", stop_seconds=60),
            "Forbidden": Service("Forbidden Service", forbidden=True),
        }
    )
