"""Which engine reports go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from imap4.monitor.engines.report import Reporter

if TYPE_CHECKING:
    from imap4.monitor.engines.icinga2.api import IcingaReporter


def reporter_from(environ: Mapping[str, str]) -> Reporter | None:
    """The engine that the environment names, or None.

    ``IMAP4_NAGIOS_COMMAND_FILE``, or Icinga 2's (``icinga_from``).

    Raises:
        ReportError: something is missing or wrong.
    """
    if environ.get("IMAP4_NAGIOS_COMMAND_FILE"):
        from imap4.monitor.engines.nagios.reporter import NagiosReporter

        return NagiosReporter(environ["IMAP4_NAGIOS_COMMAND_FILE"])
    return icinga_from(environ)


def icinga_from(environ: Mapping[str, str]) -> IcingaReporter | None:
    """The Icinga 2 that the environment names, or None.

    ``IMAP4_ICINGA_API`` (``https://host:5665``) with ``IMAP4_ICINGA_USER``,
    ``IMAP4_ICINGA_PASSWORD_FILE``, ``IMAP4_ICINGA_CA_FILE`` and, where the
    certificate has another name than the host, ``IMAP4_ICINGA_SERVER_NAME``.

    Raises:
        ReportError: something is missing or wrong.
    """
    if not environ.get("IMAP4_ICINGA_API"):
        return None
    # TLS and HTTP, which Nagios' reports do without.
    from imap4.monitor.engines.icinga2.api import CA_FILE, IcingaReporter

    return IcingaReporter.at(
        environ["IMAP4_ICINGA_API"],
        user=environ.get("IMAP4_ICINGA_USER") or "imap4-recovery",
        password_file=environ.get("IMAP4_ICINGA_PASSWORD_FILE", ""),
        ca_file=environ.get("IMAP4_ICINGA_CA_FILE") or CA_FILE,
        server_name=environ.get("IMAP4_ICINGA_SERVER_NAME") or None,
    )
