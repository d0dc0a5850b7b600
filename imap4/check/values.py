"""What the command line's words may be: one function for each kind of value.

Each takes the word as it was given and returns the value, or raises ArgumentTypeError with a text for the
person who wrote it.
"""

from __future__ import annotations

import argparse
import re

from imap4 import durations
from imap4.hostnames import NotAHost, family_of, lacks_zone, to_ascii
from imap4.text import clean, shown

MAX_NAME = 64
MAX_TIMEOUT = 86400.0
TLS_VERSIONS = ("1.0", "1.1", "1.2", "1.3")
STATES = ("ok", "warning", "critical", "unknown")


def host(text: str) -> str:
    """A host name or an address."""
    if lacks_zone(text):
        raise argparse.ArgumentTypeError(f"{shown(text)} needs its interface, as in {shown(text)}%eth0")
    if family_of(text) is None:
        try:
            to_ascii(text)
        except NotAHost as error:
            raise argparse.ArgumentTypeError(_no_host(text, str(error))) from None
    return text


def _no_host(text: str, why: str) -> str:
    if re.fullmatch(r"\$[A-Za-z0-9_:.]+\$", text):
        why = "a macro that the monitoring engine did not replace"
    return f"{shown(text)} is no host name and no address: {why}"


def name(text: str) -> str:
    """The monitor's own name: 1 to 64 printable characters."""
    name = clean(text, MAX_NAME + 1)
    if not name or len(text) > MAX_NAME:
        raise argparse.ArgumentTypeError(f"a name has 1 to {MAX_NAME} printable characters")
    return name


def text(text: str) -> str:
    """Anything but nothing, in UTF-8, as a server is told it."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("it must not be empty or hold a NUL")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not UTF-8")
    return text


def port(text: str) -> int:
    """A TCP port, 1 to 65535."""
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no port (1 to 65535)")
    return int(text)


def address(text: str) -> str:
    """A literal IPv4 or IPv6 address; brackets are taken off."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if family_of(bare) is None:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no IPv4 or IPv6 address")
    return host(bare)


def timeout(text: str) -> tuple[float, str]:
    """``DURATION[:STATE]``: seconds above 0, or ``10s`` or ``2m``, and the state where they are over."""
    number, colon, state = text.partition(":")
    try:
        found = durations.seconds(number)
    except durations.DurationError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no time, such as 10, 2.5, 10s or 2m") from None
    if not 0 < found <= MAX_TIMEOUT:
        raise argparse.ArgumentTypeError(f"the time must be above 0 and at most {MAX_TIMEOUT:.0f} s")
    if colon and state.lower() not in STATES:
        raise argparse.ArgumentTypeError(f"{shown(state)} is none of the states {', '.join(STATES)}")
    return found, state.lower() if colon else "critical"


def threshold(text: str) -> str:
    """Check a threshold range against the guidelines' syntax; nagiosplugin takes more, and less well."""
    number = r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
    match = re.fullmatch(rf"@?(?:(?P<start>{number}|~):)?(?P<end>{number})?", text)
    if not match or text in ("", "@") or (match["start"] == "~" and match["end"] is None):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no range such as 10, 10:, ~:10, 10:20 or @10:20")
    start, end = match["start"] or "0", match["end"]
    if start != "~" and end is not None and float(start) > float(end):
        raise argparse.ArgumentTypeError(f"{shown(text)}: the range ends before it starts")
    return text


def never_warns(warning: str, critical: str) -> bool:
    """Whether every time that is outside the range of -w is outside that of -c too."""
    if warning.startswith("@") or critical.startswith("@"):
        return False
    inner, outer = _limits(critical), _limits(warning)
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def _limits(text: str) -> tuple[float, float]:
    """Where a range that is not inverted begins and ends."""
    start, colon, end = text.rpartition(":")
    first = float("-inf") if start == "~" else float(start) if colon else 0.0
    return first, float(end) if end else float("inf")


def regex(text: str) -> str:
    """A regular expression of Python's."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no regular expression: {error}") from None
    return text


def capability(text: str) -> str:
    """A capability's name, in capitals (an atom: RFC 9051 section 9)."""
    if not re.fullmatch(r"""[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+""", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no capability name")
    return text.upper()


def days(text: str) -> tuple[float, float | None]:
    """``DAYS[,DAYS]``: the limits for WARNING and, not larger, for CRITICAL."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?(,[0-9]{1,6}(\.[0-9]{1,6})?)?", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number of days, or two, such as 30 or 30,14")
    warning, _, critical = text.partition(",")
    if critical and float(critical) > float(warning):
        raise argparse.ArgumentTypeError(
            "the first number is for WARNING, the second, not larger, for CRITICAL"
        )
    return float(warning), float(critical) if critical else None


def descriptor(text: str) -> int:
    """The number of a file descriptor."""
    if not re.fullmatch("[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no file descriptor")
    return int(text)


def folder(text: str) -> str:
    """The path of a folder, from the root: engines run checks in a folder of their own choice."""
    if not text.startswith("/") or "\0" in text:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no path that begins with /")
    return text


def identity(text: str) -> str:
    """A monitor's id, exactly as its definition has it."""
    if not 0 < len(text) <= MAX_NAME or re.search(r"[\x00-\x1f\x7f]", text):
        raise argparse.ArgumentTypeError(f"an id has 1 to {MAX_NAME} characters, and no control characters")
    return text


def depth(text: str) -> int:
    """How many downtimes there are. An engine that knows none may leave its macro empty."""
    if not re.fullmatch("[0-9]{0,9}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number of downtimes")
    return int(text or 0)
