"""The program ``imap4-monitor``: the pacing handler asks a worker; all else, and without one, is ``cli``."""

from __future__ import annotations

import sys

_DURATION = 10.0
"""Seconds that the handler may take; a worker's answer and a second try are over before engines kill it."""


def run(site_later: bool = False) -> int:
    """Do what the command line says.

    Args:
        site_later: whether Python was started without site (-S), which all but asking a worker needs.

    Returns:
        The exit code.
    """
    if sys.argv[1:2] == ["pace"]:
        code = _asked(sys.argv[2:])
        if code is None:
            # Nor does this need site's packages, or the other commands.
            from imap4.monitor.engines.nagios import pace_program

            code = pace_program.main(sys.argv[2:])
        return code
    if site_later:
        import site

        site.main()
    from imap4.monitor.cli import main

    return main()


def _asked(arguments: list[str]) -> int | None:
    """The exit code of the pacing handler, as a worker has done it; None where it is to be done here."""
    from imap4.handover import client

    path = client.place()
    answer = client.ask(path, "pace", arguments, _DURATION) if path is not None else None
    if answer is None:
        return None
    sys.stderr.write(answer.output.decode("utf-8", "replace"))
    return answer.code
