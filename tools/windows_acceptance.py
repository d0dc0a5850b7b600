#!/usr/bin/env python3
"""An acceptance run of imap4-recovery against a real Windows machine; prints a report to send back.

    python3 tools/windows_acceptance.py --machine win1.example.org --credential win --service Spooler
        [--reboot] [-- more options for every call, such as --port 5985 or --ca-file FILE]

It restarts the named service, runs harmless programs, writes one small program into the account's %TEMP%
and removes it, and reboots the machine only with --reboot. docs/windows.md tells what to choose. It takes
about ten minutes. What it proves and what not stands at the end of its report.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

WORDS = [
    "",
    "a b",
    "it's",
    '"',
    'q"u o"te',
    "\\",
    "a\\\\",
    'a\\"b c\\',
    "$HOME",
    "%PATH%",
    "&|<>^",
    "é ü 日本 ✓",
    "-n",
    "*",
]

COMMAND = [sys.executable, "-m", "recovery"]

# Makes a program that prints its arguments, each as base64, one a line.
_PRINTER = r"""
$path = Join-Path $env:TEMP 'imap4-recovery-arguments.exe'
Remove-Item -Path $path -ErrorAction SilentlyContinue
$code = 'public class P { public static void Main(string[] a) { foreach (string s in a) {
System.Console.WriteLine("<" + System.Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(s))); } } }'
Add-Type -TypeDefinition $code -OutputAssembly $path -OutputType ConsoleApplication
[Console]::Out.Write($path)
"""


@dataclass
class Run:
    """The run: how to call, and what was found."""

    base: list[str]
    bad: int = 0

    def call(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        action, *rest = arguments
        words = [*COMMAND, action, *self.base, *rest]
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def program(self, *arguments: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        """An external process: its facts, with ``exit_code`` and ``line`` of the command itself."""
        code, said = self.call("external-process", "--json", *options, "--", *arguments)
        try:
            told = json.loads(said)
        except ValueError:
            return {"exit_code": code, "line": said.strip()}
        return {**told.get("facts_after", {}), "exit_code": code, "line": told.get("line", "")}

    def check(self, title: str, good: bool, seen: object) -> None:
        """Report one check."""
        self.bad += not good
        print(f"{'ok ' if good else 'BAD'}  {title}")
        if not good or isinstance(seen, str):
            print("       " + "\n       ".join(str(seen).strip().splitlines()))


def main() -> int:
    """Run everything; returns 0 where all was as expected, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machine", required=True)
    parser.add_argument("--credential", required=True)
    parser.add_argument("--service", required=True, help="a harmless service that runs, such as Spooler")
    parser.add_argument("--reboot", action="store_true")
    parser.add_argument(
        "--limit", default="15s", help="the time-out that ends a program that would not end (15s)"
    )
    parser.add_argument("more", nargs="*", help="options for every call, after --")
    options = parser.parse_args()
    run = Run(["--machine", options.machine, "--credential", options.credential, *options.more])
    version = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True)
    here = f"Python {platform.python_version()}, {platform.platform()}"
    print(f"# Acceptance run: {version.stdout.strip()}, {here}")
    code, said = run.call("doctor", "--service", options.service)
    run.check("doctor finds nothing wrong", code == 0, said)
    if "platform: " not in said:
        print("The machine cannot be worked with; the rest was left out.")
        return 1
    services(run, options.service)
    programs(run, options.limit)
    restart(run, options.service)
    lost_link(run, options.service)
    if options.reboot:
        code, said = run.call("reboot-server", "--dry-run")
        run.check("dry run of a reboot says who is logged on and what is at work", code == 0, said)
        code, said = run.call("reboot-server", "-v")
        run.check("reboot-server reboots, with proof", code == 0, said)
    proven(run, options.reboot)
    print(f"# {run.bad} BAD" if run.bad else "# All as expected")
    return 1 if run.bad else 0


def services(run: Run, service: str) -> None:
    """Names are whole names, and vital services are left alone."""
    code, said = run.call("services", service)
    run.check("services lists the service", code == 0 and said.lower().startswith(service.lower()), said)
    code, said = run.call("restart-service", "--service", service[:-1] + "-nothing")
    run.check("a service that is not there is a failure", code == 2 and "does not exist" in said, said)
    code, said = run.call("restart-service", "--service", "Odd [name] *")
    run.check("brackets and stars stand for themselves", code == 2 and "does not exist" in said, said)
    for vital in ("WinRM", "EventLog", "RpcSs"):
        code, said = run.call("restart-service", "--service", vital)
        run.check(f"{vital} is never stopped", code == 2 and "would stop" in said, said)


