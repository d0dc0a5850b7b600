"""The table of hostile cases: what a server does, and what the plugin says of it.

The tests run every row against a real socket; docs/verdicts.md is made from it (``make docs``).
"""

from __future__ import annotations

from tests.machines.case import (
    CONNECTED,
    GREETED,
    PASSED,
    Case,
    answers,
    critical,
    dialogue,
    ends_with,
    greets,
    on_logout,
    passes,
    says,
    warning,
)
from tests.machines.cases_dialogue import CAPABILITIES, LOGINS, PASSWORD, WORDS
from tests.machines.scripted import Peer, good

__all__ = ["CASES", "PASSWORD", "Case"]

CASES: list[Case] = []


def _add(section: str, *rows: Case) -> None:
    CASES.extend(row._replace(section=section) for row in rows)


def _reset_soon(peer: Peer) -> None:
    peer.pause(0.5)  # a reset at once may come while the client is still connecting
    peer.reset()


def _reset_in_the_handshake(peer: Peer) -> None:
    peer.socket.recv(1)  # of the ClientHello
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
    passes("greets with `* OK`", good),
    passes("greets with `* ok`", greets("* ok ready\r\n")),
    passes("greets with `* OK` and nothing more", greets("* OK\r\n")),
    passes("greets with a CAPABILITY code", greets("* OK [CAPABILITY IMAP4rev1] ready\r\n")),
    passes("greets with an ALERT code", greets("* OK [ALERT] disk is filling up\r\n")),
    passes("greets in five segments", _split_greeting),
    passes("greets with 8192 bytes", greets("* OK " + "x" * 8185 + "\r\n")),
    passes(
        "greets with invalid UTF-8 and a NUL",
        greets(b"* OK \xff\xfe\x00ready\r\n"),
    ),
    passes(
        "ends its greeting with LF alone",
        greets("* OK ready\n"),
        remark="greeting ends with a bare LF",
    ),
    passes(
        "greets with `* PREAUTH`",
        greets("* PREAUTH you are root\r\n"),
        remark="greeting is PREAUTH",
    ),
    warning(
        "greets with `* PREAUTH`",
        greets("* PREAUTH you are root\r\n"),
        "greeting in T s, logged out, greeting is PREAUTH",
        "--no-preauth",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
)

_add(
    "Greetings that fail",
    critical(
        "says BYE",
        ends_with("* BYE too many connections\r\n"),
        "says BYE: too many connections [greeting.bye]",
    ),
    critical(
        "says BYE with a code",
        ends_with("* BYE [UNAVAILABLE] database is down\r\n"),
        "says BYE: (UNAVAILABLE) database is down [greeting.bye]",
    ),
    critical("says BYE and nothing more", ends_with("* bye\r\n"), "says BYE [greeting.bye]"),
    critical(
        "greets with `* OKAY`",
        greets("* OKAY ready\r\n"),
        "no IMAP4 greeting: * OKAY ready [greeting.protocol]",
    ),
    critical("greets with `*OK`", greets("*OK\r\n"), "no IMAP4 greeting: *OK [greeting.protocol]"),
    critical("greets with two spaces", greets("*  OK\r\n"), "no IMAP4 greeting: * OK [greeting.protocol]"),
    critical(
        "greets with a TAB after OK",
        greets("* OK\tready\r\n"),
        "no IMAP4 greeting: * OK ready [greeting.protocol]",
    ),
    critical("greets with `* NO`", greets("* NO way\r\n"), "no IMAP4 greeting: * NO way [greeting.protocol]"),
    critical(
        "greets with a tag", greets("a1 OK ready\r\n"), "no IMAP4 greeting: a1 OK ready [greeting.protocol]"
    ),
    critical(
        "sends a line before its greeting",
        greets("welcome\r\n* OK ready\r\n"),
        "no IMAP4 greeting: welcome [greeting.protocol]",
    ),
    critical(
        "sends an empty line first",
        greets("\r\n* OK ready\r\n"),
        "an empty line, not IMAP4 [greeting.protocol]",
    ),
    critical(
        "sends half a greeting and closes",
        ends_with("* OK rea"),
        "connection closed after half a line: * OK rea [greeting.closed]",
    ),
    critical(
        "sends half a greeting and no more",
        says("* OK rea"),
        "no greeting within 0.5 s, only half a line: * OK rea [greeting.timeout]",
        "-t",
        "0.5",
    ),
    critical(
        "sends a greeting one byte at a time",
        lambda peer: peer.drip(b"* OK ready", 0.12),
        "no greeting within 0.5 s, only half a line: * OK [greeting.timeout]",
        "-t",
        "0.5",
    ),
    critical("is silent", says(), "no greeting within 0.5 s [greeting.timeout]", "-t", "0.5"),
    critical("closes at once", ends_with(), "connection closed before the greeting [greeting.closed]"),
    critical(
        "resets the connection at once",
        _reset_soon,
        "connection reset before the greeting [connect.reset]",
    ),
    critical(
        "greets with 8193 bytes",
        greets("* OK " + "x" * 8186 + "\r\n"),
        "no line end within 8192 bytes: * OK " + "x" * 72 + "... [greeting.too_long]",
    ),
    critical(
        "sends a line without end",
        lambda peer: peer.flood(b"x" * 4096),
        "no line end within 8192 bytes: " + "x" * 77 + "... [greeting.too_long]",
    ),
)

