"""The IMAP4 dialogue on a connection: greeting, STARTTLS, CAPABILITY, LOGIN, LOGOUT.

RFC 9051 and RFC 3501, sections 6.1 and 6.2 for the commands, 7.1 for the responses. Every failure is
raised as Failed with a cause that begins with the command's name.
"""

from __future__ import annotations

from imap4.causes import Failed
from imap4.check.connection import Connection
from imap4.check.protocol import (
    MAX_ANSWER,
    MAX_GREETING,
    Response,
    Status,
    capabilities_of,
    looks_like,
    parse_greeting,
    parse_response,
    quoted,
)
from imap4.text import clean, said

BYE_GRACE = 1.0
"""Seconds that the untagged BYE may come after the tagged OK that it should have come before."""


class Session:
    """What was said so far on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.greeting = b""
        """The greeting without its line end."""
        self.status: Status | None = None
        """The greeting, where it is IMAP4's."""
        self.bare_newline = False
        """Whether the greeting ended with LF alone."""
        self.capabilities: tuple[str, ...] | None = None
        self._commands = 0

    def read_greeting(self, expect: str | None) -> None:
        """Wait for the greeting and judge it; ``greeting.*`` causes, ``connect.reset``.

        Args:
            expect: regular expression to be found in it, in place of IMAP4's own rule.
        """
        line = self.connection.read_line("greeting", MAX_GREETING)
        self.greeting = line[:-1].removesuffix(b"\r")
        self.bare_newline = not line.endswith(b"\r\n")
        self.status = parse_greeting(self.greeting)
        if self.status is not None:
            self.capabilities = capabilities_of(self.status)
        if expect is not None:
            self._judge_by(expect)
        elif self.status is None:
            what = looks_like(self.greeting)
            text = f"{what}, not IMAP4" if what else "no IMAP4 greeting"
            raise Failed("greeting.protocol", said(text, self.greeting))
        elif self.status.kind == "BYE":
            raise Failed("greeting.bye", said("says BYE", self.status.text))

    def _judge_by(self, expect: str) -> None:
        from imap4.check.pattern import found

        if not found(expect, self.greeting.decode("utf-8", "replace"), self.connection.deadline):
            cause = "greeting.bye" if self.status and self.status.kind == "BYE" else "greeting.protocol"
            raise Failed(cause, said("greeting does not match the pattern", self.greeting))

    def ask_capabilities(self) -> tuple[str, ...]:
        """What the server offers: as it has said already, else its answer to CAPABILITY."""
        if self.capabilities is None:
            answers, final = self._command("capability", b"CAPABILITY")
            self._want_ok("CAPABILITY", "capability.protocol", final)
            told = [answer.capabilities for answer in (*answers, final) if answer.capabilities is not None]
            self.capabilities = told[0] if told else ()
        return self.capabilities

    def request_starttls(self) -> None:
        """Get leave to begin TLS (RFC 9051 section 6.2.1).

        Raises:
            Failed: ``starttls.refused``, or ``starttls.injection`` where the server's OK is followed by
                text that a stranger may have put there for after the handshake.
        """
        if self.status is not None and self.status.kind == "PREAUTH":
            raise Failed("starttls.refused", "greeting is PREAUTH, after which STARTTLS is not possible")
        if "STARTTLS" not in self.ask_capabilities():
            raise Failed("starttls.refused", "STARTTLS is not offered")
        _, final = self._command("starttls", b"STARTTLS")
        self._want_ok("STARTTLS", "starttls.refused", final)
        if self.connection.injected():
            raise Failed("starttls.injection", "text was sent in the clear after the answer to STARTTLS")
        # What was said before TLS may not be relied on after it.
        self.capabilities = None

    def require(self, names: tuple[str, ...]) -> None:
        """Fail with ``capability.missing`` where the server does not offer all of ``names``."""
        offered = self.ask_capabilities()
        missing = [name for name in names if name not in offered]
        if missing:
            raise Failed("capability.missing", f"capability {clean(', '.join(missing))} is not offered")

    def log_in(self, user: str, password: str) -> None:
        """Log in by what the server offers; ``login.refused`` where it does not let the user in."""
        if self.status is not None and self.status.kind == "PREAUTH":
            raise Failed("login.refused", "greeting is PREAUTH: the login cannot be tested")
        offered = self.ask_capabilities()
        if "AUTH=PLAIN" in offered:
            import base64

            # RFC 4616: no authorization identity, NUL, user, NUL, password.
            secret = base64.b64encode(f"\0{user}\0{password}".encode())
            if "SASL-IR" in offered:  # RFC 4959
                parts = [b"AUTHENTICATE PLAIN " + secret]
            else:
                parts = [b"AUTHENTICATE PLAIN", secret]
        elif "LOGINDISABLED" not in offered:
            parts = _login_parts(user, password)
        else:
            raise Failed("login.refused", "neither LOGIN nor AUTHENTICATE PLAIN is offered")
        _, final = self._command("login", *parts, secret=True)
        self._want_ok("login", "login.refused", final)

    def send_logout(self) -> None:
        """Send LOGOUT and read no answer: for a server whose greeting was not IMAP4's."""
        self.connection.send("logout", self._tag() + b" LOGOUT\r\n")

    def log_out(self) -> None:
        """Send LOGOUT; want the untagged BYE and the tagged OK (RFC 9051 section 6.1.3).

        Other untagged responses are passed over, and the two are taken in either order.
        """
        tag = self._tag()
        self.connection.send("logout", tag + b" LOGOUT\r\n")
        bye = done = False
        room = MAX_ANSWER
        while not (bye and done):
            try:
                line = self.connection.read_line("logout", room)
            except Failed as failure:
                if not done:
                    raise
                raise Failed("logout.protocol", "LOGOUT answered without BYE") from failure
            room -= len(line)
            answer = self._response("logout", tag, line)
            bye = bye or (answer.tag == "*" and answer.status is not None and answer.status.kind == "BYE")
            if answer.tag == tag.decode():
                self._want_ok("LOGOUT", "logout.protocol", answer)
                done = True
                self.connection.deadline = self.connection.deadline.share(BYE_GRACE)

    def _command(self, phase: str, *parts: bytes, secret: bool = False) -> tuple[list[Response], Response]:
        """Send a command; each part but the first waits for the server's continuation request.

        Returns:
            The untagged responses, and the tagged one.
        """
        tag = self._tag()
        shown = tag + b" " + parts[0].split()[0] + b" ***\r\n" if secret else None
        self.connection.send(phase, tag + b" " + parts[0] + b"\r\n", shown)
        waiting = list(parts[1:])
        untagged: list[Response] = []
        room = MAX_ANSWER
        while True:
            line = self.connection.read_line(phase, room)
            room -= len(line)
            answer = self._response(phase, tag, line, continues=bool(waiting))
            if answer.tag == "+":
                self.connection.send(phase, waiting.pop(0) + b"\r\n", b"***\r\n" if secret else None)
            elif answer.tag == "*":
                untagged.append(answer)
            else:
                return untagged, answer

    def _response(self, phase: str, tag: bytes, line: bytes, continues: bool = False) -> Response:
        """Parse a line that must be untagged, ours, or (where one is due) a continuation request."""
        answer = parse_response(line[:-1].removesuffix(b"\r"))
        if answer.tag == "*" or (answer.tag == "+" and continues):
            return answer
        if answer.tag != tag.decode() or answer.status is None:
            raise Failed(
                f"{phase}.protocol", said(f"wrong answer to {phase.upper()}", line.strip() or "an empty line")
            )
        return answer

    def _want_ok(self, what: str, cause: str, answer: Response) -> None:
        assert answer.status is not None
        if answer.status.kind != "OK":
            raise Failed(cause, said(f"{what} answered {answer.status.kind}", answer.status.text))

    def _tag(self) -> bytes:
        self._commands += 1
        return b"a%d" % self._commands


def _login_parts(user: str, password: str) -> list[bytes]:
    """LOGIN's arguments as quoted strings, or as literals where they must be (RFC 9051 section 4.3)."""
    parts = [b"LOGIN"]
    for text in (user, password):
        # GNU imap4d (3.15) does not find the end of a quoted string that ends with a backslash.
        if (string := quoted(text)) is not None and not text.endswith("\\"):
            parts[-1] += b" " + string
        else:
            data = text.encode()
            parts[-1] += b" {%d}" % len(data)
            parts.append(data)
    return parts
