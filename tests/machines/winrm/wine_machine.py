"""A Windows of Wine's for one test run: a prefix of its own, services and programs in C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recovery.transports.winrm import script as winrm_script
from tests.machines.winrm.lanes import PowerShellTransport
from tests.machines.winrm.shells import Process

SOURCES = Path(__file__).parent / "wine"
COMPILER = "x86_64-w64-mingw32-gcc"


@dataclass
class WineMachine:
    """The machine: what is done to its services without any PowerShell, and what they wrote."""

    prefix: Path
    pwsh: str
    programs: Path
    program: str = ""
    """Where this PowerShell is, as Windows says it."""
    keeper: subprocess.Popen[bytes] | None = None
    """A Wine program that runs all the time: without one, Wine's services end between two calls."""
    names: list[str] = field(default_factory=list)
    """The services that were made."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "WINEPREFIX": str(self.prefix),
            # Wineserver makes a folder there for each prefix, and leaves it.
            "TMPDIR": str(self.programs),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "shutdown.exe=n",
            "PSExecutionPolicyPreference": "Bypass",
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            # Else .NET 10 in Wine 8 ends at random with "Internal CLR error".
            "DOTNET_TieredCompilation": "0",
            "DOTNET_EnableWriteXorExecute": "0",
        }

    @property
    def drive(self) -> Path:
        return self.prefix / "drive_c"

    def transport(
        self, *, job: int | None = None, seconds: float | None = None, program: float | None = None
    ) -> PowerShellTransport:
        """Scripts run in PowerShell for Windows, as over WinRM.

        Args:
            job: in a job object that ends with its launcher, as WinRM's shells are; 1 where what is in it
                may leave it. None is no job.
            seconds: what a script has for itself; None is as over WinRM.
            program: the same for a program that a script runs.
        """
        if job is None:
            return PowerShellTransport(
                [self.pwsh], self.environment, script_seconds=seconds, program_seconds=program
            )
        return PowerShellTransport(["wine", "C:\\launch.exe", str(job), self.program], self.environment)

    def control(self, *words: str) -> str:
        """Ask ``control.exe``; returns what it said."""
        done = subprocess.run(
            ["wine", "C:\\control.exe", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def service(
        self, name: str, mode: str = "normal", number: int = 0, *, needs: str = "", start: bool = True
    ) -> None:
        """Make a service and start it."""
        words = [name, f'C:\\service.exe "{name}" {mode} {number}', *([needs] if needs else [])]
        assert self.control("create", *words) == ""
        self.names.append(name)
        if start:
            assert self.control("start", name) == ""
            self.wait(lambda: self.state(name)[0] == 4)

    def state(self, name: str) -> tuple[int, int]:
        """The state's number and the process's."""
        said = self.control("state", name).split()
        return (int(said[0]), int(said[1])) if said and said[0] != "error" else (0, 0)

    def log(self, *names: str) -> list[str]:
        """What services wrote: ``NAME word``, in order."""
        path = self.drive / "service.log"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [(line.split(" ", 1)[1].rsplit(" ", 2)) for line in lines]
        return [f"{name} {word}" for name, _, word in found if not names or name in names]

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Until ``condition`` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.1)

    def registry(self, service: str, name: str, number: int) -> None:
        """Write a number into a service's key."""
        key = f"HKLM\\SYSTEM\\CurrentControlSet\\Services\\{service}"
        words = ["reg", "add", key, "/v", name, "/t", "REG_DWORD", "/d", str(number), "/f"]
        subprocess.run(["wine", *words], env=self.environment, check=True, capture_output=True, timeout=60)

    def _processes(self, fits: Callable[[list[str]], bool]) -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                ours = f"WINEPREFIX={self.prefix}".encode() in (folder / "environ").read_bytes().split(b"\0")
                if ours and fits(words):
                    found.append(int(folder.name))
        return found

    def shells(self) -> list[int]:
        """The PowerShells with the bootstrap: numbers of this machine's processes."""
        encoded = winrm_script.command_line()[-1]
        return self._processes(lambda words: words[0].endswith("pwsh.exe") and encoded in words)

    def guards(self) -> list[int]:
        """The PowerShells that see to it that everything comes up."""
        encoded = winrm_script.command_line()[-1]
        return self._processes(lambda words: words[0].endswith("pwsh.exe") and encoded not in words)

    def children(self) -> list[int]:
        """What a service of mode ``wrapper`` started."""
        return self._processes(lambda words: words[0].endswith("program.exe"))

    def end(self, numbers: list[int]) -> None:
        """Kill processes, as if they had crashed."""
        assert numbers
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def boot(self) -> None:
        """Start Wine, and keep it."""
        self.keeper = subprocess.Popen(
            ["wine", "C:\\control.exe", "wait"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline().strip() == b"here"

    def shut_down(self) -> None:
        """End every program of this prefix, and its wineserver; volatile keys of the registry go with it."""
        subprocess.run(["wineserver", "-k"], env=self.environment, timeout=60)
        if self.keeper is not None:
            self.keeper.wait(60)
            for stream in (self.keeper.stdin, self.keeper.stdout):
                if stream:
                    stream.close()
        subprocess.run(["wineserver", "-w"], env=self.environment, timeout=60)

    def __call__(self, line: str, process: Process) -> int:
        """A command line in a shell of this machine, as an endpoint runs it."""
        program, *words = line.split(" ")
        assert program == winrm_script.command_line()[0]
        with subprocess.Popen(
            [self.pwsh, *words],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as started:
            assert started.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                started.stdin.write(process.read_stdin())
                started.stdin.close()
            reader = threading.Thread(target=_copy, args=(started, process), daemon=True)
            reader.start()
            while started.poll() is None:
                if process.wait(0.05):
                    started.kill()
            # A child that is left behind may hold the stream open.
            reader.join(2)
            return started.returncode

    def forget_turns(self) -> None:
        """Take away what repairs wrote down of themselves, so that the next test is the first to repair."""
        key = "HKLM\\SOFTWARE\\check_imap4"
        subprocess.run(["wine", "reg", "delete", key, "/f"], env=self.environment, capture_output=True)

    def clean(self) -> None:
        """Take away the services of one test, however they hang."""
        for name in self.names:
            _, number = self.state(name)
            self.control("delete", name)
            if number:
                self.control("end", str(number))
        self.names.clear()
        for numbers in (
            self.guards(),
            self.children(),
            self._processes(lambda w: w[0].endswith("service.exe")),
        ):
            if numbers:
                self.end(numbers)
        for left in ("service.log", "failed", "shutdown.log", "shutdown.code"):
            (self.drive / left).unlink(missing_ok=True)


@contextlib.contextmanager
def wine_machine(folder: Path, pwsh: str) -> Iterator[WineMachine]:
    """Make the prefix and the programs; everything of it is ended with the block."""
    programs = folder / "programs"
    programs.mkdir()
    for source in SOURCES.glob("*.c"):
        wide = ["-municode"] if "wmain" in source.read_text() else []
        subprocess.run(
            [COMPILER, *wide, "-o", programs / f"{source.stem}.exe", source, "-lshell32", "-ladvapi32"],
            check=True,
        )
    machine = WineMachine(folder / "prefix", pwsh, programs)
    # The first PowerShell makes the prefix.
    made = subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-Command", "(Get-Process -Id $PID).Path"],
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    machine.program = made.stdout.strip()
    assert machine.program.endswith("pwsh.exe"), made.stdout + made.stderr
    for program in programs.glob("*.exe"):
        (machine.drive / program.name).write_bytes(program.read_bytes())
    system = machine.drive / "windows" / "system32" / "shutdown.exe"
    system.unlink(missing_ok=True)
    system.write_bytes((programs / "shutdown.exe").read_bytes())
    machine.boot()
    try:
        yield machine
    finally:
        machine.shut_down()


def _copy(started: subprocess.Popen[bytes], process: Process) -> None:
    assert started.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        while piece := os.read(started.stdout.fileno(), 1 << 16):
            process.write("stdout", piece)
