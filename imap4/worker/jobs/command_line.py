"""A command line -> arguments, exactly as Nagios Core splits it: neither as a shell nor as shlex does.

Follows ``runcmd_cmd2strv`` and ``runcmd_open`` of nagioscore's lib/runcmd.c, oddities and all. The tests
compare it with a core's own worker process.
"""

from __future__ import annotations

import re

_SIGNS = rb"A-Za-z0-9_./:,@%+^#{}\[\]!"


def _plain(signs: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Commands of words of these signs, and of words that are in single quotes as a whole; and the words."""
    word = rb"(?:[%b-]+|'[^']*')" % signs
    return re.compile(rb" *(?:%b(?: +%b)*)? *" % (word, word)), re.compile(rb"([%b-]+)|'([^']*)'" % signs)


_PLAIN, _WORDS = _plain(_SIGNS + b"=~")
_PLAIN_FOR_NAEMON, _ = _plain(_SIGNS)

_SPACE = b" \t\r\n"
_FOR_THE_SHELL = b"|&;()*?<>"
_FOR_NAEMONS_SHELL = b"|&;()*?"
_EXPANDED = b"`$"
_ESCAPED_IN_QUOTES = b'"\\$`'


def split(command: bytes, naemon: bool = False) -> list[bytes] | None:
    """Split a command line.

    Args:
        naemon: as Naemon does it, which leaves more to the shell.

    Returns:
        None where the core runs ``/bin/sh -c`` on the whole of it.
    """
    if (_PLAIN_FOR_NAEMON if naemon else _PLAIN).fullmatch(command):
        return [plain or quoted for plain, quoted in _WORDS.findall(command)]
    if naemon and _shell_for_naemon(command):
        return None
    return _Splitter(command, _FOR_NAEMONS_SHELL if naemon else _FOR_THE_SHELL).split()


def _shell_for_naemon(command: bytes) -> bool:
    """Whether Naemon leaves it to the shell: a ``~`` or, as it is nearly always, a ``=``.

    Naemon passes by both in single quotes, and ``=`` in double quotes; the shell then finds the same
    arguments as we would, so that nothing is lost but time.
    """
    return b"~" in command or b"=" in command


class _Splitter:
    """The core's state machine."""

    def __init__(self, command: bytes, for_the_shell: bytes) -> None:
        self.command = command
        self.for_the_shell = for_the_shell
        self.arguments: list[bytes] = []
        self.argument: bytearray | None = None
        self.single = self.double = False
        self.escaped = False
        """A backslash in double quotes came last. It outlives the quote that it was meant for, and
        then keeps the argument from ending and quotes from beginning."""

    def split(self) -> list[bytes] | None:
        at = 0
        while at < len(self.command):
            character = self.command[at : at + 1]
            if not (self.single or self.double) and character in self.for_the_shell:
                return None
            # Also in double quotes, as in a shell.
            if not (self.single or self.escaped) and character in _EXPANDED:
                return None
            if character == b"\\" and not (self.single or self.escaped):
                # Outside of quotes a backslash takes the next character as it is, even a newline, which a
                # shell would drop.
                if not self.double:
                    at += 1  # whatever follows is taken as it is; at the end, that is nothing
                    self._take(self.command[at : at + 1])
                elif self.command[at + 1 : at + 2] and self.command[at + 1 : at + 2] in _ESCAPED_IN_QUOTES:
                    self.escaped = True
                else:
                    self._take(character)
            elif not self._is_syntax(character):
                self._take(character)
            at += 1
        # A quote without its end: the core lets the shell say so.
        if self.single or self.double:
            return None
        self._end()
        return self.arguments

    def _is_syntax(self, character: bytes) -> bool:
        """Whether it is white space or a quote that does something; does it."""
        quoted = self.single or self.double
        if character in _SPACE:
            if not (quoted or self.escaped):
                self._end()
            return not quoted
        if character == b"'" and not self.double:
            if self.single or not self.escaped:
                self.single = not self.single
                self._begin()
                return True
        elif character == b'"' and not self.single and (self.double or not self.escaped):
            self.double = not self.double
            self._begin()
            return True
        return False

    def _begin(self) -> None:
        if self.argument is None:
            self.argument = bytearray()

    def _take(self, character: bytes) -> None:
        self.escaped = False
        self._begin()
        assert self.argument is not None
        self.argument += character

    def _end(self) -> None:
        if self.argument is not None:
            self.arguments.append(bytes(self.argument))
            self.argument = None
