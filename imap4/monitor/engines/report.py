"""What a repair did, told to the engine: a comment on the service, and a passive result where asked for.

``recovery`` may import this module; it imports nothing of recovery's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from imap4.deadline import Deadline

LONGEST = 1000


class ReportError(Exception):
    """The engine was not told: the text says which, what was tried and what to do. It holds no secret."""


class ReportRefused(ReportError):
    """The engine answers, and does not want this very report: saying it again would not help."""


@dataclass(frozen=True)
class Report:
    """One thing to tell about a service."""

    host: str
    service: str
    """Both as the engine names them."""
    text: str
    author: str = "imap4-recovery"
    status: int | None = None
    """0 to 3 makes a passive result with the same text, too."""


class Reporter(Protocol):
    """An engine that takes reports."""

    def send(self, report: Report, deadline: Deadline) -> None:
        """Tell the engine.

        Raises:
            ReportError: it does not know about it now, or that is not certain.
        """
        ...


def cleaned(text: str) -> str:
    """``text`` on one line, without what pages and engines take for markup, performance data or a macro."""
    flat = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip()
    plain = flat.translate(str.maketrans("<>|`$", "()/''"))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."


@dataclass(frozen=True)
class NagiosReporter:
    """Nagios Core and Naemon, through their command file."""

    command_file: str

    def send(self, report: Report, deadline: Deadline) -> None:
        """See ``Reporter``; a comment that does not outlive a restart of the engine would not be history."""
        from imap4.monitor.engines.nagios.command_file import Command, CommandFileError, send

        text, name = cleaned(report.text), (report.host, report.service)
        persistent = 1
        commands: list[Command] = [("ADD_SVC_COMMENT", *name, persistent, cleaned(report.author), text)]
        if report.status is not None:
            commands.append(("PROCESS_SERVICE_CHECK_RESULT", *name, report.status, text))
        try:
            send(self.command_file, commands, deadline)
        except CommandFileError as error:
            raise ReportError(str(error)) from None


def reporter_from(environ: Mapping[str, str]) -> Reporter | None:
    """The engine that the environment names, or None.

    ``IMAP4_NAGIOS_COMMAND_FILE``; or ``IMAP4_ICINGA_API`` (``https://host:5665``) with
    ``IMAP4_ICINGA_USER``, ``IMAP4_ICINGA_PASSWORD_FILE``, ``IMAP4_ICINGA_CA_FILE`` and, where the
    certificate has another name than the host, ``IMAP4_ICINGA_SERVER_NAME``.

    Raises:
        ReportError: something is missing or wrong.
    """
    if environ.get("IMAP4_NAGIOS_COMMAND_FILE"):
        return NagiosReporter(environ["IMAP4_NAGIOS_COMMAND_FILE"])
    if not environ.get("IMAP4_ICINGA_API"):
        return None
    from imap4.monitor.engines.icinga2.api import CA_FILE, IcingaReporter

    return IcingaReporter.at(
        environ["IMAP4_ICINGA_API"],
        user=environ.get("IMAP4_ICINGA_USER") or "imap4-recovery",
        password_file=environ.get("IMAP4_ICINGA_PASSWORD_FILE", ""),
        ca_file=environ.get("IMAP4_ICINGA_CA_FILE") or CA_FILE,
        server_name=environ.get("IMAP4_ICINGA_SERVER_NAME") or None,
    )
