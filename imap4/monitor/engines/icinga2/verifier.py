"""Icinga 2's own verifier: what it makes of a configuration, by type and name.

``icinga2 daemon -C`` reads the configuration and writes what it made of it to a folder of ours.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imap4.monitor.engines import facts
from imap4.monitor.engines.installed import said

Objects = dict[str, dict[str, dict[str, Any]]]


def parse_objects(data: bytes) -> Objects:
    """The objects in ``icinga2.debug`` (netstrings of JSON), by type and full name."""
    found: Objects = {}
    while data:
        length, _, rest = data.partition(b":")
        size = int(length)
        record = json.loads(rest[:size])
        properties = record["properties"]
        found.setdefault(record["type"], {})[properties.get("__name", record["name"])] = properties
        data = rest[size + 1 :]
    return found


def _node(folder: Path) -> str:
    """The name of the node whose configuration was written to ``folder``; empty where it is not known."""
    try:
        data = (folder / "icinga2.vars").read_bytes()
    except OSError:
        return ""
    while data:
        length, _, rest = data.partition(b":")
        record = json.loads(rest[: int(length)])
        data = rest[int(length) + 1 :]
        if record.get("name") == "NodeName":
            return str(record.get("value", ""))
    return ""


def version_of(program: str, seconds: float = 20) -> tuple[int, ...] | None:
    """The engine's version; None where it does not tell."""
    found = said([program, "--version"], r"version: [rv]?(\d+)\.(\d+)(?:\.(\d+))?", seconds)
    return tuple(int(part) for part in found.groups() if part) if found else None


def _verified(command: Sequence[str], seconds: float) -> tuple[subprocess.CompletedProcess[str] | None, str]:
    """What the verifier said; or None, and why it said nothing."""
    user = pwd.getpwuid(os.geteuid())
    environment = {**os.environ, "ICINGA2_USER": user.pw_name, "LC_ALL": "C.UTF-8"}
    if os.geteuid() == 0:
        environment["ICINGA2_GROUP"] = "root"
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
        )
    except OSError as error:
        return None, f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return None, f"{command[0]} daemon -C took longer than {seconds:g} s"
    return ended, ""


def dump(program: str, config: str, defines: Sequence[str], seconds: float) -> tuple[Objects | None, str]:
    """The configuration's objects and the node's name, or None and what the verifier said."""
    with tempfile.TemporaryDirectory(prefix="imap4-monitor-") as folder:
        command = [program, "daemon", "-C", "-c", config]
        version = version_of(program)
        if version is None or version >= facts.ICINGA2_DUMPS_ON_DEMAND:
            command.append("--dump-objects")
        for define in (*defines, f"CacheDir={folder}"):
            command += ["-D", define]
        ended, why = _verified(command, seconds)
        if ended is None:
            return None, why
        written = Path(folder) / "icinga2.debug"
        if ended.returncode != 0:
            critical = [line for line in ended.stdout.splitlines() if "critical/" in line]
            return None, "; ".join(critical or ended.stdout.splitlines()[-1:])
        if not written.exists():
            return (
                None,
                f"{program} is valid to its verifier, which wrote no objects; its version is {version}",
            )
        return parse_objects(written.read_bytes()), _node(Path(folder))
