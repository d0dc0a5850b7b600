"""The acceptance run for real Windows machines, tried on the model: the run itself must work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.host import MACHINE, ROOT, Host
from tests.machines.winrm.windows import Windows

# What the run calls on Windows, as far as it calls it.
PROGRAMS = {
    "cmd.exe": """
case ${2:-$1} in
    "exit 3010") exit 3010 ;;
    "echo out& echo err>&2") echo out; echo err >&2 ;;
    "echo %IMAP4_TEST%") echo "$IMAP4_TEST" ;;
    "echo Gerät") echo Gerät ;;
    '/c echo "a b"c') echo '"a b"c' ;;
    "del "*) rm -f "${2#del }" ;;
esac
""",
    "findstr.exe": 'exec grep -- "$1"\n',
    "ping.exe": "exec sleep 300\n",
    "tasklist.exe": "echo INFO: No tasks are running\n",
    "powershell.exe": 'cp "$PRINTER" "$PRINTER.exe"; printf %s "$PRINTER.exe"\n',
    "arguments": 'for word; do printf "<%s\\r\\n" "$(printf %s "$word" | base64 -w0)"; done\n',
}


def test_the_run_goes_through_and_reports(
    host: Host, endpoint: Endpoint, windows: Windows, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(0o755)
    windows.path = str(folder)
    windows.variables = {"PRINTER": str(folder / "arguments")}
    windows.exit_codes = {"exit 3010": 3010}
    host.add("winrm-ntlm")
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "tools" / "windows_acceptance.py", "--machine", MACHINE),
            *("--credential", "winrm-ntlm", "--service", "Indexer", "--reboot", "--limit", "5s", "--"),
            *("--port", str(endpoint.port), "--scheme", "http"),
        ],
        env={**os.environ, **host.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "BAD", "#"))]
    assert len([line for line in found if line.startswith("ok ")]) == 24
    assert found[-1] == "# All as expected"
    assert host.site.password not in done.stdout
    assert not (folder / "arguments.exe").exists()
    assert "stop Indexer" in windows.calls
