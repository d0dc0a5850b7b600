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
)
from imap4.text import clean, said

BYE_GRACE = 1.0
"""Seconds that the untagged BYE may come after the tagged OK that it should have come before; and that a
server gets to close after a BYE that nobody asked for."""

_MAX_NOTICES = 8

_TOLD = ("ALERT", "NO", "BAD")
"""Untagged, these are words of warning or trouble (RFC 9051 sections 7.1.2 and 7.1.3)."""


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
        self.notices: list[tuple[str, str]] = []
        """What the server said besides: ``ALERT``, ``NO``, ``BAD`` or ``BYE``, and the text, cleaned."""
        self._offered: tuple[str, ...] | None = None
        """The last list of capabilities; None where there is none for the present state."""
        self._asked = False
        """Whether that list answered CAPABILITY. One that comes by itself need not be whole."""
        self._logged_in = False
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
            self._offered = capabilities_of(self.status)
            self._logged_in = self.status.kind == "PREAUTH"
            self._notice(self.status)
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

    def request_starttls(self) -> None:
        """Get leave to begin TLS (RFC 9051 section 6.2.1).

        Raises:
            Failed: ``starttls.refused``, or ``starttls.injection`` where the server's OK is followed by
                text that a stranger may have put there for after the handshake.
        """
        if self.status is not None and self.status.kind == "PREAUTH":
            raise Failed("starttls.refused", "greeting is PREAUTH, after which STARTTLS is not possible")
        if not self._offers("STARTTLS"):
            raise Failed("starttls.refused", "STARTTLS is not offered")
        _, final = self._command("starttls", b"STARTTLS")
        self._want_ok("STARTTLS", "starttls.refused", final)
        if self.connection.injected():
            raise Failed("starttls.injection", "text was sent in the clear after the answer to STARTTLS")
        # What was said before TLS may not be relied on after it.
        self._offered, self._asked = None, False

    def require(self, names: tuple[str, ...]) -> None:
        """Fail with ``capability.missing`` where the server does not offer all of ``names`` now.

        The list in a greeting need not be whole, so CAPABILITY is asked; only what came with the login's
        answer is believed where it suffices.
        """
        missing = [name for name in names if name not in (self._offered or ())]
        if missing or not self._logged_in:
            offered = self._ask()
            missing = [name for name in names if name not in offered]
        if missing:
            what, verb = ("capability", "is") if len(missing) == 1 else ("capabilities", "are")
            when = "" if self._logged_in else " before login"
            text = f"{what} {clean(', '.join(missing))} {verb} not offered{when}"
            raise Failed("capability.missing", text)

    def log_in(self, user: str, password: str) -> None:
        """Log in by what the server offers; ``login.*`` causes where it does not let the user in."""
        if self.status is not None and self.status.kind == "PREAUTH":
            text = "greeting is PREAUTH: the login cannot be tested"
            raise Failed("login.refused", text, hint="test the login on a port where the server asks for one")
        from imap4.check import login
        from imap4.check.echo import Echo

        self.connection.scrub = Echo(user, password)
        if self._offers("AUTH=PLAIN"):
            parts = login.authenticate_parts(user, password, "SASL-IR" in (self._offered or ()))
        elif "LOGINDISABLED" not in (self._offered or ()):
            parts = login.login_parts(user, password)
        else:
            raise login.not_offered(self.connection.tls_socket is not None)
        untagged, final = self._command("login", *parts, secret=True)
        assert final.status is not None
        if final.status.kind != "OK":
            text = self._said(f"login answered {final.status.kind}", final.status.text)
            raise login.refused(final.status, text)
        self._logged_in = True
        # RFC 9051 section 6.2.2: the list has changed. Many servers send the new one along.
        self._offered, self._asked = _last_list(untagged, final), False

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

    def _offers(self, name: str) -> bool:
        """Whether the server offers it now; a list that came by itself is believed only in what it has."""
        if name not in (self._offered or ()) and not self._asked:
            self._ask(needed=self._offered is None)
        return name in (self._offered or ())

    def _ask(self, needed: bool = True) -> tuple[str, ...]:
        """Ask for the list of capabilities; it may be refused where it is not ``needed``."""
        untagged, final = self._command("capability", b"CAPABILITY")
        self._asked = True
        told = _last_list(untagged, final)
        if told is not None:
            self._offered = told
        if needed:
            self._want_ok("CAPABILITY", "capability.protocol", final)
            if told is None:
                raise Failed("capability.protocol", "CAPABILITY answered without a list")
        return self._offered or ()

    def _command(self, phase: str, *parts: bytes, secret: bool = False) -> tuple[list[Response], Response]:
        """Send a command; each part but the first waits for the server's continuation request.

        Returns:
            The untagged responses, and the tagged one.

        Raises:
            Failed: also ``.closed``, with its text, where the server says BYE and no more within a short
                while: it must close after it (RFC 9051 section 7.1.5).
        """
        tag = self._tag()
        shown = tag + b" " + parts[0].split()[0] + b" ***\r\n" if secret else None
        self.connection.send(phase, tag + b" " + parts[0] + b"\r\n", shown)
        waiting = list(parts[1:])
        untagged: list[Response] = []
        bye: Status | None = None
        room = MAX_ANSWER
        while True:
            try:
                line = self.connection.read_line(phase, room)
            except Failed as failure:
                if bye is None:
                    raise
                raise self._left(phase, bye) from failure
            room -= len(line)
            answer = self._response(phase, tag, line, continues=bool(waiting))
            if answer.tag == "+":
                self.connection.send(phase, waiting.pop(0) + b"\r\n", b"***\r\n" if secret else None)
            elif answer.tag == "*":
                untagged.append(answer)
                if answer.status is not None and answer.status.kind == "BYE" and bye is None:
                    bye = answer.status
                    self.connection.deadline = self.connection.deadline.share(BYE_GRACE)
            elif bye is not None and answer.status is not None and answer.status.kind == "OK":
                raise self._left(phase, bye)  # "done, but I am going": nothing more can be asked
            else:
                return untagged, answer

    def _left(self, phase: str, bye: Status) -> Failed:
        """The failure where the server said BYE in the middle of a command."""
        cause = f"{phase}.closed"
        if phase == "login":
            from imap4.check.login import CAUSES

            cause = CAUSES.get(bye.code, cause)
        return Failed(cause, self._said(f"says BYE to {phase.upper()}", bye.text))

    def _response(self, phase: str, tag: bytes, line: bytes, continues: bool = False) -> Response:
        """Parse a line that must be untagged, ours, or (where one is due) a continuation request."""
        answer = parse_response(line[:-1].removesuffix(b"\r"))
        if answer.tag == "*" or (answer.tag == "+" and continues):
            if answer.status is not None:
                self._notice(answer.status, _TOLD if phase == "logout" else (*_TOLD, "BYE"))
            return answer
        if answer.tag != tag.decode() or answer.status is None:
            raise Failed(
                f"{phase}.protocol",
                self._said(f"wrong answer to {phase.upper()}", line.strip() or b"an empty line"),
            )
        self._notice(answer.status)
        return answer

    def _notice(self, status: Status, kinds: tuple[str, ...] = ("ALERT",)) -> None:
        """Keep what a person must see: alerts (RFC 9051 section 7.1), and untagged words of trouble."""
        for kind in (status.code, status.kind):
            if kind in kinds:
                text = status.text.partition("]")[2] if status.code else status.text
                notice = kind, self._said("", text)
                if notice[1] and notice not in self.notices and len(self.notices) < _MAX_NOTICES:
                    self.notices.append(notice)
                return

    def _want_ok(self, what: str, cause: str, answer: Response) -> None:
        assert answer.status is not None
        if answer.status.kind != "OK":
            raise Failed(cause, self._said(f"{what} answered {answer.status.kind}", answer.status.text))

    def _said(self, what: str, text: str | bytes) -> str:
        """As text.said, without the secrets that were sent on this connection."""
        scrub = self.connection.scrub
        data = text if isinstance(text, bytes) else text.encode()
        # Twice, since cleaning may put together what was apart.
        shown = clean(scrub(clean(scrub(data)).encode()))
        return f"{what}: {shown}" if what and shown else what or shown

    def _tag(self) -> bytes:
        self._commands += 1
        return b"a%d" % self._commands


def _last_list(untagged: list[Response], final: Response) -> tuple[str, ...] | None:
    """The last list of capabilities in the answers to a command; None where none has one."""
    told = [answer.capabilities for answer in (*untagged, final) if answer.capabilities is not None]
    return told[-1] if told else None
