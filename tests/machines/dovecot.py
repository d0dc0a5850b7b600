"""A Dovecot of the tests' own: private configuration, users and ports, run by whoever runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import grp
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.machines.ports import free_port, start, stop, wait_for_server

DOVECOT = "/usr/sbin/dovecot"

# As root, Dovecot drops its rights to the users that its package made; else all stays with one user.
_PRIVILEGES = """
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
"""

# Only root can change its root folder.
_NO_CHROOT = """
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
}
"""

_CONFIGURATION = """
protocols = imap
listen = 127.0.0.1, ::1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
login_greeting = Ready.
mail_location = maildir:{folder}/mail/%n
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
ssl = {ssl}
auth_mechanisms = plain
auth_failure_delay = 0
# Without this, a wrong password makes every login of the next minutes slow.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
  unix_listener {folder}/imap {{
    mode = 0666
  }}
}}
"""


class Dovecot(NamedTuple):
    """A running Dovecot."""

    port: int
    tls_port: int
    socket: str
    """The path of its Unix socket."""
    ca_file: str
    """What signed its certificate for ``localhost`` and ``127.0.0.1``."""
    password: str
    """Of the user ``eve``, made up for this run."""
    log: Path


@contextlib.contextmanager
def dovecot(ssl_mode: str = "yes", more: str = "", users: str = "") -> Iterator[Dovecot]:
    """Start a Dovecot in the foreground, and stop it.

    Args:
        ssl_mode: its ``ssl`` setting.
        more: further configuration.
        users: further lines of its file of users.
    """
    # Not pytest's folder: its path is too long for the sockets, and not open to Dovecot's users.
    with tempfile.TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        password = secrets.token_hex(12)
        (folder / "users").write_text(f"eve:{password}::::::\n{users}")
        (folder / "users").chmod(0o644)
        _write_certificate(folder)
        port, tls_port = free_port(), free_port()
        configuration = folder / "dovecot.conf"
        configuration.write_text(
            _privileges()
            + _CONFIGURATION.format(
                folder=folder,
                ssl=ssl_mode,
                # Dovecot refuses to open mail as root.
                uid=os.getuid() or 65534,
                gid=os.getgid() or 65534,
                port=port,
                tls_port=tls_port,
            )
            + more
        )
        process = start([DOVECOT, "-F", "-c", str(configuration)], folder / "stderr")
        try:
            wait_for_server(process, "127.0.0.1", port, folder / "log")
            ca_file = str(folder / "ca.pem")
            yield Dovecot(port, tls_port, str(folder / "imap"), ca_file, password, folder / "log")
        finally:
            stop(process)


def _privileges() -> str:
    if os.getuid() == 0:
        return _PRIVILEGES.format(internal="dovecot", group="dovecot", login="dovenull")
    me, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
    return _PRIVILEGES.format(internal=me, group=group, login=me) + _NO_CHROOT


def _write_certificate(folder: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
