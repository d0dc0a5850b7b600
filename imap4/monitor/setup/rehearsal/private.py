"""A private engine of the kind that is set up: the same program, user and programs of ours."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from imap4 import folders
from imap4.deadline import Deadline
from imap4.monitor.engines import facts
from imap4.monitor.engines.icinga2.objects import literal
from imap4.monitor.setup import as_user, disk, texts
from imap4.monitor.setup.engines import Engine
from imap4.monitor.trouble import Trouble

CONTACT = "imap4-rehearsal"
STARTS = 60.0
"""Seconds that an engine may take to start: a host that is set up may be busy."""

_CORE = """\
log_file={folder}/engine.log
cfg_dir={folder}/objects
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
status_update_interval=1
{kind}_user={user}
{kind}_group={group}
check_external_commands=1
command_file={folder}/engine.cmd
query_socket={folder}/engine.qh
lock_file={folder}/engine.pid
temp_file={folder}/engine.tmp
temp_path={folder}
check_result_path={folder}/spool
state_retention_file={folder}/retention.dat
event_broker_options=0
log_rotation_method=n
use_syslog=0
log_notifications=1
log_external_commands=1
service_inter_check_delay_method=n
interval_length=1
notification_timeout=60
enable_environment_macros=0
check_for_updates=0
illegal_macro_output_chars=`~$&|'"<>
"""
_CONTACT = """\
define command {{
    command_name imap4-rehearsal
    command_line /usr/bin/printf '%s\\n' '$NOTIFICATIONTYPE$ $SERVICESTATE$' >> {folder}/told
}}
define contact {{
    contact_name {contact}
    service_notification_options w,u,c,r
    host_notification_options n
    service_notification_commands imap4-rehearsal
    host_notification_commands imap4-rehearsal
}}
"""
_ICINGA = """\
include <itl>
const NodeName = "localhost"
const ZoneName = "localhost"
object Endpoint NodeName {{ }}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{ }}
object NotificationComponent "notification" {{ }}
object FileLogger "main-log" {{ severity = "notice", path = "{folder}/engine.log" }}
object ApiListener "api" {{ bind_host = "127.0.0.1", bind_port = {port} }}
object User "{contact}" {{ }}
object NotificationCommand "mail-service-notification" {{
  command = [ "/bin/sh", "-c", {script} ]
  env = {{ TYPE = "$notification.type$", STATE = "$service.state$" }}
}}
{api}
include_recursive "{folder}/objects"
"""


class Private:
    """One private engine. ``with`` it, its folder is there; afterwards, nothing is."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.folder = as_user.folder_for(engine.user)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.environment: dict[str, str] = {}
        """What tells a comment the way to this engine."""

    @property
    def is_icinga(self) -> bool:
        return self.engine.name == facts.ICINGA2

    def __enter__(self) -> Private:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._said.close()
        # As the engine's user: in the folder, root follows no link of theirs.
        subprocess.run(["rm", "-rf", "--", str(self.folder)], **as_user.settings(self.engine.user))
        with suppress(OSError):
            self.folder.rmdir()

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file in the folder, the engine's user's."""
        path = self.folder / name
        folders.replace_file(path, text.encode(), mode)
        return path

    def read(self, name: str) -> str:
        """What is in a file of the folder; empty where it is not there yet."""
        data = disk.read(self.folder / name)
        return data.decode(errors="replace") if data else ""

    def run(self, command: list[str], more: Mapping[str, str] | None = None, stdin: str = "") -> str:
        """What a program says that must end well."""
        given = as_user.settings(self.engine.user, more)
        del given["stdin"]
        ended = subprocess.run(
            command,
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STARTS,
            **given,
        )
        said = str(ended.stdout, errors="replace")
        if ended.returncode != 0:
            raise Trouble(f"setup: rehearsal: {' '.join(command)}: {' '.join(said.split())[-400:]}")
        return said

    def configure(self, files: Mapping[str, str]) -> None:
        """Write its configuration.

        Args:
            files: what was rendered, by name.
        """
        for name in ("objects", "spool"):
            self.run(["mkdir", "-p", str(self.folder / name)])
        self._icinga() if self.is_icinga else self._core()
        for name, text in files.items():
            self.write(f"objects/{name}", text)

    def _core(self) -> None:
        values = {
            "folder": self.folder,
            "kind": self.engine.name,
            "user": self.engine.user.pw_name,
            "group": disk.group_of(self.engine.user),
            "contact": CONTACT,
        }
        more = "cached_service_check_horizon=0\n" if self.engine.name == facts.NAEMON else ""
        self.write("engine.cfg", _CORE.format(**values) + more)
        self.write("objects/site.cfg", _CONTACT.format(**values))
        self.environment = {"IMAP4_NAGIOS_COMMAND_FILE": str(self.folder / "engine.cmd")}

    def _icinga(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        password = texts.new_password()
        script = f'printf "%s\\n" "$TYPE $STATE" >> {self.folder}/told'
        values = {"folder": self.folder, "port": port, "contact": CONTACT, "script": literal(script)}
        for name in ("data/certs", "log", "cache", "run", "lib"):
            self.run(["mkdir", "-p", str(self.folder / name)])
        self.write("engine.cfg", _ICINGA.format(**values, api=texts.api_user(password)))
        self.write("password", password + "\n")
        certs = self.folder / "data" / "certs"
        key, request, certificate = (str(certs / f"localhost.{end}") for end in ("key", "csr", "crt"))
        for command in (
            ("new-ca",),
            ("new-cert", "--cn", "localhost", "--key", key, "--csr", request),
            ("sign-csr", "--csr", request, "--cert", certificate),
        ):
            self.run(self._with_defines("pki", *command))
        self.run(["cp", str(self.folder / "data" / "ca" / "ca.crt"), str(certs / "ca.crt")])
        self.environment = {
            "IMAP4_ICINGA_API": f"https://localhost:{port}",
            "IMAP4_ICINGA_USER": texts.API_USER,
            "IMAP4_ICINGA_PASSWORD_FILE": str(self.folder / "password"),
            "IMAP4_ICINGA_CA_FILE": str(certs / "ca.crt"),
        }

    def _with_defines(self, *command: str) -> list[str]:
        places = {
            "DataDir": "data",
            "LogDir": "log",
            "CacheDir": "cache",
            "InitRunDir": "run",
            "SpoolDir": "spool",
        }
        defines = [f"{name}={self.folder / place}" for name, place in places.items()]
        defines += [f"ConfigDir={self.folder}", f"ZonesDir={self.folder / 'zones.d'}"]
        return [self.engine.program, *command, *(word for each in defines for word in ("-D", each))]

    def start(self) -> None:
        """Start it, and wait until it works.

        Raises:
            Trouble: it does not start.
        """
        main = str(self.folder / "engine.cfg")
        command = (
            [*self._with_defines("daemon"), "-c", main] if self.is_icinga else [self.engine.program, main]
        )
        self._process = subprocess.Popen(
            command,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **as_user.settings(self.engine.user, self.environment),
        )
        ready: Callable[[], object] = (
            (lambda: "Activated all objects" in self.read("engine.log"))
            if self.is_icinga
            else (lambda: self.read("status.dat"))
        )
        deadline = Deadline(STARTS)
        while not ready():
            if self._process.poll() is not None or deadline.expired:
                self._said.seek(0)
                said = self._said.read().decode(errors="replace") + self.read("engine.log")
                last = " ".join(said.split())[-600:]
                raise Trouble(f"setup: rehearsal: a private {self.engine.name} does not start: {last}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it, and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            process.terminate()
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def has_comment(self) -> bool:
        """Whether the engine has the rehearsal's comment. Icinga's API has said so: ``comment`` is 0."""
        if self.is_icinga:
            return self.read("comment").strip() == "0"
        return "comment_data=rehearsal: " in self.read("status.dat")
