"""What went wrong with a WinRM link, told to a person: pywinrm's and its libraries' exceptions -> ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from imap4.scrub import Scrubber
from recovery.errors import (
    ConnectFailed,
    DeadlineExceeded,
    HostKeyRejected,
    LoginFailed,
    PrivilegeMissing,
    RecoveryError,
)
from recovery.transports.winrm.wire import MAX_ANSWER, TooMuch

_SCHEMES = {
    "winrm-ntlm": ("Negotiate", "NTLM"),
    "winrm-kerberos": ("Negotiate", "Kerberos"),
    "winrm-credssp": ("CredSSP",),
    "winrm-basic": ("Basic",),
}
# [MS-ERREF] and wsmerror.h.
ACCESS_DENIED = 5
ABORTED = 995
SHELL_NOT_FOUND = 2150858843
QUOTAS = frozenset({2150859173, 2150859174, 2150859175, 2150859176, 2150859177})


class AnsweredInTheClear(Exception):
    """A message that should have been sealed was not: somebody in the middle may have written it."""


@dataclass(frozen=True)
class Peer:
    """Where and as whom, for the sentences."""

    where: str
    """``machine (address port N)``."""
    port: int
    scheme: str
    account: str
    credential: str
    method: str
    scrubber: Scrubber = field(compare=False)  # who we are there does not hang on it
    """Takes the credential's secrets out of what the machine and the libraries say, before it is cut."""


def explain(error: BaseException, peer: Peer, offers: str | None = None) -> RecoveryError:
    """``error`` as one of ours; never holds a secret, since no exception of these libraries does.

    Args:
        offers: the WWW-Authenticate line of the last 401, where there was one.
    """
    for sentence in (_login, _fault, _tls, _network, _http):
        found = sentence(error, peer, offers)
        if found is not None:
            return found
    return ConnectFailed(
        f"{peer.where}: something answers, but it is not WinRM ({_short(error, peer)}); is the port right? "
        "WinRM listens on 5986 (HTTPS) or 5985"
    )


def _login(error: BaseException, peer: Peer, offers: str | None) -> RecoveryError | None:
    name = type(error).__name__
    if name == "PermissionError" and "NTLM challenge" not in str(error):
        return None
    credssp = name in ("NTStatusException", "AuthenticationException")
    refused = name in ("InvalidCredentialsError", "SpnegoError", "PermissionError", "KeyError") or credssp
    if offers is None and name != "InvalidCredentialsError":
        # Nobody asked for a login, so nobody refused one.
        refused = False
    if offers is not None and (refused or name == "MutualAuthenticationError"):
        # Some servers name their methods in one line, some in several; requests joins those with commas.
        offered = [part.split()[0] for part in offers.split(",") if part.strip()]
        wanted = _SCHEMES.get(peer.method, ())
        if wanted and not {one.lower() for one in offered} & {one.lower() for one in wanted}:
            rest = ", ".join(offered) or "nothing"
            return LoginFailed(
                f"{peer.where}: it does not allow {peer.method}; it offers {rest}. "
                "Allow it there (winrm get winrm/config/service/auth), or change the credential's method"
            )
    if name == "KerberosExchangeError":
        return LoginFailed(
            f"{peer.where}: Kerberos gave no ticket for this machine ({_short(error, peer)}); use the "
            "machine's full name, and see that its name and the realm are right in /etc/krb5.conf"
        )
    if name == "MutualAuthenticationError":
        return LoginFailed(f"{peer.where}: the machine could not prove with Kerberos who it is")
    if not refused:
        return None
    if peer.method == "winrm-certificate":
        return LoginFailed(
            f"{peer.where}: the client certificate of credential {peer.credential} is not mapped to an "
            "account there (winrm enumerate winrm/config/service/certmapping)"
        )
    # A machine on which NTLM is switched off says the same as to a wrong password.
    policy = ". Where both are right, a policy may restrict NTLM there" if peer.method == "winrm-ntlm" else ""
    return LoginFailed(
        f"{peer.where}: account {peer.account} or its password was refused; it was tried once, so that the "
        f"account is not locked. Correct it with: imap4-recovery credentials set {peer.credential}{policy}"
    )


def _filtered(account: str) -> str:
    """What else takes the rights of a local administrator away over the network."""
    if "@" in account or account.partition("\\")[0] not in ("", ".", account):
        return ""
    return (
        ". A local administrator other than the built-in one has no administrator's rights over the network "
        "unless LocalAccountTokenFilterPolicy is set"
    )


def _fault(error: BaseException, peer: Peer, offers: str | None) -> RecoveryError | None:
    if type(error).__name__ != "WSManFaultError":
        return None
    code = fault_code(error)
    if code == ACCESS_DENIED:
        return PrivilegeMissing(
            f"{peer.where}: logged in as {peer.account}, but it may not open a remote shell; make it a "
            "member of Administrators, or grant it Read and Execute (winrm configSDDL default; see "
            "docs/windows.md)" + _filtered(peer.account)
        )
    if code in QUOTAS:
        return ConnectFailed(
            f"{peer.where}: {peer.account} has too many remote shells open there (quota, code {code}); "
            "wait until they time out, or end them (winrm enumerate shell)"
        )
    if code == ABORTED:
        return ConnectFailed(
            f"{peer.where}: WinRM is stopping (code 995); the machine goes down, or its service restarts"
        )
    if code == SHELL_NOT_FOUND:
        return ConnectFailed(
            f"{peer.where}: the remote shell is gone; WinRM there was restarted, or timed it out"
        )
    reason = peer.scrubber.cut(" ".join(str(getattr(error, "reason", "")).split()), 200)
    return ConnectFailed(f"{peer.where}: WinRM refused ({f'code {code}: ' if code else ''}{reason})")


