"""A private Nagios Core 4, or the core that a variable names: its own folder, nothing of the system's."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.engines import core
from tests.engines.core_worker import IMAP4_WORKER

_MAIN = """\
log_file={folder}/nagios.log
cfg_file={folder}/objects.cfg
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
status_update_interval=1
state_retention_file={folder}/retention.dat
lock_file={folder}/nagios.pid
temp_file={folder}/nagios.tmp
temp_path={folder}
check_result_path={folder}/results
command_file={folder}/nagios.cmd
query_socket={folder}/nagios.qh
nagios_user={user}
nagios_group={user}
check_external_commands=0
event_broker_options=0
log_rotation_method=n
use_syslog=0
enable_notifications=0
enable_event_handlers=0
execute_host_checks=0
check_for_updates=0
retain_state_information=1
use_retained_scheduling_info=0
max_service_check_spread=1
max_concurrent_checks={concurrent}
service_check_timeout={timeout}
interval_length=1
{core}{more}
"""

_TEMPLATE = """\
define command {{
    command_name imap
    command_line {command}
}}
define command {{
    command_name none
    command_line /bin/true
}}
define timeperiod {{
    timeperiod_name always
    alias always
    sunday 00:00-24:00
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
}}
define contact {{
    contact_name nobody
    host_notification_period always
    service_notification_period always
    host_notification_options n
    service_notification_options n
    host_notification_commands none
    service_notification_commands none
}}
define host {{
    host_name mail
    address 127.0.0.1
    max_check_attempts 1
    active_checks_enabled 0
    contacts nobody
}}
"""

_SERVICE = """\
define service {{
    host_name mail
    service_description imap{number}
    check_command imap!{arguments}
    check_interval {interval}
    retry_interval {interval}
    max_check_attempts 1
    check_period always
    flap_detection_enabled 0
    process_perf_data 1
    contacts nobody
}}
"""


class Service(NamedTuple):
    """A service as Nagios shows it."""

    state: int
    last_check: int
    output: str
    perfdata: str
    latency: float
    checked: bool


class Nagios:
    """One Nagios. ``with`` it, it runs."""

    def __init__(
        self,
        folder: Path,
        command: str,
        arguments: Sequence[str],
        interval: int = 1,
        concurrent: int = 0,
        timeout: int = 30,
        more: str = "",
    ) -> None:
        """
        Args:
            command: the command's line; ``$ARG1$`` stands for each of the arguments.
            arguments: one service for each.
            interval: seconds between two checks of a service.
        """
        self.folder = folder
        self.socket = folder / "nagios.qh"
        (folder / "results").mkdir(exist_ok=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        values = {"folder": folder, "user": user, "concurrent": concurrent, "timeout": timeout, "more": more}
        values["core"] = core.MAIN.format(user=user)
        (folder / "nagios.cfg").write_text(_MAIN.format(**values))
        objects = [_TEMPLATE.format(command=command)]
        for number, words in enumerate(arguments):
            objects.append(_SERVICE.format(number=number, arguments=words, interval=interval))
        (folder / "objects.cfg").write_text("".join(objects))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Nagios:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes registrations."""
        self.process = subprocess.Popen(
            [*core.COMMAND, str(self.folder / "nagios.cfg")],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "stdout").open("ab"),
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            start_new_session=True,
        )
        wait_until(self.socket.exists)

    def stop(self) -> None:
        """End it and its workers."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def reload(self) -> None:
        """SIGHUP, as an administrator's reload does it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    @property
    def log(self) -> str:
        """All that it has logged."""
        path = self.folder / "nagios.log"
        return path.read_text() if path.exists() else ""

    def services(self) -> list[Service]:
        """What status.dat, at most a second old, says."""
        try:
            text = (self.folder / "status.dat").read_text(errors="replace")
        except FileNotFoundError:
            return []
        found = []
        for block in re.findall(r"^servicestatus \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE):
            fields = dict(line.strip().partition("=")[::2] for line in block.splitlines())
            found.append(
                Service(
                    int(fields["current_state"]),
                    int(fields["last_check"]),
                    fields["plugin_output"],
                    fields["performance_data"],
                    float(fields["check_latency"]),
                    fields["has_been_checked"] == "1",
                )
            )
        return found


class Worker:
    """An ``imap4-worker`` for a Nagios."""

    def __init__(self, folder: Path, core: Path, *options: str, program: str = IMAP4_WORKER[0]) -> None:
        self.socket = folder / "worker.status"
        self.log_path = folder / "worker.log"
        words = [program, "--core", str(core), "--socket", str(self.socket), *options]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stderr=self.log_path.open("ab"), start_new_session=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text()

    def pids(self) -> list[int]:
        """Its worker processes."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in path.read_text().split()]

    def registered(self) -> int:
        """How often its workers have registered so far."""
        return self.log.count("working for the core")


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for a condition; an AssertionError where it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
