"""TLS: the context, the handshake, and what went wrong in words. Imported only where it is used."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any, NoReturn

from imap4 import secrets
from imap4.causes import Failed
from imap4.check import certificate as x509
from imap4.check.options import Options, UsageError
from imap4.deadline import Deadline
from imap4.text import clean

# X509_V_ERR_... codes: verify(1ssl), "DIAGNOSTICS".
_NOT_YET_VALID = 9
_EXPIRED = 10
_WRONG_NAME = (62, 63, 64)

NOT_TLS = "the server does not speak TLS on this port"

# OpenSSL's reasons, and what they mean to an administrator.
_REASONS = {
    "WRONG_VERSION_NUMBER": NOT_TLS,
    "HTTP_REQUEST": NOT_TLS,
    "UNSUPPORTED_PROTOCOL": "the server speaks only older versions of TLS",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server does not speak a TLS version that is allowed here",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the server refuses the TLS handshake (version, cipher, certificate?)",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not trust the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not take the client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know this server name",
    "EE_KEY_TOO_SMALL": "the server's key is too small for this machine's security level",
    "DH_KEY_TOO_SMALL": "the server's key exchange is too weak for this machine's security level",
}


def make_context(options: Options) -> ssl.SSLContext:
    """The client's side of TLS as the options want it; no key log, whatever the environment says.

    Of the environment only SSL_CERT_FILE and SSL_CERT_DIR count, by which OpenSSL itself can be told
    where the system's store is.

    Raises:
        UsageError: a file is missing, unreadable or not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if options.tls_min == "1.3" else ssl.TLSVersion.TLSv1_2
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_file is not None:
        _load_authorities(context, options.ca_file)
    else:
        context.load_default_certs()
    if options.client_cert is not None:
        _load_client_certificate(context, options.client_cert, options.client_key)
    return context


def server_name(options: Options) -> str | None:
    """The name to ask for and to find in the certificate; None where there is none to ask for."""
    name = options.server_name or options.host
    # Neither an IPv6 zone nor the dot of an absolute name is part of what a certificate says.
    return name.partition("%")[0].removesuffix(".") or None


def wrap(context: ssl.SSLContext, sock: socket.socket, name: str | None) -> ssl.SSLSocket:
    """Put TLS around a connected socket, without a word to the peer yet.

    Raises:
        Failed: ``tls.handshake``, where the peer has gone already.
    """
    try:
        return context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    except OSError as error:
        raise _broken_off(error) from None


def shake_hands(sock: Any, deadline: Deadline) -> None:
    """Do the handshake under the deadline.

    Raises:
        Failed: ``tls.timeout``, ``tls.untrusted``, ``tls.expired``, ``tls.name`` or ``tls.handshake``.
    """
    sock.settimeout(max(deadline.left, 0.001))
    try:
        sock.do_handshake()
    except TimeoutError:
        raise Failed(
            "tls.timeout", f"TLS handshake not done within {deadline.seconds:g} s", out_of_time=True
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise _untrusted(error) from None
    except OSError as error:
        raise _broken_off(error) from None


def _broken_off(error: OSError) -> Failed:
    """Why a handshake was not finished: OpenSSL's reason, or the peer hung up."""
    # A closed connection is one of these two, which differs with the version of OpenSSL, or a reset.
    closed = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    failure = None if closed else explained(error)
    return failure or Failed("tls.handshake", "the server closed the connection during the TLS handshake")


def explained(error: OSError) -> Failed | None:
    """An error of OpenSSL's as a failure; None for every other."""
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    # Without a reason there is only Python's text, which ends with a place in its source.
    words = reason.replace("_", " ").lower() or str(error.strerror).partition(" (_ssl.c")[0]
    text = _REASONS.get(reason) or clean(f"TLS error: {words}")
    return Failed("tls.handshake", text)


def _untrusted(error: ssl.SSLCertVerificationError) -> Failed:
    text = clean(error.verify_message)
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return Failed("tls.expired", text)
    if error.verify_code in _WRONG_NAME:
        return Failed("tls.name", f"wrong name in the certificate: {text}")
    return Failed("tls.untrusted", f"certificate not trusted: {text}")


def peer_certificate(sock: Any) -> bytes | None:
    """The server's own certificate in DER, also where it was not trusted; None where it sent none."""
    # Public from Python 3.13; before, getpeercert() knows nothing of a handshake that failed.
    chain = getattr(sock, "get_unverified_chain", None) or getattr(
        getattr(sock, "_sslobj", None), "get_unverified_chain", None
    )
    found = chain() if chain is not None else None
    if not found:
        return None
    first = found[0]
    return first if isinstance(first, bytes) else bytes(ssl.PEM_cert_to_DER_cert(first.public_bytes()))


def negotiated(sock: Any) -> str:
    """A line about the TLS that was agreed on."""
    name, _, bits = sock.cipher()
    return f"TLS: {sock.version()}, {name}, {bits} bits"


def days_left(sock: Any, now: float) -> float | None:
    """Days until the server's certificate ends, negative where it has; None where that is not known.

    Args:
        now: seconds since the epoch.
    """
    certificate = peer_certificate(sock)
    end = x509.not_after(certificate) if certificate else None
    return None if end is None else (end - now) / 86400


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
