"""Where results can go: standard output, a Nagios command file, Icinga 2's API."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping, Sequence

from imap4.deadline import Deadline
from imap4.monitor.engines.icinga2.api import CA_FILE, IcingaReporter, KeptConnection
from imap4.monitor.engines.nagios.command_file import CommandFileError, send_lines
from imap4.monitor.engines.report import ReportError, ReportRefused
from imap4.worker.sweep.delivery import Gone, Unreachable, Unwanted
from imap4.worker.sweep.results import Result, as_command, is_news

SECONDS = 10.0
"""For one step of an engine."""


class Lines:
    """Standard output."""

    name = "standard output"

    def __init__(self, form: Callable[[Result], str], all_of_them: bool, show: Callable[[str], bool]) -> None:
        """
        Args:
            form: makes the line.
            all_of_them: False for news only.
            show: prints on a terminal that has a progress display; False where there is none.
        """
        self._form = form
        self._all = all_of_them
        self._show = show

    def send(self, results: Sequence[Result]) -> int:
        """See ``Receiver``; a reader that reads slowly holds up nothing but this."""
        lines = [self._form(each) for each in results if self._all or is_news(each)]
        if lines and not self._show("\n".join(lines)):
            data = "".join(f"{each}\n" for each in lines).encode("utf-8", "replace")
            try:
                while data:
                    data = data[os.write(1, data) :]
            except OSError:  # nobody reads, or the disk is full
                raise Gone from None
        return len(results)


class NagiosFile:
    """The command file of Nagios Core or Naemon."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = path
        # As imap4-worker tells the core by its socket: both Naemon's packages and OMD name it in the path.
        self._naemon = "naemon" in path

    def send(self, results: Sequence[Result]) -> int:
        """See ``Receiver``; as many as go into one write, so that none is ever sent twice."""
        data, count = b"", 0
        for result in results:
            command = as_command(result, naemon=self._naemon)
            if data and len(data) + len(command) > select.PIPE_BUF:
                break
            data += command
            count += 1
        try:
            send_lines(self._path, data, Deadline(SECONDS))
        except CommandFileError as error:
            raise Unreachable(str(error)) from None
        return count


class IcingaApi:
    """Icinga 2, one result after the other."""

    def __init__(self, api: IcingaReporter) -> None:
        self.name = f"Icinga's API at {api.host}:{api.port}"
        self._api = api
        self._kept = KeptConnection()

    @classmethod
    def at(cls, url: str, environ: Mapping[str, str]) -> IcingaApi:
        """The API at an address, with the user and the files that the environment names.

        Raises:
            ReportError: the address is none.
        """
        return cls(
            IcingaReporter.at(
                url,
                user=environ.get("IMAP4_ICINGA_USER") or "imap4-recovery",
                password_file=environ.get("IMAP4_ICINGA_PASSWORD_FILE", ""),
                ca_file=environ.get("IMAP4_ICINGA_CA_FILE") or CA_FILE,
                server_name=environ.get("IMAP4_ICINGA_SERVER_NAME") or None,
            )
        )

    def send(self, results: Sequence[Result]) -> int:
        """See ``Receiver``."""
        result = results[0]
        output = result.output + (f"\n{result.long_output}" if result.long_output else "")
        passed = {
            "exit_status": result.exit_code,
            "plugin_output": output,
            "performance_data": result.perfdata,
            "execution_start": result.began,
            "execution_end": result.ended,
        }
        monitor = result.monitor
        try:
            self._api.check_result(monitor.host, monitor.service, passed, Deadline(SECONDS), self._kept)
        except ReportRefused as error:
            raise Unwanted(str(error)) from None
        except ReportError as error:
            raise Unreachable(str(error)) from None
        return 1