_add(
    "Other services on the port",
    critical(
        "speaks SMTP",
        says("220 mail ESMTP\r\n"),
        "an SMTP or FTP greeting, not IMAP4: 220 mail ESMTP [greeting.protocol]",
    ),
    critical(
        "speaks POP3", says("+OK ready\r\n"), "a POP3 greeting, not IMAP4: +OK ready [greeting.protocol]"
    ),
    critical(
        "speaks SSH",
        says("SSH-2.0-OpenSSH_9.2\r\n"),
        "an SSH greeting, not IMAP4: SSH-2.0-OpenSSH_9.2 [greeting.protocol]",
    ),
    critical(
        "speaks HTTP",
        ends_with("HTTP/1.1 400 Bad Request\r\n\r\n"),
        "an HTTP answer, not IMAP4: HTTP/1.1 400 Bad Request [greeting.protocol]",
    ),
    critical(
        "sends a TLS alert and closes",
        ends_with(b"\x15\x03\x01\x00\x02\x02\x28"),
        "connection closed after half a line: TLS (the port wants --tls) [greeting.closed]",
    ),
    critical(
        "speaks plain IMAP4 where TLS is wanted",
        good,
        "the server does not speak TLS on this port [tls.handshake]",
        "--tls",
        "--insecure",
    ),
    critical(
        "resets the connection where TLS is wanted",
        _reset_in_the_handshake,
        "the server closed the connection during the TLS handshake [tls.handshake]",
        "--tls",
        "--insecure",
    ),
    passes("speaks SMTP, and `-e` wants that", says("220 mail ESMTP\r\n"), "-e", "^220 ")._replace(
        line="IMAP4 OK - 127.0.0.1:PORT greeting in T s, LOGOUT sent"
    ),
    passes("says what `-e` wants", good, "-e", r"rev1 (rea|stea)dy"),
    critical(
        "does not say what `-e` wants",
        good,
        "greeting does not match the pattern: * OK IMAP4rev1 ready [greeting.protocol]",
        "-e",
        "^220 ",
    ),
    critical(
        "says BYE, which `-e` does not want",
        ends_with("* BYE go away\r\n"),
        "greeting does not match the pattern: * BYE go away [greeting.bye]",
        "-e",
        "^. OK",
    ),
    critical(
        "sends a text made to keep the pattern busy for ever",
        says("* OK " + "a" * 64 + "\r\n"),
        "pattern not matched within 0.7 s [greeting.timeout]",
        "-e",
        "(a+)+$x",
        "-t",
        "0.7",
    ),
)

