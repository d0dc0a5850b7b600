"""A private Icinga 2: its own folder, no service of the system, run as whoever runs the tests."""

from __future__ import annotations

import grp
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

from imap4.deadline import Deadline
from imap4.monitor.engines.facts import ICINGA2_DUMPS_ON_DEMAND
from imap4.monitor.engines.icinga2.verifier import version_of
from tests.engines.ending import end, kill

PROGRAM = (
    os.environ.get("IMAP4_TEST_ICINGA2")
    or shutil.which("icinga2", path="/usr/sbin:/usr/bin")
    or "/usr/sbin/icinga2"
)
"""The engine; IMAP4_TEST_ICINGA2 puts another build in its place."""

MAIN = """\
include <itl>
include <plugins>
const PluginDir = "/usr/lib/nagios/plugins"
const NodeName = "localhost"
const ZoneName = "localhost"
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object NotificationComponent "notification" {{ }}
object FileLogger "main-log" {{
  severity = "notice"
  path = "{folder}/icinga2.log"
}}
include_recursive "{folder}/objects"
"""


def make(folder: Path) -> Path:
    """Writes the main file and its folders; the main file's path comes back."""
    for name in ("objects", "data/certs", "log", "cache", "run", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    main = folder / "icinga2.conf"
    main.write_text(MAIN.format(folder=folder))
    return main


def user(folder: Path, name: str, command: str) -> None:
    """A user, and the site's own notification command (Icinga's language for its ``command``)."""
    (folder / "objects" / "a-site.conf").write_text(
        f'object User "{name}" {{ }}\n'
        f'object NotificationCommand "mail-service-notification" {{\n  {command}\n}}\n'
    )


@dataclass(frozen=True)
class Api:
    """An API on loopback, with a certificate of its own CA."""

    port: int
    ca_file: Path
    passwords: dict[str, Path]
    """The file with the password, by user."""


def _own_certificates(folder: Path, program: str) -> None:
    """An authority and a certificate as the engine itself makes them."""
    place = folder / "data" / "certs"
    key, csr, certificate = (str(place / f"localhost.{end}") for end in ("key", "csr", "crt"))
    for command in (
        ("new-ca",),
        ("new-cert", "--cn", "localhost", "--key", key, "--csr", csr),
        ("sign-csr", "--csr", csr, "--cert", certificate),
    ):
        words = _arguments(folder, program, "pki", *command)
        subprocess.run(words, check=True, capture_output=True, env=_environment(), timeout=60)
    shutil.copy(folder / "data" / "ca" / "ca.crt", place / "ca.crt")


def api(folder: Path, users: Mapping[str, Sequence[str] | str], program: str | None = None) -> Api:
    """Switches the API on, with users and their permissions; passwords are made up.

    Args:
        users: the permissions' names, or one permission in Icinga's language, by user.
        program: the engine, if it is to make its certificates itself.
    """
    folder_of = folder / "data" / "certs"
    if program:
        _own_certificates(folder, program)
    else:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", common_name="localhost")
        authority.cert_pem.write_to_path(folder_of / "ca.crt")
        certificate.cert_chain_pems[0].write_to_path(folder_of / "localhost.crt")
        certificate.private_key_pem.write_to_path(folder_of / "localhost.key")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = f'object ApiListener "api" {{\n  bind_host = "127.0.0.1"\n  bind_port = {port}\n}}\n'
    passwords = {}
    for name, permissions in users.items():
        password = secrets.token_urlsafe(12)
        passwords[name] = folder / f"password-{name}"
        passwords[name].touch(mode=0o600)
        passwords[name].write_text(password + "\n")
        may = f"[ {permissions} ]" if isinstance(permissions, str) else json.dumps(permissions)
        text += f'object ApiUser "{name}" {{\n  password = "{password}"\n  permissions = {may}\n}}\n'
    (folder / "objects" / "api.conf").write_text(text)
    return Api(port, folder_of / "ca.crt", passwords)


def defines(folder: Path) -> list[str]:
    """The constants that make it private."""
    places = {
        "DataDir": "data",
        "LogDir": "log",
        "CacheDir": "cache",
        "InitRunDir": "run",
        "SpoolDir": "spool",
        "ConfigDir": "",
        "ZonesDir": "zones.d",
    }
    return [f"{name}={folder / place}" for name, place in places.items()]


def _arguments(folder: Path, program: str, *command: str) -> list[str]:
    return [program, *command, *(part for each in defines(folder) for part in ("-D", each))]


def _environment() -> dict[str, str]:
    mine = {
        "ICINGA2_USER": pwd.getpwuid(os.geteuid()).pw_name,
        "ICINGA2_GROUP": grp.getgrgid(os.getegid()).gr_name,
    }
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **mine}


def verify(main: Path, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    """What the engine's own verifier says of the configuration; it writes its objects into a file."""
    version = version_of(program)
    dump = ["--dump-objects"] if version and version >= ICINGA2_DUMPS_ON_DEMAND else []
    return subprocess.run(
        [*_arguments(main.parent, program, "daemon"), "-C", *dump, "-c", str(main)],
        capture_output=True,
        text=True,
        timeout=120,
        env=_environment(),
    )


def objects(folder: Path, kind: str) -> dict[str, dict[str, object]]:
    """The objects of one type that the verifier wrote (netstrings of JSON), by name."""
    data = (folder / "cache" / "icinga2.debug").read_bytes()
    found = {}
    while data:
        length, _, rest = data.partition(b":")
        record = json.loads(rest[: int(length)])
        data = rest[int(length) + 1 :]
        if record["type"] == kind:
            found[record["properties"]["__name"]] = record["properties"]
    return found


class Icinga:
    """A running engine."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, program: str = PROGRAM
    ) -> None:
        self.folder = folder
        self.program = program
        self._more = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The leader of its session."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it tests."""
        seen = self.log().count("ConfigItem: Activated all objects")
        self._process = subprocess.Popen(
            [*_arguments(self.folder, self.program, "daemon"), "-c", str(self.folder / "icinga2.conf")],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "stdout").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_environment(), **self._more},
        )
        self._wait(seen)

    def _wait(self, seen: int) -> None:
        """Wait until it has activated its objects once more than ``seen`` times."""
        assert self._process is not None
        deadline = Deadline(60)
        while self.log().count("ConfigItem: Activated all objects") <= seen:
            if self._process.poll() is not None or deadline.expired:
                raise AssertionError((self.folder / "stdout").read_text() + self.log())
            time.sleep(0.1)

    def reload(self) -> None:
        """Reload as its unit does, and wait until it has."""
        assert self._process is not None
        seen = self.log().count("ConfigItem: Activated all objects")
        self._process.send_signal(signal.SIGHUP)
        self._wait(seen)

    def kill(self) -> None:
        """End it so that it can save nothing."""
        assert self._process is not None
        kill(self._process)
        self._process = None

    def stop(self) -> None:
        """Stop as its unit does; what is left of it is killed."""
        if self._process is not None:
            end(self._process, 60)  # it saves last
            self._process = None

    def log(self) -> str:
        """The engine's log so far."""
        path = self.folder / "icinga2.log"
        return path.read_text(errors="replace") if path.exists() else ""
