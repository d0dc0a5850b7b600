"""check_imap4: a Nagios and Icinga plugin that tests an IMAP4 server.

The story: options, then the probe, then the verdict. The modules are imported as they are needed,
since a check is a process that lives for a few hundredths of a second.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from imap4.check.options import Options
    from imap4.check.probe import ProbeResult

UNKNOWN = 3


def main(argv: Sequence[str]) -> tuple[int, str]:
    """Run one check.

    Args:
        argv: the arguments, without the program's name.

    Returns:
        The exit code, 0 to 3, and the text to print, which ends with a newline.
    """
    try:
        from imap4.check.options import HelpWanted, UsageError, parse_arguments

        try:
            options = parse_arguments(argv)
        except HelpWanted as wanted:
            return UNKNOWN, str(wanted)
        except UsageError as error:
            from imap4.text import usage_line

            return UNKNOWN, usage_line("IMAP4", error)
    except Exception as error:
        return UNKNOWN, _trouble("IMAP4", error)
    results, code, text = _test(options)
    if options.record is not None:
        from imap4.check.record import record

        trouble = record(options, results, code, text)
        if trouble and options.verbose:
            text += trouble + "\n"
    return code, text


def _test(options: Options) -> tuple[list[ProbeResult], int, str]:
    """What was found, which is nothing where the test could not be run; exit code and text."""
    results: list[ProbeResult] = []
    try:
        from imap4.check.options import UsageError
        from imap4.check.probe import prepare, probe
        from imap4.deadline import Deadline

        try:
            deadline = Deadline(options.timeout)
            results = probe(options, prepare(options, deadline), deadline)
        except UsageError as error:
            from imap4.text import usage_line

            return results, UNKNOWN, usage_line(options.name, error)
        from imap4.check.verdict import check

        return results, *check(options, results)
    except Exception as error:
        return results, UNKNOWN, _trouble(options.name, error)


def _trouble(name: str, error: Exception) -> str:
    """Whatever it is, a monitoring system must be told in one line, also where nothing of ours is left."""
    try:
        from imap4.text import trouble_line

        return trouble_line(name, error)
    except Exception:
        return f"{name} UNKNOWN - the installation is broken: {' '.join(str(error).split())}\n"


def run() -> NoReturn:
    """The program: print, and exit with the verdict, also where nobody listens."""
    _occupy_standard_streams()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        code, text = main(sys.argv[1:])
    except Exception as error:
        code, text = UNKNOWN, _trouble("IMAP4", error)
    _finish(code, text)


def _occupy_standard_streams() -> None:
    """Open what the caller left closed, or a socket would get the number that output is written to."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    _finish(UNKNOWN, f"IMAP4 UNKNOWN - stopped by {signal.Signals(number).name}\n")


def _finish(code: int, text: str) -> NoReturn:
    """Write UTF-8 whatever the locale, and leave at once.

    os._exit: a thread may hang in the resolver for as long as it likes, and taking the interpreter
    apart would cost a tenth of the whole check.
    """
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        pass  # nobody listens, or the disk is full: the exit code still tells
    os._exit(code)


if __name__ == "__main__":
    run()
