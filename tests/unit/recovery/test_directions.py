"""Imports go one way: what decides knows neither network nor database, and a skip loads no SSH."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("recovery.decision.policy", ("sqlite3", "socket", "paramiko", "cryptography", "argparse", "time")),
        ("recovery.decision.event", ("sqlite3", "socket", "paramiko", "cryptography")),
        ("recovery.credentials.restrictions", ("sqlite3", "socket", "paramiko", "cryptography")),
        (
            "recovery.execution.perform",
            ("paramiko", "cryptography", "rich", "recovery.transports", "recovery.platforms"),
        ),
        ("recovery.cli", ("paramiko", "cryptography", "rich", "recovery.transports", "recovery.platforms")),
    ],
)
def test_a_module_loads_no_more_than_it_needs(module: str, never: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    # What the interpreter loads by itself is not the module's doing.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True
    )
    assert (set(loaded.split()) - set(bare.stdout.split())) & set(never) == set()
