"""The story of one test: resolve -> connect -> tls -> greeting -> (starttls) -> logout -> ProbeResult."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from imap4.causes import Failed
from imap4.check.connecting import connect
from imap4.check.connection import Connection
from imap4.check.options import Options
from imap4.check.session import Session
from imap4.deadline import Deadline
from imap4.network import BLOCKING, Network
from imap4.resolver import Address, resolve, unix_address

if TYPE_CHECKING:
    import ssl

    from imap4.check.tls.handshake import End

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Failure(NamedTuple):
    """What was wrong with the tested service."""

    cause: str
    text: str
    out_of_time: bool
    """Whether the maximum test duration was over before the phase was."""
    hint: str = ""
    """What to do about it, where more is known than the cause's own hint says."""


class ProbeResult(NamedTuple):
    """What was found out about one address, or about a name that led to none."""

    address: str
    """Empty where none of several was connected to, or there was none."""
    failure: Failure | None
    seconds: float
    """The whole test, from resolving to the end of LOGOUT."""
    phases: tuple[tuple[str, float], ...]
    """Seconds of every phase that was finished, in their order."""
    greeting: str | None
    """``OK``, ``PREAUTH``, ``BYE``; ``other`` where it is not IMAP4's; None where there was none."""
    logged_out: bool
    remarks: tuple[str, ...]
    """What is odd but did not fail the test."""
    days_left: float | None
    """Of the server's certificate, or of the one above it that ends first."""
    details: tuple[str, ...]
    """Lines for ``-v``: addresses and what was negotiated."""
    dialogue: tuple[tuple[str, bytes], ...]
    notices: tuple[tuple[str, str], ...] = ()
    """What the server wants a person to know: ``ALERT``, ``NO``, ``BAD`` or ``BYE``, and its text."""
    certificate_of: str = ""
    """Whose ``days_left`` are; empty for the server's own certificate."""


class Preparation(NamedTuple):
    """What is made of the options before a test, so that a wrong file is found before a server is."""

    context: ssl.SSLContext | None
    server_name: str | None
    password: str | None


def prepare(
    options: Options, deadline: Deadline, make_context: Callable[[Options], ssl.SSLContext] | None = None
) -> Preparation:
    """Read the files that the options name.

    Args:
        make_context: in place of imap4.check.tls.make_context, for who keeps contexts.

    Raises:
        UsageError: one of them is missing or wrong.
    """
    context = name = password = None
    if options.login:
        from imap4.check.password import read_password

        password = read_password(options, deadline)
    if options.tls != "none":
        from imap4.check.tls import handshake as tls

        context, name = (make_context or tls.make_context)(options), tls.server_name(options)
    return Preparation(context, name, password)


def probe(
    options: Options, prepared: Preparation, deadline: Deadline, network: Network = BLOCKING
) -> list[ProbeResult]:
    """Test the server.

    Args:
        network: how to wait; the worker's lets others run meanwhile.

    Returns:
        One result; with ``all_addresses`` one for every address, in the resolver's order.

    Raises:
        UsageError: the source address cannot be used.
        OSError: this machine is out of memory or descriptors.
    """
    lookup = _Test(options, prepared, deadline, network)
    try:
        addresses = lookup.resolve()
    except Failed as failure:
        return [lookup.result(failure)]
    if not options.all_addresses or len(addresses) == 1:
        return [lookup.run(addresses)]
    return _probe_all(lookup, addresses)


def _probe_all(lookup: _Test, addresses: list[Address]) -> list[ProbeResult]:
    """Test every address at the same time; each ends by the deadline by itself."""

    def test(address: Address) -> ProbeResult:
        one = _Test(lookup.options, lookup.prepared, lookup.deadline, lookup.network)
        one.address = address.text
        one.phases.extend(lookup.phases)
        return one.run([address])

    return lookup.network.each(test, addresses)


