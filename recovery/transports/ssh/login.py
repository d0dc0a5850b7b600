"""Logging in over SSH with a stored credential (RFC 4252): password, private key or agent."""

from __future__ import annotations

import contextlib
import io

import paramiko

from imap4 import secrets
from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, DeadlineExceeded, LoginFailed, UsageError
from recovery.model import Credential, Secret
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.ssh.certificate import certificate_of, certified

_KEY_TYPES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)

_OF_THE_MOMENT = ("System is going down", "System is booting up")
"""systemd's words in /run/nologin, for accounts other than root (pam_nologin(8), seen in systemd 252)."""


def log_in(connection: paramiko.Transport, credential: Credential, where: str, deadline: Deadline) -> None:
    """Prove to the machine that we may be ``credential.account``.

    Raises:
        LoginFailed: the machine does not take the credential, or the key cannot be used.
        ConnectFailed: the machine ended the connection meanwhile.
    """
    account = ssh_account(credential.account)
    # As long as there is time: PAM may ask a directory that is slow.
    connection.auth_timeout = max(0.1, deadline.left)
    try:
        if credential.method == "ssh-password":
            if credential.password is None:
                raise UsageError(
                    f"credential {credential.name}: method ssh-password, but no password is stored"
                )
            more = connection.auth_password(account, credential.password.reveal())
        elif credential.method == "ssh-key":
            more = _with_key(connection, account, credential)
        elif credential.method == "ssh-agent":
            more = _with_agent(connection, account, credential)
        else:
            raise UsageError(f"credential {credential.name}: unknown method {credential.method}")
    except paramiko.BadAuthenticationType as error:
        raise LoginFailed(
            f"{where}: account {account} cannot log in with {credential.method}; "
            f"the machine takes {', '.join(error.allowed_types)}"
        ) from None
    except paramiko.AuthenticationException as error:
        if "imeout" in str(error):
            raise DeadlineExceeded(
                f"{where}: the login of {account} had no answer within the time that was left"
            ) from None
        said = _banner(connection, credential)
        if any(sign in said for sign in _OF_THE_MOMENT):
            # Somebody reboots it, and the next connection may find it up again, and who that was.
            raise ConnectFailed(f"{where}: account {account} is not let in now{said}", passing=True) from None
        if connection.is_active():
            raise LoginFailed(
                _refused(where, account, credential) + _certificate(credential) + said
            ) from None
        text = f"{where}: the connection ended during the login of {account}{said}"
        # A server that says why will say it again.
        raise (LoginFailed(text) if said else ConnectFailed(text, passing=True)) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise ConnectFailed(f"{where}: the login of {account} broke off ({error})", passing=True) from None
    if more:
        raise LoginFailed(
            f"{where}: account {account} needs {' and '.join(more)} after {credential.method}; "
            "a recovery can give only one proof"
        )


def _with_key(connection: paramiko.Transport, account: str, credential: Credential) -> list[str]:
    """Log in with the key's certificate, and else with the key alone, as ``ssh`` does."""
    key = load_key(credential)
    certificate = certificate_of(credential, key)
    if certificate is not None and not certificate.problem():
        try:
            return connection.auth_publickey(account, certified(key, certificate))
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException as error:
            if "imeout" in str(error) or not connection.is_active():
                raise
        key = load_key(credential)
    return connection.auth_publickey(account, key)


def _certificate(credential: Credential) -> str:
    """What there is to say of the certificate of a key that was refused."""
    if credential.method != "ssh-key":
        return ""
    try:
        certificate = certificate_of(credential, load_key(credential))
    except LoginFailed as error:
        return f"; {error}"
    if certificate is None:
        return ""
    if problem := certificate.problem():
        return f"; {problem}"
    return (
        f"; {certificate.told}, and was refused too: is its authority in the machine's TrustedUserCAKeys, "
        "and the account among its principals"
    )


def _banner(connection: paramiko.Transport, credential: Credential) -> str:
    """What the server itself said of the login (RFC 4252, 5.4): pam_nologin, an account that expired."""
    # Not get_banner(), which knows nothing once the server has hung up after saying it.
    text = (getattr(connection.auth_handler, "banner", None) or b"").decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; the machine says: {scrubber_for(credential).cut(' '.join(lines[-3:]), 300)}" if lines else ""


def ssh_account(account: str) -> str:
    """The account's name as SSH knows it: ``.\\name`` is the machine's own ``name``."""
    return account.removeprefix(".\\")


def _refused(where: str, account: str, credential: Credential) -> str:
    what = {
        "ssh-password": "the password",
        "ssh-key": "the key: is its public half in the account's authorized_keys",
        "ssh-agent": "any of the agent's keys",
    }[credential.method]
    mark = "?" if credential.method == "ssh-key" else ""
    return f"{where}: account {account} of credential {credential.name} was refused with {what}{mark}"


