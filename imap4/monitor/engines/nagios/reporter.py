"""Reports to Nagios Core and Naemon, through their command file."""

from __future__ import annotations

from dataclasses import dataclass

from imap4.deadline import Deadline
from imap4.monitor.engines.nagios.command_file import Command, CommandFileError, send
from imap4.monitor.engines.report import Report, ReportError, cleaned


@dataclass(frozen=True)
class NagiosReporter:
    """Nagios Core and Naemon, through their command file."""

    command_file: str

    def send(self, report: Report, deadline: Deadline) -> None:
        """See ``Reporter``; a comment that does not outlive a restart of the engine would not be history."""
        text, name = cleaned(report.text), (report.host, report.service)
        persistent = 1
        commands: list[Command] = [("ADD_SVC_COMMENT", *name, persistent, cleaned(report.author), text)]
        if report.status is not None:
            commands.append(("PROCESS_SERVICE_CHECK_RESULT", *name, report.status, text))
        try:
            send(self.command_file, commands, deadline)
        except CommandFileError as error:
            raise ReportError(str(error)) from None
