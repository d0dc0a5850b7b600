"""check_imap4: a Nagios and Icinga plugin that tests an IMAP4 server.

The story: a worker that serves on this machine is asked; where there is none, options, then the probe, then
the verdict. The modules are imported as they are needed, since a check is a process that lives for a few
hundredths of a second, and hardly any are where a worker answers.
"""

from __future__ import annotations

import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from imap4.check.options import Options
    from imap4.check.probe import ProbeResult
    from imap4.handover.client import Answer

UNKNOWN = 3
ALONE = "--no-worker"
"""The option that no worker is to be asked."""

_DURATION = 10.0
"""-t where it is not given."""
_SIGNALS = {2: "SIGINT", 15: "SIGTERM"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def main(argv: Sequence[str], lost: float = 0.0) -> tuple[int, str]:
    """Run one check.

    Args:
        argv: the arguments, without the program's name.
        lost: seconds of the maximum duration that are gone already.

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
    results, code, text = _test(options, lost)
    if options.record is not None:
        from imap4.check.record import record

        trouble = record(options, results, code, text)
        if trouble and options.verbose:
            text += trouble + "\n"
    return code, text


def _test(options: Options, lost: float) -> tuple[list[ProbeResult], int, str]:
    """What was found, which is nothing where the test could not be run; exit code and text."""
    results: list[ProbeResult] = []
    try:
        from imap4.check.options import UsageError
        from imap4.check.probe import prepare, probe
        from imap4.deadline import Deadline

        try:
            deadline = Deadline(options.timeout, lost)
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


def run(site_later: bool = False) -> NoReturn:
    """The program: print, and exit with the verdict, also where nobody listens.

    Args:
        site_later: whether Python was started without site (-S), which the test itself needs.
    """
    import _signal  # type: ignore[import-not-found]  # signal itself loads enum and re

    _occupy_standard_streams()
    for number in _SIGNALS:
        _signal.signal(number, _stop)
    try:
        begun = time.monotonic()
        answer = _ask(sys.argv[1:])
        if answer is None:
            lost = time.monotonic() - begun
            if site_later:
                import site

                site.main()
            code, text = main(sys.argv[1:], lost)
            _finish(code, text.encode("utf-8", "replace"))
        _finish(answer.code, answer.output + _record(answer))
    except Exception as error:
        _finish(UNKNOWN, _trouble("IMAP4", error).encode("utf-8", "replace"))


def _ask(arguments: list[str]) -> Answer | None:
    """What a worker says; None where there is none, or where it is not to be asked."""
    if ALONE in arguments:
        return None
    from imap4.handover import client

    path = client.place()
    duration = _duration(arguments) if path is not None else 0.0
    # Of less than two seconds there would be too little left for a test of our own.
    if path is None or not 2.0 <= duration <= 86_400.0:
        return None
    return client.ask(path, "check", arguments, duration)


def _duration(arguments: list[str]) -> float:
    """The maximum duration, in seconds, as a look at the arguments tells; 0 where it does not."""
    text = ""
    for number, argument in enumerate(arguments):
        if argument == "--timeout":
            text = " ".join(arguments[number + 1 : number + 2])
        elif argument.startswith("--timeout="):
            text = argument[10:]
        elif argument[:1] == "-" and (argument[1:].lstrip("v46ShV") + " ")[0] == "t":
            text = argument.partition("t")[2] or " ".join(arguments[number + 1 : number + 2])
    text = text.partition(":")[0]
    if not text:
        return _DURATION
    unit = _UNITS.get(text[-1:], 0)
    try:
        return float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        return 0.0


def _record(answer: Answer) -> bytes:
    """Record a test that a worker has run; what is to be told of it. It is ours to do: with our rights."""
    if not answer.folder:
        return b""
    from imap4.handover.record_file import append

    trouble = append(answer.folder, answer.line, answer.now)
    return f"{trouble}\n".encode("utf-8", "replace") if trouble and answer.verbose else b""


def _occupy_standard_streams() -> None:
    """Open what the caller left closed, or a socket would get the number that output is written to."""
    for descriptor in (0, 1, 2):
        try:
            posix.fstat(descriptor)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)  # gets the lowest free number


def _stop(number: int, _frame: object) -> NoReturn:
    _finish(UNKNOWN, f"IMAP4 UNKNOWN - stopped by {_SIGNALS[number]}\n".encode())


def _finish(code: int, data: bytes) -> NoReturn:
    """Write UTF-8 whatever the locale, and leave at once.

    posix._exit: a thread may hang in the resolver for as long as it likes, and taking the interpreter
    apart would cost a tenth of the whole check.
    """
    try:
        while data:
            data = data[posix.write(1, data) :]
    except OSError:
        pass  # nobody listens, or the disk is full: the exit code still tells
    posix._exit(code)


if __name__ == "__main__":
    run()
