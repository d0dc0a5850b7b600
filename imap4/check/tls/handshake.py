"""TLS: the context, the handshake, and what went wrong in words. Imported only where it is used."""

from __future__ import annotations

import os
import socket
import ssl
import warnings
from typing import Any, NamedTuple, NoReturn

from imap4 import secrets
from imap4.causes import Failed
from imap4.check.options import Options, UsageError
from imap4.check.tls.certificate import read
from imap4.deadline import Deadline
from imap4.hostnames import to_ascii
from imap4.text import clean

_LEGACY_SERVER_CONNECT = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT of ssl.h; ``ssl.OP_LEGACY_SERVER_CONNECT`` from Python 3.12."""

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class Context(ssl.SSLContext):
    """A context that knows whether it has a certificate to show."""

    shows_certificate = False


class End(NamedTuple):
    """The end of the certificate, among those that count, that ends first."""

    days: float
    """From now; negative where it is over."""
    subject: str
    """Whose it is; empty for the server's own."""


def make_context(options: Options) -> ssl.SSLContext:
    """The client's side of TLS as the options want it; no key log, whatever the environment says.

    Of the environment only SSL_CERT_FILE and SSL_CERT_DIR count, by which OpenSSL itself can be told
    where the system's store is.

    Raises:
        UsageError: a file is missing, unreadable or not what it should be.
    """
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    _allow(context, options)
    # Neither strict nor content with half a chain, as ssl.create_default_context is from Python 3.13: a
    # server must not fail, or pass, because the check's Python is another. RFC 9525 section 6.3: a common
    # name is no name.
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    context.hostname_checks_common_name = False
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file is not None:
        _load_authorities(context, options.ca_file)
    else:
        context.load_default_certs()
    if options.client_cert is not None:
        _load_client_certificate(context, options.client_cert, options.client_key)
        context.shows_certificate = True
    return context


def _allow(context: ssl.SSLContext, options: Options) -> None:
    """Allow the versions and the strength that the options want."""
    level = options.tls_security_level
    if level is None and options.tls_min in ("1.0", "1.1"):
        level = 0  # OpenSSL 3 speaks them at no other (SSL_CTX_set_security_level(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[options.tls_min]
    if level is not None:
        # Python's own list lacks RSA key exchange and SHA-1; OpenSSL's, without a list of ours, has them.
        context.set_ciphers(f"DEFAULT:!aNULL:!eNULL:@SECLEVEL={level}")
    if level == 0:
        context.options |= _LEGACY_SERVER_CONNECT


def server_name(options: Options) -> str | None:
    """The name to ask for and to find in the certificate; None where there is none to ask for."""
    name = options.server_name or options.host
    # Neither an IPv6 zone nor the dot of an absolute name is part of what a certificate says.
    name = name.partition("%")[0].removesuffix(".")
    # Python itself would encode it by IDNA 2003.
    return (name if name.isascii() else to_ascii(name)) or None


def wrap(context: ssl.SSLContext, sock: socket.socket, name: str | None) -> ssl.SSLSocket:
    """Put TLS around a connected socket, without a word to the peer yet.

    Raises:
        Failed: ``tls.handshake``, where the peer has gone already.
    """
    try:
        return context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    except OSError as error:
        raise _broken_off(error, sock) from None


def shake_hands(sock: Any, deadline: Deadline) -> None:
    """Do the handshake under the deadline.

    Raises:
        Failed: a cause of ``tls.*``.
    """
    sock.settimeout(max(deadline.left, 0.001))
    try:
        sock.do_handshake()
    except TimeoutError:
        raise Failed(
            "tls.timeout", f"TLS handshake not done within {deadline.seconds:g} s", out_of_time=True
        ) from None
    except ssl.SSLCertVerificationError as error:
        from imap4.check.tls.failures import untrusted

        raise untrusted(error, [found for der in _sent(sock) if (found := read(der))]) from None
    except OSError as error:
        raise _broken_off(error, sock) from None


def _broken_off(error: OSError, sock: Any) -> Failed:
    """Why a handshake was not finished: OpenSSL's reason, or the peer hung up."""
    failure = explained(error, sock)
    return failure or Failed("tls.handshake", "the server closed the connection during the TLS handshake")


def explained(error: OSError, sock: Any) -> Failed | None:
    """An error of OpenSSL's as a failure; None for every other, and where the peer only hung up."""
    # A closed connection is one of these two, which differs with the version of OpenSSL, or a reset.
    if not isinstance(error, ssl.SSLError) or hung_up(error):
        return None
    from imap4.check.tls import failures

    return failures.explained(error, getattr(sock.context, "shows_certificate", False), bool(_sent(sock)))


def hung_up(error: OSError) -> bool:
    """Whether OpenSSL says so of a connection that was closed, which differs with its version."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _chain(sock: Any, name: str) -> list[bytes]:
    """The certificates in DER, the server's own first; empty where there are none."""
    # Public from Python 3.13; before, getpeercert() knows nothing of a handshake that failed.
    chain = getattr(sock, name, None) or getattr(getattr(sock, "_sslobj", None), name, None)
    found = chain() if chain is not None else None
    return [
        each if isinstance(each, bytes) else bytes(ssl.PEM_cert_to_DER_cert(each.public_bytes()))
        for each in found or ()
    ]


def _sent(sock: Any) -> list[bytes]:
    return _chain(sock, "get_unverified_chain")


def negotiated(sock: Any) -> str:
    """A line about the TLS that was agreed on."""
    name, _, bits = sock.cipher()
    return f"TLS: {sock.version()}, {name}, {bits} bits"


def first_end(sock: Any, now: float, which: str) -> End | None:
    """The first end among the server's certificates; None where none is known.

    Args:
        now: seconds since the epoch.
        which: ``verified`` for all that led to an authority, ``sent`` for all that the server sent, of
            which some may not count, ``own`` for the server's own.
    """
    chain = _chain(sock, "get_verified_chain") if which == "verified" else _sent(sock)
    known = [found for der in (chain[:1] if which == "own" else chain) if (found := read(der))]
    if not known:
        return None
    first = min(known, key=lambda certificate: certificate.end)
    return End((first.end - now) / 86400, "" if first is known[0] else first.subject)


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"argument --ca-file: no certificate (PEM) in {clean(path)}") from None
    except OSError as error:
        raise UsageError(f"argument --ca-file: cannot read {clean(path)}: {error.strerror}") from None


def _load_client_certificate(context: ssl.SSLContext, path: str, key: str | None) -> None:
    def no_passphrase() -> NoReturn:
        raise UsageError("argument --client-key: the key needs a passphrase; a check cannot ask for one")

    try:
        secret = secrets.read(path if key is None else key, "", group=True)
        with secrets.as_file(secret) as opened:
            if key is None:
                context.load_cert_chain(opened, password=no_passphrase)
            else:
                context.load_cert_chain(path, opened, password=no_passphrase)
    except secrets.SecretError as error:
        option = "--client-cert" if key is None else "--client-key"
        raise UsageError(f"argument {option}: {error}") from None
    except ssl.SSLError as error:
        reason = clean((error.reason or "no certificate and key").replace("_", " ").lower())
        raise UsageError(
            f"argument --client-cert: {clean(path)} or its key is not usable: {reason}"
        ) from None
    except OSError as error:
        raise UsageError(
            f"argument --client-cert: cannot read {clean(path)} or its key: {error.strerror}"
        ) from None