_add(
    "What the server says cannot forge the line",
    critical(
        "puts perfdata, markup, shell and a cause into its text",
        ends_with("* BYE a|time=0 <b>$(x)`y`</b> \"q\" 'r' [connect.refused]\r\n"),
        "says BYE: atime=0 b(x)y/b q r (connect.refused) [greeting.bye]",
    ),
    critical(
        "puts control, invisible and invalid bytes into its text",
        ends_with(b"* BYE \x1b[31mred\x07 \xe2\x80\xaeabc \xff\xc3\r\n"),
        "says BYE: (31mred abc ?? [greeting.bye]",
    ),
    critical(
        "says more than 80 characters",
        ends_with("* BYE " + "word " * 40 + "\r\n"),
        "says BYE: " + "word " * 15 + "wo... [greeting.bye]",
    ),
)

_LATE = "greeting in T s, no answer to LOGOUT within 0.5 s [logout.timeout]"
_add(
    "LOGOUT",
    passes(
        "sends other untagged lines before BYE",
        answers("* 3 EXISTS\r\n* OK still here\r\n* BYE bye\r\nTAG OK done\r\n"),
    ),
    passes("sends OK before BYE", answers("TAG OK done\r\n* BYE bye\r\n")),
    passes("answers in lower case", answers("* bye bye\r\nTAG ok done\r\n")),
    passes("does not close after LOGOUT", answers("* BYE\r\nTAG OK\r\n", lambda peer: peer.wait())),
    warning(
        "answers NO",
        answers("TAG NO busy\r\n"),
        "greeting in T s, LOGOUT answered NO: busy [logout.protocol]",
    ),
    warning(
        "answers BAD",
        answers("TAG BAD what?\r\n"),
        "greeting in T s, LOGOUT answered BAD: what? [logout.protocol]",
    ),
    warning(
        "answers with another tag",
        answers("* BYE\r\nzz OK done\r\n"),
        "greeting in T s, wrong answer to LOGOUT: zz OK done [logout.protocol]",
    ),
    warning(
        "answers with a continuation",
        answers("+ go on\r\n"),
        "greeting in T s, wrong answer to LOGOUT: + go on [logout.protocol]",
    ),
    warning(
        "answers with an empty line",
        answers("\r\n"),
        "greeting in T s, wrong answer to LOGOUT: an empty line [logout.protocol]",
    ),
    warning(
        "says OK without BYE and closes",
        answers("TAG OK done\r\n"),
        "greeting in T s, LOGOUT answered without BYE [logout.protocol]",
    ),
    warning(
        "says OK without BYE and stays",
        answers("TAG OK done\r\n", lambda peer: peer.wait()),
        "greeting in T s, LOGOUT answered without BYE [logout.protocol]",
    ),
    warning(
        "says BYE and closes without OK",
        answers("* BYE bye\r\n"),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
    ),
    warning(
        "closes instead of answering",
        answers(""),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
    ),
    warning(
        "closes after half an answer",
        answers("* BYE bye\r\nTAG O"),
        "greeting in T s, connection closed after half a line: a1 O [logout.closed]",
    ),
    warning(
        "resets instead of answering",
        on_logout(lambda peer, tag: peer.reset()),
        "greeting in T s, connection reset before the answer to LOGOUT [logout.closed]",
    ),
    critical(
        "closes instead of answering",
        answers(""),
        "greeting in T s, connection closed before the answer to LOGOUT [logout.closed]",
        "--logout",
        "critical",
        phases=GREETED,
    ),
    Case(
        "",
        "closes instead of answering",
        answers(""),
        0,
        "IMAP4 OK - 127.0.0.1:PORT greeting in T s, "
        "connection closed before the answer to LOGOUT [logout.closed]",
        ("--logout", "ignore"),
        GREETED,
    ),
    critical("does not answer", on_logout(lambda peer, tag: peer.wait()), _LATE, "-t", "0.5", phases=GREETED),
    critical(
        "does not answer",
        on_logout(lambda peer, tag: peer.wait()),
        _LATE,
        "-t",
        "0.5",
        "--logout",
        "ignore",
        phases=GREETED,
    ),
    critical("never reads", says("* OK ready\r\n"), _LATE, "-t", "0.5", phases=GREETED),
    critical(
        "sends an untagged line ten times a second",
        on_logout(lambda peer, tag: _keep_saying(peer, "* 1 EXISTS\r\n")),
        _LATE,
        "-t",
        "0.5",
        phases=GREETED,
    ),
    critical(
        "sends lines without end",
        on_logout(lambda peer, tag: peer.flood(b"* 1 EXISTS\r\n" * 300)),
        "greeting in T s, endless answer to LOGOUT: " + "* 1 EXISTS " * 6 + "* 1 EXISTS... [logout.too_long]",
        phases=GREETED,
    ),
    critical(
        "sends a line without end",
        on_logout(lambda peer, tag: peer.flood(b"x" * 4096)),
        "greeting in T s, endless answer to LOGOUT: " + "x" * 77 + "... [logout.too_long]",
        "--logout",
        "ignore",
        phases=GREETED,
    ),
)