def _agent_keys(credential: Credential) -> tuple[paramiko.AgentKey, ...]:
    keys = paramiko.Agent().get_keys()
    if not keys:
        raise LoginFailed(
            f"credential {credential.name}: no SSH agent with keys is there (SSH_AUTH_SOCK); start one and "
            "ssh-add the key, or store the key itself"
        )
    return keys


def _with_agent(connection: paramiko.Transport, account: str, credential: Credential) -> list[str]:
    keys = _agent_keys(credential)
    # The last key is tried outside: its refusal is told as the answer to all of them.
    for key in keys[:-1]:
        try:
            return connection.auth_publickey(account, key)
        except paramiko.AuthenticationException:
            continue
    return connection.auth_publickey(account, keys[-1])


def refuse_unusable(credential: Credential) -> None:
    """Pass where this host has what the credential logs in with; no machine is asked.

    Raises:
        LoginFailed: the key cannot be opened, its certificate is another key's, or no agent with keys is
            there.
        UsageError: there is no key, or no password.
    """
    if credential.method == "ssh-key":
        certificate_of(credential, load_key(credential))
    elif credential.method == "ssh-agent":
        _agent_keys(credential)
    elif credential.password is None:
        raise UsageError(f"credential {credential.name}: method ssh-password, but no password is stored")


def about_certificate(credential: Credential) -> tuple[str, bool]:
    """What the certificate of a key is for, and whether its time fits; "" where there is none.

    Raises:
        LoginFailed: it cannot be used, or its key cannot.
    """
    certificate = certificate_of(credential, load_key(credential)) if credential.method == "ssh-key" else None
    if certificate is None:
        return "", True
    problem = certificate.problem()
    return problem or certificate.told, not problem


AGENT_HINT = (
    "an engine's user has no agent unless one is set up for it: its unit needs SSH_AUTH_SOCK, and the agent "
    "the key after each start of the host"
)


def load_key(credential: Credential) -> paramiko.PKey:
    """The private key of ``credential``, in OpenSSH's or PEM format.

    Raises:
        LoginFailed: it cannot be read, is open to others, or its passphrase is missing or wrong.
        UsageError: the credential has none.
    """
    name = f"credential {credential.name}"
    if credential.private_key is not None:
        text, shown = credential.private_key.reveal(), "the stored key"
    elif credential.private_key_file:
        shown = f"key file {credential.private_key_file}"
        text = _read_key_file(credential.private_key_file, name)
    else:
        raise UsageError(f"{name}: method ssh-key, but no key is stored")
    return _parse_key(text, credential.passphrase, f"{name}: {shown}")


def _read_key_file(path: str, name: str) -> str:
    try:
        return secrets.read(path, "key file").decode("ascii")
    except FileNotFoundError as error:
        raise LoginFailed(f"{name}: key file {path}: {error.strerror}") from None
    except secrets.SecretError as error:
        raise LoginFailed(f"{name}: {error}") from None
    except UnicodeDecodeError:
        raise LoginFailed(f"{name}: key file {path} is not a private key") from None


def _reencoded(text: str, passphrase: Secret | None, shown: str) -> paramiko.PKey | None:
    """The key in a form that paramiko cannot read and cryptography can: PKCS#8 (RFC 5208), OpenSSH's with
    aes256-gcm; None where that cannot either.

    Raises:
        LoginFailed: its passphrase is missing.
    """
    from cryptography.hazmat.primitives import serialization

    phrase = passphrase.reveal().encode() if passphrase else None
    ssh = "BEGIN OPENSSH PRIVATE KEY" in text
    try:
        load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
        key = load(text.encode(), phrase)
        # In memory only, for the library to read.
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ).decode()
    except TypeError:
        if passphrase is None:
            raise LoginFailed(f"{shown} needs its passphrase, and none is stored") from None
        return None
    except Exception:  # its texts are OpenSSL's, and may quote what it was given
        return None
    for kind in _KEY_TYPES:
        with contextlib.suppress(paramiko.SSHException, ValueError, IndexError, TypeError):
            return kind.from_private_key(io.StringIO(plain))
    return None


def _parse_key(text: str, passphrase: Secret | None, shown: str) -> paramiko.PKey:
    encrypted = False
    for kind in _KEY_TYPES:
        try:
            # The library must not see a passphrase where the key has none: some types mind.
            return kind.from_private_key(io.StringIO(text), passphrase.reveal() if passphrase else None)
        except paramiko.PasswordRequiredException:
            raise LoginFailed(f"{shown} needs its passphrase, and none is stored") from None
        except paramiko.SSHException as error:
            encrypted = encrypted or "checkints" in str(error) or "passphrase" in str(error).lower()
        except (ValueError, LookupError, TypeError):  # KeyError: a cipher that it does not know
            encrypted = encrypted or passphrase is not None
    if (key := _reencoded(text, passphrase, shown)) is not None:
        return key
    if passphrase is not None and (encrypted or "BEGIN ENCRYPTED" in text):
        raise LoginFailed(f"{shown} cannot be opened: the stored passphrase is wrong")
    raise LoginFailed(f"{shown} is not a private key that can be used (Ed25519, ECDSA or RSA)")
