"""A Kerberos ticket from a stored password: kinit, into a cache of our own that goes with the link."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, LoginFailed, UsageError
from recovery.model import Credential
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.winrm.session import account_for


@contextlib.contextmanager
def ticket(credential: Credential, deadline: Deadline) -> Iterator[None]:
    """Holds a ticket-granting ticket for the block; without a password, the caller's own cache is used.

    Raises:
        UsageError: Kerberos support is not installed, or the account names no realm.
        LoginFailed: the KDC refuses the account or its password.
        ConnectFailed: no KDC answers.
    """
    _check(credential)
    if credential.password is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="imap4-recovery-") as folder:
        cache = f"FILE:{folder}/ccache"
        _kinit(credential, cache, deadline)
        before = os.environ.get("KRB5CCNAME")
        os.environ["KRB5CCNAME"] = cache
        try:
            yield
        finally:
            if before is None:
                del os.environ["KRB5CCNAME"]
            else:
                os.environ["KRB5CCNAME"] = before


def _check(credential: Credential) -> None:
    import winrm.transport

    if not winrm.transport.HAVE_KERBEROS:
        raise UsageError(
            "winrm-kerberos needs Kerberos support: apt install libkrb5-dev krb5-user gcc python3-dev, then "
            "pip install 'check_imap4[kerberos]'"
        )
    if "\\" in credential.account:
        raise UsageError(
            f"credential {credential.name}: Kerberos needs the account as name@domain.example, "
            f"not {credential.account}"
        )


def _kinit(credential: Credential, cache: str, deadline: Deadline) -> None:
    principal = account_for(credential)
    assert credential.password is not None
    try:
        done = subprocess.run(
            ["kinit", "-c", cache, "--", principal],
            input=credential.password.reveal() + "\n",
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=max(0.1, deadline.left),
        )
    except FileNotFoundError:
        raise UsageError("winrm-kerberos needs kinit: apt install krb5-user") from None
    except subprocess.TimeoutExpired:
        raise ConnectFailed(f"kinit {principal}: no KDC answered in time; see /etc/krb5.conf") from None
    if done.returncode == 0:
        return
    said = scrubber_for(credential).cut(" ".join(done.stderr.split()), 200)
    if any(text in said for text in ("Cannot find KDC", "Cannot contact any KDC", "Cannot resolve")):
        raise ConnectFailed(f"kinit {principal}: {said}; see /etc/krb5.conf")
    raise LoginFailed(
        f"kinit {principal}: {said}; it was tried once. Correct the credential with: "
        f"imap4-recovery credentials set {credential.name}"
    )
