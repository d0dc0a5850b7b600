"""What a server said, made fit to be printed in a monitoring system."""

from __future__ import annotations

MAX_TEXT = 80

# Forbidden in plugin output or dangerous further on: ``|`` begins perfdata, the others are markup or
# shell syntax in notification commands and web pages. Brackets become parentheses, so that nobody but
# the plugin can end a line with a [cause].
_FORBIDDEN = {ord("["): "(", ord("]"): ")"} | dict.fromkeys(map(ord, "|<>$`'\""))
# What ends or joins commands, in a text of a server: an engine may fill it into a command for a shell.
_FORBIDDEN_IN_FOREIGN = {**_FORBIDDEN, ord(";"): ",", ord("&"): "+", ord("\\"): "/"}


def clean(text: str | bytes, limit: int = MAX_TEXT) -> str:
    """Make a foreign text printable.

    Args:
        text: bytes are read as UTF-8, what is not valid becomes ``?``.
        limit: how many characters may be returned.

    Returns:
        One line without control or invisible characters, ``| < > $ ` ' " ; & \\`` and brackets, white space
        folded, at most ``limit`` characters, the last three dots where it was cut.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    # An attacker may send megabytes of which little is left; look at no more than is needed.
    text = text[: limit * 8].translate(_FORBIDDEN_IN_FOREIGN)
    if not (text.isascii() and text.isprintable()):
        text = "".join(_printable(character) for character in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


_MACRO = r"(\$[A-Za-z0-9_:.]+\$)"


def shown(text: str, limit: int = MAX_TEXT) -> str:
    """A word of the command line, for the person who wrote it: as ``clean``, but as it came.

    Control characters become escapes, since a CR at the end (a file with the line ends of Windows) is what
    the person does not see. A macro of an engine keeps its dollars; a shell finds nothing to run in it.
    """
    if not text:
        return "an empty word"
    import re

    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape", "replace").decode()
        for character in text[: limit * 8]
    )
    parts = re.split(_MACRO, visible)
    whole = "".join(part if odd % 2 else _without_forbidden(part) for odd, part in enumerate(parts))
    return whole if len(whole) <= limit else whole[: limit - 3] + "..."


def _without_forbidden(text: str) -> str:
    return text.translate(_FORBIDDEN)


def said(what: str, text: str | bytes) -> str:
    """``what: text``, the text cleaned; only ``what`` where nothing is left of it."""
    cleaned = clean(text)
    return f"{what}: {cleaned}" if cleaned else what


def _printable(character: str) -> str:
    if character == "\N{REPLACEMENT CHARACTER}":
        return "?"
    # str.isprintable is false for the Unicode categories of control, format, surrogate, private,
    # unassigned and separator characters.
    return character if character.isprintable() else " "


def usage_line(name: str, error: Exception) -> str:
    """What the plugin prints where its command line, or a file that it names, is wrong."""
    return f"{name} UNKNOWN - {error}\n"


def trouble_line(name: str, error: Exception) -> str:
    """What the plugin prints where the test could not be run for a reason that nobody foresaw."""
    import re

    # Not its repr: that of a UnicodeError has all of the text, which may be a password. OpenSSL's errors end
    # with a place in Python's source.
    what = re.sub(r" \(_ssl\.c:\d+\)", "", f"{type(error).__name__}: {error}")
    return f"{name} UNKNOWN - the test could not be run: {clean(what, 200)}\n"
