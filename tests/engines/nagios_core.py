"""A private Nagios Core 4: its own folder, no service of the system, run as whoever runs the tests."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from imap4.deadline import Deadline
from tests.engines import core
from tests.engines.ending import end, kill

MAIN = """\
log_file={folder}/nagios.log
cfg_dir={folder}/objects
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
status_update_interval=1
nagios_user={user}
nagios_group={user}
check_external_commands=1
command_file={folder}/rw/nagios.cmd
query_socket={folder}/rw/nagios.qh
lock_file={folder}/nagios.pid
temp_file={folder}/nagios.tmp
temp_path={folder}
event_broker_options=0
log_rotation_method=n
use_syslog=0
log_notifications=1
log_service_retries=1
log_event_handlers=1
log_external_commands=1
check_result_path={folder}/spool
state_retention_file={folder}/retention.dat
retain_state_information=1
use_retained_program_state=1
use_retained_scheduling_info=1
retention_update_interval=60
service_inter_check_delay_method=n
host_inter_check_delay_method=n
service_interleave_factor=1
interval_length={length}
retained_service_attribute_mask=1024
service_check_timeout=90
enable_notifications=1
enable_event_handlers=1
execute_service_checks=1
check_for_updates=0
illegal_object_name_chars=`~!$%^&*|'"<>?,()=
illegal_macro_output_chars=`~$&|'"<>
enable_environment_macros=0
{core}"""

CONTACTS = """\
define contact {{
    contact_name {name}
    service_notification_options w,u,c,r
    host_notification_options n
    service_notification_commands {command}
    host_notification_commands {command}
}}
"""


def make(folder: Path, length: int = 60) -> Path:
    """Writes the main file and its folders; the main file's path comes back.

    ``length``: interval_length, the engine's unit in seconds.
    """
    for name in ("objects", "rw", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    main = folder / "nagios.cfg"
    user = pwd.getpwuid(os.geteuid()).pw_name
    more = core.MAIN.format(user=user)
    main.write_text(MAIN.format(folder=folder, user=user, length=length, core=more))
    return main


def contact(folder: Path, name: str, command_line: str) -> None:
    """A contact that the site has already, with a notification command of its own."""
    text = CONTACTS.format(name=name, command=f"notify-{name}")
    text += f"define command {{\n    command_name notify-{name}\n    command_line {command_line}\n}}\n"
    (folder / "objects" / f"{name}.cfg").write_text(text)


def verify(main: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What the engine's own verifier says of the configuration."""
    return subprocess.run(
        [*core.COMMAND, *options, "-v", str(main)],
        capture_output=True,
        text=True,
        timeout=120,
        errors="replace",
    )


def directives(path: Path, kind: str) -> list[dict[str, str]]:
    """The objects of one kind that the engine wrote into its cache of objects."""
    found = []
    text = path.read_text(errors="surrogateescape")
    for block in re.findall(rf"^define {kind} \{{\n(.*?)^\t\}}$", text, re.DOTALL | re.MULTILINE):
        pairs = (line.strip("\t").split("\t", 1) for line in block.splitlines())
        # Nagios 4.5 writes a space after every value.
        found.append({pair[0]: pair[1].removesuffix(" ") if len(pair) > 1 else "" for pair in pairs})
    return found


class Nagios:
    """A running engine."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self.main = folder / "nagios.cfg"
        self.command_file = folder / "rw" / "nagios.cmd"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The leader of its session."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it takes commands."""
        before = self._started()
        self._process = subprocess.Popen(
            [*core.COMMAND, str(self.main)],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "stdout").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=self._environment,
        )
        self._wait(before)

    def _started(self) -> str:
        """When the core that wrote the status file began; a reload begins anew."""
        path = self.folder / "status.dat"
        found = re.search(r"program_start=(\d+)", path.read_text(errors="replace")) if path.exists() else None
        return found[1] if found else ""

    def _wait(self, before: str) -> None:
        """Wait for another core than the one that began at ``before``."""
        assert self._process is not None
        deadline = Deadline(30)
        while not self.command_file.exists() or self._started() in ("", before):
            if self._process.poll() is not None or deadline.expired:
                raise AssertionError((self.folder / "stdout").read_text() + self.log())
            time.sleep(0.1)

    def reload(self) -> None:
        """Reload as its unit does, and wait until it has."""
        assert self._process is not None
        before = self._started()
        self._process.send_signal(signal.SIGHUP)
        self._wait(before)

    def kill(self) -> None:
        """End it so that it can save nothing."""
        assert self._process is not None
        kill(self._process)
        self._process = None

    def stop(self) -> None:
        """Stop as its unit does; what is left of it is killed."""
        if self._process is not None:
            end(self._process, 15)
            self._process = None

    def log(self) -> str:
        """The engine's log so far."""
        path = self.folder / "nagios.log"
        return path.read_text(errors="replace") if path.exists() else ""
