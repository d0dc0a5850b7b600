"""Ways to a machine: each carries a script there and brings back what it did."""

from __future__ import annotations

from collections.abc import Sequence

from imap4.deadline import Deadline
from imap4.packages import too_old
from recovery.errors import UsageError
from recovery.model import Credential, Hop, Target, Transport
from recovery.transports.scrubbed import ScrubbedTransport, scrubber_for


def connect(
    target: Target,
    credential: Credential,
    *,
    deadline: Deadline,
    known_hosts: Sequence[str] | None = None,
    hops: Sequence[Hop] = (),
) -> Transport:
    """An authenticated link to ``target``, by the way that the credential's method names.

    Args:
        target: the machine; without a port, the method's usual one.
        credential: who to be there; its restrictions are the caller's to check, before this.
        deadline: ends every phase of it.
        known_hosts: files of SSH host keys; None is the user's and the system's.
        hops: the jump hosts on the way, the first one first; all over SSH, whatever the machine speaks.

    Raises:
        ConnectFailed: no connection, or no answer of the right protocol.
        HostKeyRejected: the machine's key or certificate is unknown, revoked or another one.
        LoginFailed: the machine does not take the credential.
        UsageError: the method is not known, or its library is missing or too old.
    """
    if credential.method.startswith("ssh-") or hops:
        _refuse_old("paramiko", "3.4")
    scrubber = scrubber_for(credential, *(hop.credential for hop in hops))
    if credential.method.startswith("ssh-"):
        # paramiko takes 0.1 s to load; a recovery that is refused must not wait for it.
        from recovery.transports.ssh.transport import SshTransport

        ssh = SshTransport.connect(target, credential, deadline=deadline, known_hosts=known_hosts, hops=hops)
        return ScrubbedTransport(ssh, scrubber)
    if credential.method.startswith("winrm-"):
        # Older ones know other settings, and end in a TypeError (Debian 12 has 0.3.0).
        _refuse_old("pywinrm", "0.5")
        from recovery.transports.winrm.transport import WinRmTransport

        if not hops:
            return ScrubbedTransport(WinRmTransport.connect(target, credential, deadline=deadline), scrubber)
        from recovery.transports.ssh.jump import Way

        way = Way.open(hops, deadline, known_hosts)
        try:
            winrm = WinRmTransport.connect(target, credential, deadline=deadline, way=way)
        except BaseException:
            way.close()
            raise
        return ScrubbedTransport(winrm, scrubber)
    raise UsageError(f"credential {credential.name}: unknown method {credential.method}")


def _refuse_old(distribution: str, least: str) -> None:
    if problem := too_old(distribution, least):
        raise UsageError(problem)