_add("Capabilities", *CAPABILITIES)


def _hang_up_in_the_handshake(peer: Peer) -> None:
    peer.send("* OK [CAPABILITY STARTTLS] ready\r\n")
    tag, _ = peer.command()
    peer.send(f"{tag} OK begin\r\n")
    peer.socket.recv(4096)


_TLS = ("--starttls", "--insecure")
_add(
    "STARTTLS, before the handshake",
    critical(
        "does not offer STARTTLS",
        dialogue(
            "* OK [CAPABILITY IMAP4rev1] ready\r\n",
            ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n"),
        ),
        "STARTTLS is not offered [starttls.refused]",
        *_TLS,
        phases=GREETED,
    ),
    critical(
        "refuses STARTTLS",
        dialogue("* OK [CAPABILITY STARTTLS] ready\r\n", ("STARTTLS", "TAG NO no certificate\r\n")),
        "STARTTLS answered NO: no certificate [starttls.refused]",
        *_TLS,
        phases=GREETED,
    ),
    critical(
        "sends text behind its OK to STARTTLS",
        dialogue(
            "* OK [CAPABILITY STARTTLS] ready\r\n",
            ("STARTTLS", "TAG OK begin\r\n* CAPABILITY AUTH=PLAIN\r\n"),
        ),
        "text was sent in the clear after the answer to STARTTLS [starttls.injection]",
        *_TLS,
        phases=GREETED,
    ),
    critical(
        "greets with PREAUTH",
        greets("* PREAUTH [CAPABILITY STARTTLS] root\r\n"),
        "greeting is PREAUTH, after which STARTTLS is not possible, greeting is PREAUTH [starttls.refused]",
        *_TLS,
        phases=GREETED,
    ),
    critical(
        "closes after its OK to STARTTLS",
        _hang_up_in_the_handshake,
        "the server closed the connection during the TLS handshake [tls.handshake]",
        *_TLS,
        phases=GREETED,
    ),
)

_add("Login", *LOGINS)
_add("Words on the way", *WORDS)

_add(
    "Time",
    Case(
        "",
        "is silent",
        says(),
        3,
        "IMAP4 UNKNOWN - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:unknown"),
        CONNECTED,
    ),
    Case(
        "",
        "is silent",
        says(),
        1,
        "IMAP4 WARNING - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:warning", "-c", "0.1"),
        CONNECTED,
    ),
    Case(
        "",
        "is silent",
        says(),
        0,
        "IMAP4 OK - 127.0.0.1:PORT no greeting within 0.5 s [greeting.timeout]",
        ("-t", "0.5:ok"),
        CONNECTED,
    ),
    warning(
        "answers in less time than `-w` wants",
        good,
        "greeting in T s, logged out, time T s is outside range 5:",
        "-w",
        "5:",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
    critical(
        "answers within a range that `-c` excludes",
        good,
        "greeting in T s, logged out, time T s is outside range @0:8",
        "-c",
        "@0:8",
        phases=("resolve", "connect", "greeting", "logout"),
    ),
    Case("", "is fine", good, 0, PASSED.replace("IMAP4", "Mail, Oslo"), ("--name", "Mail, Oslo", "-w", "5")),
)
