"""``imap4-monitor setup`` on this machine's own root folder, nothing of which is changed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.machines.private_root import PrivateRoot, why_no_private_root

ENGINES = ("/usr/sbin/nagios4", "/usr/sbin/icinga2")
NewRoot = Callable[[str], PrivateRoot]


@pytest.fixture
def new_root() -> Iterator[NewRoot]:
    """Makes private roots with Debian's Nagios, Icinga 2, both or neither, each as its package left it."""
    if why_no_private_root():
        pytest.skip(why_no_private_root())
    if not all(Path(each).exists() for each in ENGINES):
        pytest.skip("Debian's Nagios and Icinga 2 are what is meant")
    with ExitStack() as stack:

        def make(engines: str) -> PrivateRoot:
            # Not pytest's own folder: its name would be a path of over 108 bytes for a socket.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="imap4-root-"))
            root = stack.enter_context(PrivateRoot(Path(folder)))
            root.open_to_all()
            # Written once, a file can be linked and copied there as on any disk.
            root.shell("for each in nagios4 icinga2; do cp -a /etc/$each /etc/.$each; rm -r /etc/$each; done")
            for each in engines.split():
                root.shell(f"mv /etc/.{each} /etc/{each}")
            return root

        yield make


PLACES = (
    *("/etc/nagios4", "/etc/icinga2", "/etc/nagios", "/etc/imap4-monitor", "/etc/check_imap4"),
    *("/usr/local/bin", "/var/lib/imap4-monitor", "/var/lib/check_imap4"),
)
"""All that a set-up may touch; of systemd's folder, see ``tree``."""


def tree(root: PrivateRoot) -> str:
    """Every file that a set-up may touch with its owner, mode and contents."""
    find = f"find {' '.join(PLACES)} $(find /etc/systemd -name 'imap4*' -o -name '*.service.d')"
    return root.shell(
        f"{find} -xdev -printf '%p %u:%g %m %l\\n' 2>/dev/null | sort; "
        f"{find} -xdev -type f -print0 2>/dev/null | sort -z | xargs -0 sha256sum"
    )
