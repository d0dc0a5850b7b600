"""A network of the tests' own, in a namespace: its name server, its routes, its IMAP4 servers.

Needs root, or a kernel that lets users make namespaces. Nothing of it is seen outside, and it is gone
with the process that holds it. Run as a program, this file is that process:

    unshare ... python -m tests.machines.network
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.machines.plugin import ROOT
from tests.machines.ports import stop, wait_until
from tests.machines.scripted import Peer, ScriptedServer, good

PORT = 143

GOOD4, GOOD6 = "192.0.2.1", "2001:db8::1"
"""Served as it should be."""
BYE4 = "192.0.2.2"
"""Says BYE."""
REFUSING4, REFUSING6 = "192.0.2.3", "2001:db8::3"
"""Nothing listens there."""
SILENT4 = "192.0.2.4"
"""Accepts and says nothing."""
SOURCE_ONLY4 = "192.0.2.5"
"""Greets those who come from OTHER4, and says BYE to everybody else."""
OTHER4 = "192.0.2.6"
"""One more address of this machine."""
LOST4, LOST6 = "203.0.113.1", "2001:db8:dead::1"
"""Packets to it are lost."""
UNREACHABLE4 = "198.51.100.1"
"""A router says that there is no way to it."""
BLACKHOLE4 = "198.51.100.2"
"""The machine's own routes drop packets to it."""
PROHIBITED4 = "198.51.100.3"
"""The machine's own routes forbid it."""
REJECTED4, REJECTED6 = "192.0.2.8", "2001:db8::8"
"""A firewall rejects it as unreachable, as if it were the port."""
FORBIDDEN4 = "192.0.2.9"
"""A firewall says that it is forbidden."""
FULL4 = "192.0.2.7"
"""Listens, but its queue of connections is full."""

NAMES = {
    "good.test": (GOOD4, GOOD6),
    "good4.test": (GOOD4,),
    "dead-first.test": (LOST6, GOOD4),
    "refusing-first.test": (REFUSING6, GOOD4),
    "unreachable-first.test": (UNREACHABLE4, GOOD4),
    "lost.test": (LOST6, LOST4),
    "lost-and-refusing.test": (LOST6, REFUSING4),
    "refusing.test": (REFUSING6, REFUSING4),
    "mixed.test": (GOOD6, REFUSING4),
    "three.test": (GOOD6, LOST6, BYE4),
    "source.test": (SOURCE_ONLY4, GOOD6),
    "xn--mnchen-3ya.test": (GOOD4,),
    "xn--strae-oqa.test": (GOOD4,),
}

# dnsmasq sends questions about these zones on: to a port that never answers, and to one that says SERVFAIL.
# What it knows no server for it refuses.
_DNSMASQ = """
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
cache-size=0
local=/test/
server=/silent.example/127.0.0.1#5301
server=/failing.example/127.0.0.1#5302
"""

_SETUP = f"""
ip link set lo up
ip address add {GOOD4}/32 dev lo
ip address add {BYE4}/32 dev lo
ip address add {REFUSING4}/32 dev lo
ip address add {SILENT4}/32 dev lo
ip address add {SOURCE_ONLY4}/32 dev lo
ip address add {OTHER4}/32 dev lo
ip address add {FULL4}/32 dev lo
ip address add {REJECTED4}/32 dev lo
ip address add {FORBIDDEN4}/32 dev lo
ip address add {REJECTED6}/128 dev lo nodad
ip address add {GOOD6}/128 dev lo nodad
ip address add {REFUSING6}/128 dev lo nodad
ip route add {LOST4}/32 dev lo
ip address add {LOST6}/128 dev lo nodad
ip route add unreachable {UNREACHABLE4}/32
ip route add blackhole {BLACKHOLE4}/32
ip route add prohibit {PROHIBITED4}/32
nft add table inet test
nft add chain inet test input {{ type filter hook input priority 0 ; }}
nft add rule inet test input ip6 daddr {LOST6} drop
nft add rule inet test input ip daddr {REJECTED4} tcp dport {PORT} reject with icmp type port-unreachable
nft add rule inet test input ip6 daddr {REJECTED6} tcp dport {PORT} reject with icmpv6 type port-unreachable
nft add rule inet test input ip daddr {FORBIDDEN4} tcp dport {PORT} reject with icmp type admin-prohibited
"""


