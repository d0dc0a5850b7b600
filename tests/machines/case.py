"""What a row of the table of hostile cases is made of: scripts, and the kinds of verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.machines.scripted import Peer, Script


class Case(NamedTuple):
    """One row: a server's behaviour, the options, and the whole verdict."""

    section: str
    does: str
    """What the server does, in words."""
    script: Script
    exit_code: int
    line: str
    """The status line without its perfdata; ``PORT`` for the port, ``T`` for seconds measured."""
    options: tuple[str, ...] = ()
    phases: tuple[str, ...] = ("resolve", "connect", "greeting", "logout")
    """The phases that perfdata has after ``time``."""

    @property
    def id(self) -> str:
        return " ".join((self.does, *self.options))


CONNECTED = ("resolve", "connect")
GREETED = ("resolve", "connect", "greeting")
PASSED = "IMAP4 OK - 127.0.0.1:PORT greeting in T s, logged out"


def says(*lines: str | bytes) -> Script:
    """A script that sends and then waits for the client to go."""

    def script(peer: Peer) -> None:
        for line in lines:
            peer.send(line)
        peer.wait()

    return script


def ends_with(*lines: str | bytes) -> Script:
    """A script that sends and then closes."""

    def script(peer: Peer) -> None:
        for line in lines:
            peer.send(line)

    return script


def greets(greeting: str | bytes) -> Script:
    """A script with a greeting of its own, and a proper LOGOUT."""

    def script(peer: Peer) -> None:
        peer.send(greeting)
        peer.logout()

    return script


def on_logout(answer: Callable[[Peer, str], None]) -> Script:
    """A script with a proper greeting, and an answer of its own to LOGOUT."""

    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        tag, command = peer.command()
        if command == "LOGOUT":
            answer(peer, tag)

    return script


def answers(answer: str, then: Callable[[Peer], None] | None = None) -> Script:
    def reply(peer: Peer, tag: str) -> None:
        peer.send(answer.replace("TAG", tag))
        if then is not None:
            then(peer)

    return on_logout(reply)


def dialogue(greeting: str, *answers: tuple[str, str]) -> Script:
    """A script that wants exactly these commands, and answers them; then a proper LOGOUT.

    In an answer, TAG is the command's tag and LINE the whole line. One that ends with CLOSE ends the
    connection, one that ends with WAIT is the last.
    """

    def script(peer: Peer) -> None:
        peer.send(greeting)
        for wanted, answer in answers:
            line = peer.line()
            tag, _, command = line.partition(" ")
            if wanted == "*":  # a continuation has no tag
                tag, command = "a1", wanted
            if command != wanted:
                return
            end = next((word for word in ("CLOSE", "WAIT") if answer.endswith(word)), "")
            peer.send(answer.removesuffix(end).replace("TAG", tag).replace("LINE", line))
            if end == "WAIT":
                peer.wait()
            if end:
                return
        peer.logout()

    return script


def passes(does: str, script: Script, *options: str, remark: str = "", phases: tuple[str, ...] = ()) -> Case:
    wanted = phases or ("resolve", "connect", "greeting", "logout")
    return Case("", does, script, 0, PASSED + (f", {remark}" if remark else ""), options, wanted)


def critical(
    does: str, script: Script, text: str, *options: str, phases: tuple[str, ...] = CONNECTED
) -> Case:
    return Case("", does, script, 2, f"IMAP4 CRITICAL - 127.0.0.1:PORT {text}", options, phases)


def warning(
    does: str,
    script: Script,
    text: str,
    *options: str,
    phases: tuple[str, ...] = GREETED,
) -> Case:
    return Case("", does, script, 1, f"IMAP4 WARNING - 127.0.0.1:PORT {text}", options, phases)