class _Test:
    """One test on its way."""

    def __init__(self, options: Options, prepared: Preparation, deadline: Deadline, network: Network) -> None:
        self.options = options
        self.prepared = prepared
        self.deadline = deadline
        self.network = network
        self.phases: list[tuple[str, float]] = []
        self.remarks: list[str] = []
        self.details: list[str] = []
        self.address = ""
        self.connection: Connection | None = None
        self.session: Session | None = None
        self.certificate_end: End | None = None
        self.logged_out = False

    def resolve(self) -> list[Address]:
        options = self.options
        if options.unix_path is not None:
            return [unix_address(options.unix_path)]
        found = self._phase(
            "resolve", resolve, options.host, options.port, options.family, self.deadline, self.network
        )
        self.details.append("addresses: " + ", ".join(address.text for address in found))
        return found

    def run(self, addresses: list[Address]) -> ProbeResult:
        """Test the first of the addresses that connects."""
        failure = None
        try:
            self._connect(addresses)
            self._talk()
        except Failed as failed:
            failure = failed
        result = self.result(failure)
        if self.connection is not None:
            self.connection.close()
        return result

    def _connect(self, addresses: list[Address]) -> None:
        connection, dead = self._phase(
            "connect", connect, addresses, self.options.source, self.deadline, self.network
        )
        self.connection = connection
        self.address = connection.address.text
        for address, failed in dead:
            self.remarks.append(f"{address.text}: {failed.text}")
        self.details.append(f"connected to {connection.address.text}")

    def _talk(self) -> None:
        """The dialogue, phase by phase; the first that fails ends it."""
        options, connection = self.options, self.connection
        assert connection is not None
        if options.proxy_protocol is not None:
            connection.announce(options.proxy_protocol)
        if options.tls == "implicit":
            self._phase("tls", self._start_tls, connection)
        session = self.session = Session(connection)
        self._phase("greeting", session.read_greeting, options.expect)
        if session.bare_newline:
            self.remarks.append("greeting ends with a bare LF")
        if session.status is not None and session.status.kind == "PREAUTH":
            self.remarks.append("greeting is PREAUTH")
        if options.tls == "starttls":
            self._phase("tls", self._upgrade, session)
        if options.login:
            assert options.user is not None
            assert self.prepared.password is not None
            self._phase("login", session.log_in, options.user, self.prepared.password)
        if options.capabilities:
            self._phase("capability", session.require, options.capabilities)
        # Where the greeting was another protocol's or BYE, and passed by --expect, no answer is due.
        if session.status is None or session.status.kind == "BYE":
            self._phase("logout", session.send_logout)
        else:
            self._phase("logout", session.log_out)
            self.logged_out = True

    def _upgrade(self, session: Session) -> None:
        from imap4.check.tls.failures import NOT_TLS

        session.request_starttls()
        try:
            self._start_tls(session.connection)
        except Failed as failed:
            if failed.text != NOT_TLS:
                raise
            # The port is right, the server (or someone on the way) went on in the clear.
            text = "the server answers STARTTLS with OK, but does not begin TLS"
            raise Failed(failed.cause, text) from None

    def _start_tls(self, connection: Connection) -> None:
        from imap4.check.tls import handshake as tls

        assert self.prepared.context is not None
        which = "own" if self.options.insecure else "verified"
        try:
            connection.start_tls(self.prepared.context, self.prepared.server_name)
        except Failed as failed:
            # The certificate may be why: that of an authority too, where one has expired.
            which = "sent" if failed.cause == "tls.expired" else "own"
            raise
        finally:
            self.certificate_end = tls.first_end(connection.tls_socket, time.time(), which)
        self.details.append(tls.negotiated(connection.tls_socket))

    def _phase(self, name: str, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        start = time.monotonic()
        value = step(*args, **kwargs)
        self.phases.append((name, time.monotonic() - start))
        return value

    def result(self, failed: Failed | None) -> ProbeResult:
        """What is known now."""
        session = self.session
        greeting = None
        if session is not None and session.greeting:
            greeting = session.status.kind if session.status is not None else "other"
        return ProbeResult(
            address=self.address,
            failure=Failure(failed.cause, failed.text, failed.out_of_time, failed.hint) if failed else None,
            seconds=self.deadline.elapsed,
            phases=tuple(self.phases),
            greeting=greeting,
            logged_out=self.logged_out,
            remarks=tuple(self.remarks),
            notices=tuple(session.notices) if session is not None else (),
            days_left=self.certificate_end.days if self.certificate_end else None,
            certificate_of=self.certificate_end.subject if self.certificate_end else "",
            details=tuple(self.details),
            dialogue=tuple(self.connection.dialogue) if self.connection is not None else (),
        )
