"""A Dovecot of the tests' own: private configuration, users and ports, run by whoever runs the tests."""

from __future__ import annotations

import contextlib
import functools
import getpass
import grp
import os
import secrets
import subprocess
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

# What both of Dovecot's languages say alike.
_CONFIGURATION = """
protocols = imap
listen = 127.0.0.1, ::1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
login_greeting = Ready.
ssl = {ssl}
auth_mechanisms = plain
auth_failure_delay = 0
# Without this, a wrong password makes every login of the next minutes slow.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
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

# Dovecot 2.3 (Debian 12).
_IN_2_3 = """
mail_location = maildir:{folder}/mail/%n
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
"""

# Dovecot 2.4 (Debian 13): other words for mail, certificates and users. The version must come first.
_FIRST_IN_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
_IN_2_4 = """
mail_driver = maildir
mail_path = {folder}/mail/%{{user | username}}
ssl_server_cert_file = {folder}/server.pem
ssl_server_key_file = {folder}/server.key
passdb passwd-file {{
  default_password_scheme = PLAIN
  passwd_file_path = {folder}/users
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user | username}}
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
        more: further configuration, in the words of 2.3.
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
            _language(
                folder=folder,
                ssl=ssl_mode,
                # Dovecot refuses to open mail as root.
                uid=os.getuid() or 65534,
                gid=os.getgid() or 65534,
                port=port,
                tls_port=tls_port,
            )
            + (more.replace("service_count =", "restart_request_count =") if newer() else more)
        )
        process = start([DOVECOT, "-F", "-c", str(configuration)], folder / "stderr")
        try:
            # It writes to its log only once it has read its configuration.
            wait_for_server(process, "127.0.0.1", port, folder / "stderr")
            ca_file = str(folder / "ca.pem")
            yield Dovecot(port, tls_port, str(folder / "imap"), ca_file, password, folder / "log")
        finally:
            stop(process)


@functools.cache
def newer() -> bool:
    """Whether the Dovecot that is installed is 2.4 or newer: another language, and other words in its log."""
    said = subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = said.split(".")[:2]
    return (int(major), int(minor)) >= (2, 4)


def _language(**values: object) -> str:
    """The configuration in the language of the Dovecot that is installed, before a test's own lines."""
    text = _CONFIGURATION + (_IN_2_4 if newer() else _IN_2_3)
    return (_FIRST_IN_2_4 if newer() else "") + _privileges() + text.format(**values)


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