def programs(run: Run, limit: str) -> None:
    """Exit codes, streams, input, environment, exact arguments, time-out."""
    told = run.program("cmd.exe", "/c", "exit 3010", options=("--success-exit-status", "3010"))
    run.check("exit status 3010 arrives", (told["exit_code"], told.get("exit_status")) == (0, 3010), told)
    told = run.program("cmd.exe", "/c", "echo out& echo err>&2")
    streams = (str(told.get("stdout", "")).strip(), str(told.get("stderr", "")).strip())
    run.check("both streams arrive", streams == ("out", "err"), told)
    told = run.program("cmd.exe", "/c", "echo %IMAP4_TEST%", options=("--env", "IMAP4_TEST=a b"))
    run.check("a variable arrives", str(told.get("stdout", "")).strip() == "a b", told)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("first line\r\nsecond line\r\n")
        file.flush()
        told = run.program("findstr.exe", "line", options=("--stdin-file", file.name))
    lines = str(told.get("stdout", "")).split("\n")
    run.check(
        "standard input arrives", [one.strip() for one in lines[:2]] == ["first line", "second line"], told
    )
    told = run.program("no-such-program.exe")
    run.check(
        "a program that is not there is told", told["exit_code"] == 2 and "not started" in told["line"], told
    )
    told = run.program("cmd.exe", options=("--command-line", '/c echo "a b"c'))
    run.check("a command line arrives as it is", '"a b"c' in str(told.get("stdout", "")), told)
    told = run.program("cmd.exe", "/c", "echo Gerät")
    run.check("characters arrive as they are", str(told.get("stdout", "")).strip() == "Gerät", told)
    exact_arguments(run)
    told = run.program("ping.exe", "-n", "300", "127.0.0.1", options=("--timeout", limit))
    run.check("a time-out ends the program", "killed by the time-out" in told["line"], told)
    told = run.program("tasklist.exe", "/fi", "imagename eq ping.exe")
    run.check("and it is gone from the machine", "ping.exe" not in str(told.get("stdout", "")).lower(), told)
    told = run.program("cmd.exe", "/c", "start /b ping.exe -n 300 127.0.0.1", options=("--timeout", limit))
    run.check("a child that is left behind holds nothing up", "exit_status" in told, told)


def exact_arguments(run: Run) -> None:
    """Arguments arrive as they were given."""
    encoded = base64.b64encode(_PRINTER.encode("utf-16-le")).decode()
    shell = ("powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand")
    told = run.program(*shell, encoded)
    path = str(told.get("stdout", ""))
    run.check("the argument printer can be made", path.endswith(".exe"), told)
    if not path.endswith(".exe"):
        return
    told = run.program(path, *WORDS)
    found = [
        base64.b64decode(one).decode()
        for one in re.findall(r"^<(.*?)\r?$", str(told.get("stdout", "")), re.M)
    ]
    run.check("arguments arrive exactly as given", found == WORDS, {**told, "found": found})
    run.program("cmd.exe", "/c", f"del {path}")


def restart(run: Run, service: str) -> None:
    """The repair itself."""
    code, said = run.call("restart-service", "--service", service, "--dry-run")
    run.check("dry run", code == 0, said)
    code, said = run.call("restart-service", "--service", service, "-v")
    run.check("restart-service restarts, with proof", code == 0, said)


def lost_link(run: Run, service: str) -> None:
    """We die in the middle of a restart: the machine itself brings the service up."""
    words = [*COMMAND, "restart-service", *run.base, "--service", service, "-v"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        # The order itself; PowerShell there needs a moment to stop the service.
        if " restart " in line or line.startswith("restart"):
            time.sleep(1.5)
            break
    process.kill()
    process.wait()
    process.stdout.close()
    said = ""
    for _ in range(12):
        code, said = run.call("doctor", "--service", service)
        if code == 0 and f"{service}: active (running)".lower() in said.lower():
            break
        time.sleep(5)
    run.check("the service runs again after we were killed in the middle", "active (running)" in said, said)


def proven(run: Run, rebooted: bool) -> None:
    """What this run says of the machine, and what not."""
    print("# Proven here, where the lines above say ok: login and link by the method of the credential;")
    print("# Windows' own functions for services and processes in this PowerShell; arguments; time-outs;")
    print(f"# a restart with its proof{'; a reboot with its proof' if rebooted else ''}.")
    print("# Not proven here: clusters; --kill; services that hang; other methods, accounts and versions;")
    print("# whether the guard outlives the remote shell (pull the cable in the middle of a restart).")


if __name__ == "__main__":
    sys.exit(main())