def fault_code(error: BaseException) -> int | None:
    """The number of a WSManFault, else None."""
    code = getattr(error, "wsman_fault_code", None)
    return code if isinstance(code, int) else None


def _tls(error: BaseException, peer: Peer, offers: str | None) -> RecoveryError | None:
    found = next((one for one in _chain(error) if isinstance(one, ssl.SSLError)), None)
    if found is None or isinstance(found, ssl.SSLEOFError):
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        said = found.verify_message.rstrip(".")
        if "mismatch" in said.lower() or "not valid for" in said.lower():
            remedy = "use the name that it was made out to with --machine"
        elif "expired" in said.lower() or "not yet valid" in said.lower():
            remedy = "renew it there, and check both clocks"
        else:
            remedy = "trust its authority, or the certificate itself, with --ca-file"
        return HostKeyRejected(
            f"{peer.where}: the machine's certificate is not trusted: {said[:1].lower()}{said[1:]}; {remedy}"
        )
    if found.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return ConnectFailed(
            f"{peer.where}: it does not speak TLS; HTTPS is on 5986. For sealed messages over HTTP with "
            "winrm-ntlm, winrm-kerberos or winrm-credssp use --port 5985"
        )
    return ConnectFailed(f"{peer.where}: TLS failed: {(found.reason or 'failed').replace('_', ' ').lower()}")


def _network(error: BaseException, peer: Peer, offers: str | None) -> RecoveryError | None:
    chain = list(_chain(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    names = {type(one).__name__ for one in chain}
    if isinstance(error, AnsweredInTheClear):
        return ConnectFailed(
            f"{peer.where}: an answer came unencrypted where it had to be sealed; it may be forged and was "
            "not believed. Use HTTPS (port 5986), and look for a proxy in between"
        )
    if has(TooMuch):
        return ConnectFailed(
            f"{peer.where}: an answer of more than {MAX_ANSWER >> 20} MiB; this is not WinRM"
        )
    if has(TimeoutError) or names & {"ReadTimeoutError", "ReadTimeout", "ConnectTimeout"}:
        return DeadlineExceeded(f"{peer.where}: connected, but no whole answer came in time")
    if names & {"TooManyRedirects", "ProxyError"}:
        return ConnectFailed(
            f"{peer.where}: it redirects elsewhere, which is not followed; this is not WinRM"
        )
    if names & {"ChunkedEncodingError", "IncompleteRead", "InvalidChunkLength"}:
        return ConnectFailed(f"{peer.where}: the connection ended in the middle of an answer")
    if has(ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) or names & {
        "RemoteDisconnected",
        "ConnectionError",
        "ProtocolError",
    }:
        https = "; is this a listener of HTTPS? Then use --scheme https" if peer.scheme == "http" else ""
        # Only before anything was said: a sealed conversation began on a listener of HTTP.
        hint = https if offers is None else ""
        return ConnectFailed(
            f"{peer.where}: the machine closed the connection ({_short(chain[-1], peer)}){hint}"
        )
    return None


def _http(error: BaseException, peer: Peer, offers: str | None) -> RecoveryError | None:
    if type(error).__name__ != "WinRMTransportError":
        return None
    code = getattr(error, "code", 0)
    told = {
        404: "nothing at /wsman; this is a web server, not WinRM, or WinRM has no listener on this port",
        407: "a proxy asks for a password; WinRM is never spoken through a proxy",
        503: "WinRM is not ready, or too busy (HTTP 503); look at its service there: Get-Service WinRM",
    }
    return ConnectFailed(
        f"{peer.where}: {told.get(code, f'HTTP status {code} instead of an answer of WinRM')}"
    )


def no_connection(error: OSError, peer: Peer, waited: float) -> RecoveryError:
    """Why there is no connection, before anything of WinRM was said.

    Args:
        waited: seconds after which a silent address was given up.
    """
    tls = _tls(error, peer, None)
    if tls is not None:
        return tls
    kind = "https" if peer.scheme == "https" else "http"
    if isinstance(error, TimeoutError):
        return ConnectFailed(
            f"{peer.where}: no connection within {waited:.0f} s; the machine is down, or a firewall drops "
            f"port {peer.port} (Windows allows it with: winrm quickconfig -transport:{kind})"
        )
    if isinstance(error, ConnectionRefusedError):
        return ConnectFailed(
            f"{peer.where}: connection refused; nothing listens there. Set WinRM up with: "
            f"winrm quickconfig -transport:{kind}"
        )
    return ConnectFailed(f"{peer.where}: no connection: {_short(error, peer)}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything inside it: causes, contexts, and what urllib3 keeps in ``args``."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _short(error: BaseException, peer: Peer) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = peer.scrubber.cut(" ".join(str(error).split()), 160)
    return text[:1].lower() + text[1:] if text else type(error).__name__
