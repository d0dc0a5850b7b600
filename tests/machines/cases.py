"""The table of hostile cases: what a server does, and what the plugin says of it.

The tests run every row against a real socket; docs/verdicts.md is made from it (``make docs``).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NamedTuple

from tests.machines.scripted import Peer, Script, good


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


CASES: list[Case] = []

_CONNECTED = ("resolve", "connect")
_GREETED = ("resolve", "connect", "greeting")
_PASSED = "IMAP4 OK - 127.0.0.1:PORT greeting in T s, logged out"


def _says(*lines: str | bytes) -> Script:
    """A script that sends and then waits for the client to go."""

    def script(peer: Peer) -> None:
        for line in lines:
            peer.send(line)
        peer.wait()

    return script


def _ends_with(*lines: str | bytes) -> Script:
    """A script that sends and then closes."""

    def script(peer: Peer) -> None:
        for line in lines:
            peer.send(line)

    return script


def _greets(greeting: str | bytes) -> Script:
    """A script with a greeting of its own, and a proper LOGOUT."""

    def script(peer: Peer) -> None:
        peer.send(greeting)
        peer.logout()

    return script


def _on_logout(answer: Callable[[Peer, str], None]) -> Script:
    """A script with a proper greeting, and an answer of its own to LOGOUT."""

    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        tag, command = peer.command()
        if command == "LOGOUT":
            answer(peer, tag)

    return script


def _answers(answer: str, then: Callable[[Peer], None] | None = None) -> Script:
    def reply(peer: Peer, tag: str) -> None:
        peer.send(answer.replace("TAG", tag))
        if then is not None:
            then(peer)

    return _on_logout(reply)


def _dialogue(greeting: str, *answers: tuple[str, str]) -> Script:
    """A script that wants exactly these commands, and answers them; then a proper LOGOUT."""

    def script(peer: Peer) -> None:
        peer.send(greeting)
        for wanted, answer in answers:
            tag, _, command = peer.line().partition(" ")
            if wanted == "*":  # a continuation has no tag
                tag, command = "a1", wanted
            if command != wanted:
                return
            peer.send(answer.replace("TAG", tag))
        peer.logout()

    return script


def _add(section: str, *rows: Case) -> None:
    CASES.extend(row._replace(section=section) for row in rows)


def _passes(does: str, script: Script, *options: str, remark: str = "", phases: tuple[str, ...] = ()) -> Case:
    wanted = phases or ("resolve", "connect", "greeting", "logout")
    return Case("", does, script, 0, _PASSED + (f", {remark}" if remark else ""), options, wanted)


def _critical(
    does: str, script: Script, text: str, *options: str, phases: tuple[str, ...] = _CONNECTED
) -> Case:
    return Case("", does, script, 2, f"IMAP4 CRITICAL - 127.0.0.1:PORT {text}", options, phases)


def _warning(
    does: str,
    script: Script,
    text: str,
    *options: str,
    phases: tuple[str, ...] = _GREETED,
) -> Case:
    return Case("", does, script, 1, f"IMAP4 WARNING - 127.0.0.1:PORT {text}", options, phases)


def _reset_soon(peer: Peer) -> None:
    peer.pause(0.1)  # a reset at once may come while the client is still connecting
    peer.reset()


def _keep_saying(peer: Peer, line: str) -> None:
    while not peer.stopped.is_set():
        peer.send(line)
        peer.pause(0.1)


def _split_greeting(peer: Peer) -> None:
    for part in ("* ", "O", "K rea", "dy\r", "\n"):
        peer.send(part)
        peer.pause(0.02)
    peer.logout()


_add(
    "Greetings that pass",
    _passes("greets with `* OK`", good),
    _passes("greets with `* ok`", _greets("* ok ready\r\n")),
    _passes("greets with `* OK` and nothing more", _greets("* OK\r\n")),
    _passes("greets with a CAPABILITY code", _greets("* OK [CAPABILITY IMAP4rev1] ready\r\n")),
    _passes("greets with an ALERT code", _greets("* OK [ALERT] disk is filling up\r\n")),
    _passes("greets in five segments", _split_greeting),
    _passes("greets with 8192 bytes", _greets("* OK " + "x" * 8185 + "\r\n")),
    _passes(
        "greets with invalid UTF-8 and a NUL",
        _greets(b"* OK \xff\xfe\x00ready\r\n"),
    ),
    _passes(
        "ends its greeting with LF alone",
        _greets("* OK ready\n"),
        remark="greeting ends with a bare LF",
    ),
    _passes(
        "greets with `* PREAUTH`",
        _greets("* PREAUTH you are root\r\n"),
        remark="greeting is PREAUTH",
    ),
    _warning(
        "greets with `* PREAUTH`",
        _greets("* PREAUTH you are root\r\n"),
        "greeting in T s, logged out, greeting is PREAUTH",
        "--no-preauth",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
)

_add(
    "Greetings that fail",
    _critical(
        "says BYE",
        _ends_with("* BYE too many connections\r\n"),
        "says BYE: too many connections [greeting.bye]",
    ),
    _critical(
        "says BYE with a code",
        _ends_with("* BYE [UNAVAILABLE] database is down\r\n"),
        "says BYE: (UNAVAILABLE) database is down [greeting.bye]",
    ),
    _critical("says BYE and nothing more", _ends_with("* bye\r\n"), "says BYE [greeting.bye]"),
    _critical(
        "greets with `* OKAY`",
        _greets("* OKAY ready\r\n"),
        "no IMAP4 greeting: * OKAY ready [greeting.protocol]",
    ),
    _critical("greets with `*OK`", _greets("*OK\r\n"), "no IMAP4 greeting: *OK [greeting.protocol]"),
    _critical("greets with two spaces", _greets("*  OK\r\n"), "no IMAP4 greeting: * OK [greeting.protocol]"),
    _critical(
        "greets with a TAB after OK",
        _greets("* OK\tready\r\n"),
        "no IMAP4 greeting: * OK ready [greeting.protocol]",
    ),
    _critical(
        "greets with `* NO`", _greets("* NO way\r\n"), "no IMAP4 greeting: * NO way [greeting.protocol]"
    ),
    _critical(
        "greets with a tag", _greets("a1 OK ready\r\n"), "no IMAP4 greeting: a1 OK ready [greeting.protocol]"
    ),
    _critical(
        "sends a line before its greeting",
        _greets("welcome\r\n* OK ready\r\n"),
        "no IMAP4 greeting: welcome [greeting.protocol]",
    ),
    _critical(
        "sends an empty line first",
        _greets("\r\n* OK ready\r\n"),
        "an empty line, not IMAP4 [greeting.protocol]",
    ),
    _critical(
        "sends half a greeting and closes",
        _ends_with("* OK rea"),
        "connection closed after half a line: * OK rea [greeting.closed]",
    ),
    _critical(
        "sends half a greeting and no more",
        _says("* OK rea"),
        "no greeting within 0.5 s, only half a line: * OK rea [greeting.timeout]",
        "-t",
        "0.5",
    ),
    _critical(
        "sends a greeting one byte at a time",
        lambda peer: peer.drip(b"* OK ready", 0.12),
        "no greeting within 0.5 s, only half a line: * OK [greeting.timeout]",
        "-t",
        "0.5",
    ),
    _critical("is silent", _says(), "no greeting within 0.5 s [greeting.timeout]", "-t", "0.5"),
    _critical("closes at once", _ends_with(), "connection closed before the greeting [greeting.closed]"),
    _critical(
        "resets the connection at once",
        _reset_soon,
        "connection reset before the greeting [connect.reset]",
    ),
    _critical(
        "greets with 8193 bytes",
        _greets("* OK " + "x" * 8186 + "\r\n"),
        "no line end within 8192 bytes: * OK " + "x" * 72 + "... [greeting.too_long]",
    ),
    _critical(
        "sends a line without end",
        lambda peer: peer.flood(b"x" * 4096),
        "no line end within 8192 bytes: " + "x" * 77 + "... [greeting.too_long]",
    ),
)

_add(
    "Other services on the port",
    _critical(
        "speaks SMTP",
        _says("220 mail ESMTP\r\n"),
        "an SMTP or FTP greeting, not IMAP4: 220 mail ESMTP [greeting.protocol]",
    ),
    _critical(
        "speaks POP3", _says("+OK ready\r\n"), "a POP3 greeting, not IMAP4: +OK ready [greeting.protocol]"
    ),
    _critical(
        "speaks SSH",
        _says("SSH-2.0-OpenSSH_9.2\r\n"),
        "an SSH greeting, not IMAP4: SSH-2.0-OpenSSH_9.2 [greeting.protocol]",
    ),
    _critical(
        "speaks HTTP",
        _ends_with("HTTP/1.1 400 Bad Request\r\n\r\n"),
        "an HTTP answer, not IMAP4: HTTP/1.1 400 Bad Request [greeting.protocol]",
    ),
    _critical(
        "sends a TLS alert and closes",
        _ends_with(b"\x15\x03\x01\x00\x02\x02\x28"),
        "connection closed after half a line: TLS (the port wants --tls) [greeting.closed]",
    ),
    _critical(
        "speaks plain IMAP4 where TLS is wanted",
        good,
        "the server does not speak TLS on this port [tls.handshake]",
        "--tls",
        "--insecure",
    ),
    _critical(
        "resets the connection where TLS is wanted",
        _reset_soon,
        "the server closed the connection during the TLS handshake [tls.handshake]",
        "--tls",
        "--insecure",
    ),
    _passes("speaks SMTP, and `-e` wants that", _says("220 mail ESMTP\r\n"), "-e", "^220 ")._replace(
        line="IMAP4 OK - 127.0.0.1:PORT greeting in T s, LOGOUT sent"
    ),
    _passes("says what `-e` wants", good, "-e", r"rev1 (rea|stea)dy"),
    _critical(
        "does not say what `-e` wants",
        good,
        "greeting does not match the pattern: * OK IMAP4rev1 ready [greeting.protocol]",
        "-e",
        "^220 ",
    ),
    _critical(
        "says BYE, which `-e` does not want",
        _ends_with("* BYE go away\r\n"),
        "greeting does not match the pattern: * BYE go away [greeting.bye]",
        "-e",
        "^. OK",
    ),
    _critical(
        "sends a text made to keep the pattern busy for ever",
        _says("* OK " + "a" * 64 + "\r\n"),
        "pattern not matched within 0.7 s [greeting.timeout]",
        "-e",
        "(a+)+$x",
        "-t",
        "0.7",
    ),
)

_add(
    "What the server says cannot forge the line",
    _critical(
        "puts perfdata, markup, shell and a cause into its text",
        _ends_with("* BYE a|time=0 <b>$(x)`y`</b> \"q\" 'r' [connect.refused]\r\n"),
        "says BYE: atime=0 b(x)y/b q r (connect.refused) [greeting.bye]",
    ),
    _critical(
        "puts control, invisible and invalid bytes into its text",
        _ends_with(b"* BYE \x1b[31mred\x07 \xe2\x80\xaeabc \xff\xc3\r\n"),
        "says BYE: (31mred abc ?? [greeting.bye]",
    ),
    _critical(
        "says more than 80 characters",
        _ends_with("* BYE " + "word " * 40 + "\r\n"),
        "says BYE: " + "word " * 15 + "wo... [greeting.bye]",
    ),
)

_LATE = "greeting in T s, no answer to LOGOUT within 0.5 s [logout.timeout]"
_add(
    "LOGOUT",
    _passes(
        "sends other untagged lines before BYE",
        _answers("* 3 EXISTS\r\n* OK still here\r\n* BYE bye\r\nTAG OK done\r\n"),
    ),
    _passes("sends OK before BYE", _answers("TAG OK done\r\n* BYE bye\r\n")),
    _passes("answers in lower case", _answers("* bye bye\r\nTAG ok done\r\n")),
    _passes("does not close after LOGOUT", _answers("* BYE\r\nTAG OK\r\n", lambda peer: peer.wait())),
    _warning(
        "answers NO",
        _answers("TAG NO busy\r\n"),
        "greeting in T s, LOGOUT answered NO: busy [logout.protocol]",
    ),
    _warning(
        "answers BAD",
        _answers("TAG BAD what?\r\n"),
        "greeting in T s, LOGOUT answered BAD: what? [logout.protocol]",
    ),
    _warning(
        "answers with another tag",
        _answers("* BYE\r\nzz OK done\r\n"),
        "greeting in T s, wrong answer to LOGOUT: zz OK done [logout.protocol]",
    ),
    _warning(
        "answers with a continuation",
        _answers("+ go on\r\n"),
        "greeting in T s, wrong answer to LOGOUT: + go on [logout.protocol]",
    ),
    _warning(
        "answers with an empty line",
        _answers("\r\n"),
        "greeting in T s, wrong answer to LOGOUT: an empty line [logout.protocol]",
    ),
    _warning(
        "says OK without BYE and closes",
        _answers("TAG OK done\r\n"),
        "greeting in T s, LOGOUT answered without BYE [logout.protocol]",
    ),
    _warning(
        "says OK without BYE and stays",
        _answers("TAG OK done\r\n", lambda peer: peer.wait()),
        "greeting in T s, LOGOUT answered without BYE [logout.protocol]",
    ),
    _warning(
        "says BYE and closes without OK",
        _answers("* BYE bye\r\n"),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
    ),
    _warning(
        "closes instead of answering",
        _answers(""),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
    ),
    _warning(
        "closes after half an answer",
        _answers("* BYE bye\r\nTAG O"),
        "greeting in T s, connection closed after half a line: a1 O [logout.closed]",
    ),
    _warning(
        "resets instead of answering",
        _on_logout(lambda peer, tag: peer.reset()),
        "greeting in T s, connection reset before the answer to LOGOUT [logout.closed]",
    ),
    _critical(
        "closes instead of answering",
        _answers(""),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
        "--logout",
        "critical",
        phases=_GREETED,
    ),
    Case(
        "",
        "closes instead of answering",
        _answers(""),
        0,
        "IMAP4 OK - 127.0.0.1:PORT greeting in T s, "
        "connection closed before the answer to LOGOUT [logout.closed]",
        ("--logout", "ignore"),
        _GREETED,
    ),
    _critical(
        "does not answer", _on_logout(lambda peer, tag: peer.wait()), _LATE, "-t", "0.5", phases=_GREETED
    ),
    _critical(
        "does not answer",
        _on_logout(lambda peer, tag: peer.wait()),
        _LATE,
        "-t",
        "0.5",
        "--logout",
        "ignore",
        phases=_GREETED,
    ),
    _critical("never reads", _says("* OK ready\r\n"), _LATE, "-t", "0.5", phases=_GREETED),
    _critical(
        "sends an untagged line ten times a second",
        _on_logout(lambda peer, tag: _keep_saying(peer, "* 1 EXISTS\r\n")),
        _LATE,
        "-t",
        "0.5",
        phases=_GREETED,
    ),
    _critical(
        "sends lines without end",
        _on_logout(lambda peer, tag: peer.flood(b"* 1 EXISTS\r\n" * 300)),
        "greeting in T s, endless answer to LOGOUT: " + "* 1 EXISTS " * 6 + "* 1 EXISTS... [logout.too_long]",
        phases=_GREETED,
    ),
    _critical(
        "sends a line without end",
        _on_logout(lambda peer, tag: peer.flood(b"x" * 4096)),
        "greeting in T s, endless answer to LOGOUT: " + "x" * 77 + "... [logout.too_long]",
        "--logout",
        "ignore",
        phases=_GREETED,
    ),
)

_CAPABLE = ("resolve", "connect", "greeting", "capability", "logout")
_add(
    "Capabilities",
    _passes(
        "offers it in the greeting",
        _greets("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"),
        "--capability",
        "idle",
        phases=_CAPABLE,
    ),
    _passes(
        "offers it when asked",
        _dialogue(
            "* OK ready\r\n",
            ("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n* 1 EXISTS\r\nTAG OK\r\n"),
        ),
        "--capability",
        "IDLE",
        phases=_CAPABLE,
    ),
    _critical(
        "does not offer it",
        _greets("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"),
        "capability QUOTA, X-ONE is not offered [capability.missing]",
        "--capability",
        "quota",
        "--capability",
        "IDLE",
        "--capability",
        "x-one",
        phases=_GREETED,
    ),
    _critical(
        "refuses to say",
        _dialogue("* OK ready\r\n", ("CAPABILITY", "TAG NO not now\r\n")),
        "CAPABILITY answered NO: not now [capability.protocol]",
        "--capability",
        "IDLE",
        phases=_GREETED,
    ),
    _critical(
        "does not answer",
        _says("* OK ready\r\n"),
        "no answer to CAPABILITY within 0.5 s [capability.timeout]",
        "--capability",
        "IDLE",
        "-t",
        "0.5",
        phases=_GREETED,
    ),
    _critical(
        "closes instead of answering",
        _dialogue("* OK ready\r\n", ("never", "")),
        "connection closed before the answer to CAPABILITY [capability.closed]",
        "--capability",
        "IDLE",
        phases=_GREETED,
    ),
)


def _hang_up_in_the_handshake(peer: Peer) -> None:
    peer.send("* OK [CAPABILITY STARTTLS] ready\r\n")
    tag, _ = peer.command()
    peer.send(f"{tag} OK begin\r\n")
    peer.socket.recv(4096)


_TLS = ("--starttls", "--insecure")
_add(
    "STARTTLS, before the handshake",
    _critical(
        "does not offer STARTTLS",
        _greets("* OK [CAPABILITY IMAP4rev1] ready\r\n"),
        "STARTTLS is not offered [starttls.refused]",
        *_TLS,
        phases=_GREETED,
    ),
    _critical(
        "refuses STARTTLS",
        _dialogue("* OK [CAPABILITY STARTTLS] ready\r\n", ("STARTTLS", "TAG NO no certificate\r\n")),
        "STARTTLS answered NO: no certificate [starttls.refused]",
        *_TLS,
        phases=_GREETED,
    ),
    _critical(
        "sends text behind its OK to STARTTLS",
        _dialogue(
            "* OK [CAPABILITY STARTTLS] ready\r\n",
            ("STARTTLS", "TAG OK begin\r\n* CAPABILITY AUTH=PLAIN\r\n"),
        ),
        "text was sent in the clear after the answer to STARTTLS [starttls.injection]",
        *_TLS,
        phases=_GREETED,
    ),
    _critical(
        "greets with PREAUTH",
        _greets("* PREAUTH [CAPABILITY STARTTLS] root\r\n"),
        "greeting is PREAUTH, after which STARTTLS is not possible, greeting is PREAUTH [starttls.refused]",
        *_TLS,
        phases=_GREETED,
    ),
    _critical(
        "closes after its OK to STARTTLS",
        _hang_up_in_the_handshake,
        "the server closed the connection during the TLS handshake [tls.handshake]",
        *_TLS,
        phases=_GREETED,
    ),
)

LOGIN = ("--login", "--user", "jane", "--password-file", "PASSWORD_FILE", "--insecure")
PASSWORD = 'se"cr\\et'  # noqa: S105 - nobody's password
"""What the tests put into PASSWORD_FILE: it shows the quoting."""
_QUOTED = 'LOGIN "jane" "se\\"cr\\\\et"'
_PLAIN = base64.b64encode(f"\0jane\0{PASSWORD}".encode()).decode()
_LOGGED_IN = ("resolve", "connect", "greeting", "login", "logout")
_add(
    "Login",
    _passes(
        "takes LOGIN",
        _dialogue("* OK [CAPABILITY IMAP4rev1] ready\r\n", (_QUOTED, "TAG OK welcome\r\n")),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    _passes(
        "takes AUTHENTICATE PLAIN at once",
        _dialogue(
            "* OK [CAPABILITY AUTH=PLAIN SASL-IR] ready\r\n",
            (f"AUTHENTICATE PLAIN {_PLAIN}", "TAG OK welcome\r\n"),
        ),
        *LOGIN,
        phases=_LOGGED_IN,
    ),
    _critical(
        "refuses the login",
        _dialogue(
            "* OK [CAPABILITY IMAP4rev1] ready\r\n",
            (_QUOTED, "TAG NO [AUTHENTICATIONFAILED] wrong\r\n"),
        ),
        "login answered NO: (AUTHENTICATIONFAILED) wrong [login.refused]",
        *LOGIN,
        phases=_GREETED,
    ),
    _critical(
        "offers no login that we know",
        _greets("* OK [CAPABILITY LOGINDISABLED AUTH=GSSAPI] ready\r\n"),
        "neither LOGIN nor AUTHENTICATE PLAIN is offered [login.refused]",
        *LOGIN,
        phases=_GREETED,
    ),
    _critical(
        "greets with PREAUTH",
        _greets("* PREAUTH [CAPABILITY IMAP4rev1] root\r\n"),
        "greeting is PREAUTH: the login cannot be tested, greeting is PREAUTH [login.refused]",
        *LOGIN,
        phases=_GREETED,
    ),
)

_add(
    "Time",
    Case(
        "",
        "is silent",
        _says(),
        3,
        "IMAP4 UNKNOWN - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:unknown"),
        _CONNECTED,
    ),
    Case(
        "",
        "is silent",
        _says(),
        1,
        "IMAP4 WARNING - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:warning", "-c", "0.1"),
        _CONNECTED,
    ),
    Case(
        "",
        "is silent",
        _says(),
        0,
        "IMAP4 OK - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:ok"),
        _CONNECTED,
    ),
    _warning(
        "answers in less time than `-w` wants",
        good,
        "greeting in T s, logged out, time T s is outside range 5:",
        "-w",
        "5:",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
    _critical(
        "answers within a range that `-c` excludes",
        good,
        "greeting in T s, logged out, time T s is outside range @0:8",
        "-c",
        "@0:8",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
    Case("", "is fine", good, 0, _PASSED.replace("IMAP4", "Mail, Oslo"), ("--name", "Mail, Oslo", "-w", "5")),
)
