"""``make demo``: the main job for the user to see, against a server of its own or a named one."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.machines.scripted import Peer, ScriptedServer, closed_port, good  # noqa: E402 - not installed

PLUGIN = Path(sys.executable).with_name("check_imap4")
STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def show(title: str, *arguments: str) -> int:
    """Run the plugin as a person would, and say what its exit code means."""
    print(f"\n# {title}")
    print(f"$ check_imap4 {shlex.join(arguments)}", flush=True)
    code = subprocess.run([PLUGIN, *arguments]).returncode
    print(f"exit code {code}: {STATES[code]}", flush=True)
    return code


def says_bye(peer: Peer) -> None:
    """A server that is there but takes no sessions."""
    peer.send("* BYE [UNAVAILABLE] down for maintenance until 04:00\r\n")


def main(hosts: list[str]) -> int:
    """Check the given host; else show four servers.

    Returns:
        0 where every verdict was the one that it should be, or whatever it was for a given host.
    """
    if hosts:
        show(f"Your server {hosts[0]}", "-H", hosts[0], "-v")
        return 0
    codes = []
    with ScriptedServer(good) as server:
        codes.append(show("A server that works", "-H", "127.0.0.1", "-p", str(server.port)))
    with closed_port() as port:
        codes.append(show("A server that refuses connections", "-H", "127.0.0.1", "-p", str(port)))
    with ScriptedServer(Peer.wait) as server:
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        codes.append(show("A server that accepts, but is silent (2 s to wait)", *target, "-t", "2"))
    with ScriptedServer(says_bye) as server:
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        codes.append(show("A server that says BYE, with -v for advice", *target, "-v"))
    print("\nYour own server: make demo HOST=imap.example.org")
    return 0 if codes == [0, 2, 2, 2] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
