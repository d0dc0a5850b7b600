"""Where an event's text may stand in a command: not where a shell or interpreter reads it as code. Pure.

A mail server chooses what its greeting says, and a greeting becomes ``{output}``. As a whole argument it is
data, whatever it holds. Inside ``sh -c '...'`` it would be part of the program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TOKENS = ("host", "address", "service", "state", "output", "alert")
TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_]+)\}")

# How a program comes by its code: SHELL, its first plain argument behind the option; OPTION, what follows
# the option; ANYWHERE, the same, also behind plain arguments; FIRST, its first plain argument; ALL, all.
_SHELL, _OPTION, _ANYWHERE, _FIRST, _ALL = range(5)
_READERS = (
    (r"(?:ba|da|k|mk|z|c|tc|fi|r)?sh|busybox|toybox", _SHELL, r"[-+][a-z]*c[a-z]*"),
    (r"su|runuser|script|flock", _ANYWHERE, r"-[a-z]*c|--command|--session-command"),
    (r"python[\d.]*|pypy[\d.]*", _OPTION, r"-[A-Za-z]*c"),
    (r"perl[\d.]*", _OPTION, r"-[A-Za-z\d]*[eEMm]"),
    (r"(?:ruby|lua|luajit|tclsh|expect|osascript|groovy|scala|R|Rscript)[\d.]*", _OPTION, r"-[a-z]*[ec]"),
    (r"node(?:js)?|deno|bun", _OPTION, r"-[a-z]*[ep]|--eval|--print|eval"),
    (r"php[\d.]*", _OPTION, r"-[rBRE]|--run"),
    (r"[gmn]?awk|sed|jq", _FIRST, ""),
    (r"ssh|rsh|eval|watch|cmd|powershell|pwsh|wmic|mshta|rundll32|xargs|parallel", _ALL, ""),
    (r".*\.(?:bat|cmd)", _ALL, ""),
)
_WITH_VALUE = re.compile(r"[-+][oO]")
"""A shell's option whose value follows: ``bash -o pipefail``."""
_LITERAL = re.compile(r"-file|-f", re.IGNORECASE)
"""PowerShell: what follows is a script and its arguments, which are data."""


class ParsedToken(Exception):
    """A token stands where its text would be read as code: the text says where, and what to write instead."""


def refuse_parsed(command: Sequence[str]) -> None:
    """Pass where every token in a command is data.

    Raises:
        ParsedToken: one is inside what a shell or interpreter reads, or ``{output}`` is only a part of an
            argument.
    """
    for argument, reader in _read_as_code(command):
        if names := _tokens(argument):
            raise ParsedToken(
                f"{{{names[0]}}} stands where {reader} reads it as code, and a server could write code "
                f"there; give it as an argument of its own: {_advice(names[0])}"
            )
    for argument in command:
        if "output" in _tokens(argument) and argument != "{output}":
            raise ParsedToken(
                "{output} must be an argument of its own, not a part of one, since its text is the server's: "
                f"{_advice('output')}"
            )
    if command and _tokens(command[0]):
        raise ParsedToken(f"{{{_tokens(command[0])[0]}}} cannot name the program that is run")


def _advice(name: str) -> str:
    return f"sh -c '... \"$1\"' sh {{{name}}}"


def _tokens(argument: str) -> list[str]:
    return [match[1] for match in TOKEN.finditer(argument) if match[1] in TOKENS]


def _read_as_code(command: Sequence[str]) -> list[tuple[str, str]]:
    """Each argument that a program in the command reads as code, with that program's name.

    A program may stand anywhere: ``timeout 5 sh -c ...``, ``find ... -exec sh -c ...``.
    """
    for place, word in enumerate(command):
        name = re.split(r"[/\\]", word)[-1].removesuffix(".exe").removesuffix(".EXE")
        for pattern, kind, option in _READERS:
            if re.fullmatch(pattern, name, re.IGNORECASE):
                # What stands behind its code is data to it, another program's name too.
                return [(code, name) for code in _code(command[place + 1 :], kind, option)]
    return []


def _code(arguments: Sequence[str], kind: int, option: str) -> list[str]:
    if kind == _ALL:
        ends = next((n for n, word in enumerate(arguments) if _LITERAL.fullmatch(word)), len(arguments))
        return list(arguments[:ends])
    code: list[str] = []
    given, words = False, list(arguments)
    while words:
        word = words.pop(0)
        if kind in (_OPTION, _ANYWHERE) and re.fullmatch(option, word):
            code += words[:1]
            del words[:1]
            given = True
        elif kind == _SHELL and _WITH_VALUE.fullmatch(word):
            del words[:1]
        elif word.startswith("-"):
            code.append(word)  # -e'CODE' in one word
        elif kind != _ANYWHERE:
            # The program itself, or the name of the script that holds it; what follows is its data.
            return code if given else [*code, word]
    return code