class Network(NamedTuple):
    """A namespace that is there."""

    prefix: list[str]
    """What a program is run by, to be run inside."""


class NoNamespaces(Exception):
    """This machine does not let us make namespaces."""


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make the namespace and all that is in it, and take it away again.

    Raises:
        NoNamespaces: the kernel, or the container that the tests run in, does not let us.
    """
    unshare = ["unshare", "--net", "--mount"]
    if os.getuid() != 0:
        unshare += ["--user", "--map-root-user"]
    tried = subprocess.run([*unshare, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise NoNamespaces(tried.stderr.strip())
    with tempfile.TemporaryDirectory(prefix="network-") as name:
        process = subprocess.Popen(
            [*unshare, sys.executable, "-m", "tests.machines.network", name],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:

            def ready() -> bool:
                assert process.poll() is None, "the network's process ended"
                return (Path(name) / "ready").exists()

            wait_until(ready, "the network in the namespace")
            prefix = ["nsenter", "--target", str(process.pid), "--net", "--mount"]
            yield Network(prefix if os.getuid() == 0 else [*prefix, "--user", "--preserve-credentials"])
        finally:
            stop(process)


def _replace(path: str, text: str, folder: Path) -> None:
    """Put another text in a file's place, for this namespace alone."""
    other = folder / Path(path).name
    other.write_text(text)
    # Mounting over what a link leads to; where that is nowhere, there is nothing to be hidden.
    subprocess.run(["mount", "--bind", str(other), os.path.realpath(path)], check=True)


def _fail_all(sock: socket.socket) -> None:
    """A name server that can do nothing: every answer is SERVFAIL (RFC 1035 section 4.1.1)."""
    with contextlib.suppress(OSError):
        while True:
            question, client = sock.recvfrom(512)
            sock.sendto(question[:2] + b"\x81\x82" + question[4:], client)


def _by_source(peer: Peer) -> None:
    if peer.socket.getpeername()[0] == OTHER4:
        good(peer)
    else:
        peer.send("* BYE strangers are not served\r\n")


def _resolves() -> bool:
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo("good4.test", PORT) != []
    return False


def _serve(folder: Path) -> None:
    """Inside: everything, until somebody ends this process."""
    # What is mounted here must not be seen outside.
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    _replace("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n", folder)
    _replace("/etc/nsswitch.conf", "hosts: files dns\n", folder)
    for line in _SETUP.strip().splitlines():
        subprocess.run(line.split(), check=True)
    hosts = [f"host-record={name},{address}" for name, addresses in NAMES.items() for address in addresses]
    (folder / "dnsmasq.conf").write_text(_DNSMASQ + "\n".join(hosts) + "\n")
    with contextlib.ExitStack() as stack:
        mute = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        mute.bind(("127.0.0.1", 5301))
        failing = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        failing.bind(("127.0.0.1", 5302))
        threading.Thread(target=_fail_all, args=(failing,), daemon=True).start()
        full = stack.enter_context(socket.create_server((FULL4, PORT), backlog=0))
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        for address in (GOOD4, GOOD6):
            stack.enter_context(ScriptedServer(good, host=address, port=PORT))
        stack.enter_context(ScriptedServer(lambda peer: peer.send("* BYE closed\r\n"), BYE4, PORT))
        stack.enter_context(ScriptedServer(Peer.wait, SILENT4, PORT))
        stack.enter_context(ScriptedServer(_by_source, SOURCE_ONLY4, PORT))
        # --no-daemon keeps it from changing its user, which it could not in a user's namespace.
        command = ["dnsmasq", "--no-daemon", f"--conf-file={folder}/dnsmasq.conf"]
        with (folder / "log").open("wb") as log:
            subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(_resolves, "the name server")
        (folder / "ready").touch()
        threading.Event().wait()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
