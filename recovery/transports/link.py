"""A way to one machine that survives a lost connection, and knows a refused sudo when it sees one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed, DeadlineExceeded, PrivilegeMissing
from recovery.model import CommandResult, Ended, Transport

Connect = Callable[[Deadline], Transport]
"""Makes a new authenticated link within the deadline; raises a RecoveryError."""

_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE = 5.0
_FIRST_SECONDS = 30.0
"""How long the first connection is tried for; OpenSSH's penalties last for 15 s at least (sshd_config(5))."""
_FACTS_BYTES = 1 << 22
"""A machine with a thousand services states its facts in less."""
# In English: the scripts call sudo with LC_ALL=C.
_SUDO_REFUSED = re.compile(
    rb"^sudo: (?!unable to resolve host)|is not allowed to execute|is not in the sudoers file|"
    rb"may not run sudo|not allowed to preserve the environment|sudo: (?:command )?not found",
    re.MULTILINE,
)
_REFUSED = re.compile(
    rb"Interactive authentication required|Access denied|[Pp]ermission denied|Operation not permitted|"
    rb"[Mm]ust be root|superuser"
)


class NoLine(Exception):
    """No line of sudoers would allow just this command: the text says why, and what to do instead."""


class Link:
    """Runs scripts on one machine; makes a connection when it needs one.

    ``become`` is whether what needs root goes through sudo. Not for use by two threads at once.
    """

    def __init__(self, connect: Connect, *, become: bool = False) -> None:
        self._connect = connect
        self._transport: Transport | None = None
        self._connected = False
        self.become = become

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        keep: int = 65536,
    ) -> CommandResult:
        """Run ``script`` once; see ``recovery.model.Transport.run``.

        A link that is found dead before the script began is made anew.
        """
        if self._transport is not None:
            try:
                return self._try(self._transport, script, arguments, deadline, stdin, environment, keep)
            except ConnectFailed:
                self.drop()
        transport = self._open(deadline)
        return self._try(transport, script, arguments, deadline, stdin, environment, keep)

    def _open(self, deadline: Deadline) -> Transport:
        """The connection, made where there is none. The first is tried for a while: sshd may be full
        (MaxStartups), hold our address off (PerSourcePenalties), or be just restarted."""
        pause, until = _PAUSE_SECONDS, deadline.left - min(_FIRST_SECONDS, deadline.left / 2)
        while self._transport is None:
            try:
                self._transport = self._connect(deadline)
            except ConnectFailed as error:
                if self._connected or not error.passing or deadline.left - pause <= until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._connected = True
        return self._transport

    def work_seconds(self, deadline: Deadline) -> float:
        """How long a script that is started now may run; connects where there is no link yet."""
        return self._open(deadline).work_seconds(deadline)

    @property
    def host_key(self) -> str:
        """The fingerprint of the host key of what we are connected to; "" without a connection or a key."""
        return getattr(self._transport, "host_key", "")

    def language(self, deadline: Deadline) -> str:
        """What scripts the machine takes: ``sh`` or ``powershell``; connects where there is no link yet."""
        return self._open(deadline).language

    def _try(
        self,
        transport: Transport,
        script: str,
        arguments: Sequence[str],
        deadline: Deadline,
        stdin: bytes,
        environment: Mapping[str, str] | None,
        keep: int,
    ) -> CommandResult:
        result = transport.run(
            script,
            arguments,
            deadline=deadline,
            become=self.become,
            stdin=stdin,
            environment=environment,
            keep=keep,
        )
        if result.ended is Ended.LINK_LOST:
            self.drop()
        return result

    def ask(self, script: str, arguments: Sequence[str] = (), *, deadline: Deadline) -> str:
        """What a script prints that only looks: it is tried again while the link fails.

        Raises:
            ConnectFailed: the machine was not reached before the deadline.
            DeadlineExceeded: the script did not end in time.
        """
        reason = ""
        while True:
            try:
                # Facts are a matter of moments: one that hangs is asked for again.
                result = self.run(script, arguments, deadline=deadline.share(30), keep=_FACTS_BYTES)
            except ConnectFailed as error:
                # After the pause nothing would be left to ask with.
                if deadline.left <= _PAUSE_SECONDS:
                    raise
                result = CommandResult(Ended.LINK_LOST, None, notes=(str(error),))
            reason = " ".join(result.notes) or reason
            if result.ended is Ended.EXITED:
                return result.stdout.decode("utf-8", "replace")
            if deadline.left <= _PAUSE_SECONDS:
                why = reason or result.ended.value
                raise DeadlineExceeded(f"the machine did not tell its state in time ({why})")
            time.sleep(_PAUSE_SECONDS)

    def drop(self) -> None:
        """Forget the connection; the next script makes another one."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()


_TRY = """\
LC_ALL=C sudo -n -- "$@" >/dev/null 2>&1 </dev/null && echo yes
"""


def listing_wants_password(
    link: Link, said: str, account: str, commands: Sequence[Sequence[str]], deadline: Deadline
) -> str:
    """What to do where sudo runs commands without a password and asks for one only to list them
    (``listpw``, sudoers(5)); "" where that cannot be seen.

    Args:
        said: what ``sudo -n -l`` said.
        commands: what sudo should allow; of these, one that only reads is tried.
    """
    if "a password is required" not in said:
        return ""
    harmless = [("true",), *(one for one in commands if one[0].endswith("/journalctl"))]
    if not any(link.ask(_TRY, one, deadline=deadline).strip() == "yes" for one in harmless[:2]):
        return ""
    return (
        "it runs commands without one, and asks for it only where it is asked what it allows, which is done "
        f"before anything is begun: add 'Defaults:{account} listpw=never' to sudoers (visudo)"
    )


def broken_sudo(said: str, account: str) -> str:
    """What to do where sudo refused for another reason than a missing line; "" where that was it."""
    remedies = {
        "must have a tty": f"add 'Defaults:{account} !requiretty' to sudoers (visudo)",
        "not found": "sudo is not installed there: install it, or log in as root",
        "setuid bit": "run there as root: chown root:root /usr/bin/sudo && chmod 4755 /usr/bin/sudo",
        "nosuid": "mount the file system of sudo without nosuid",
        "no new privileges": "the login there may gain no privileges (NoNewPrivileges): lift that for sshd",
    }
    return next((remedy for sign, remedy in remedies.items() if sign in said), "")


def refuse_without_privilege(
    result: CommandResult,
    link: Link,
    lines_for: Callable[[str], Sequence[str]],
    deadline: Deadline,
    *,
    only_sudo: bool = False,
    commands: Sequence[Sequence[str]] = (),
) -> None:
    """Raise if ``result`` shows that the account may not do as root what it tried.

    Args:
        lines_for: from the account's name on the machine, the sudoers lines that would allow it; or
            NoLine.
        only_sudo: whether only a refusal by sudo itself counts, not one that the command met.
        commands: what the lines are for.

    Raises:
        PrivilegeMissing: with the lines.
    """
    refused = _SUDO_REFUSED.search(result.stderr) or (not only_sudo and _REFUSED.search(result.stderr))
    if result.ok or not refused or link.language(deadline) != "sh":
        return
    said = result.stderr.decode("utf-8", "replace").strip().splitlines()[0]
    account = link.ask("id -un", deadline=deadline).strip()
    if link.become and (
        broken := broken_sudo(said, account)
        or listing_wants_password(link, said, account, commands, deadline)
    ):
        raise PrivilegeMissing(f"sudo on the machine said '{said}': {broken}")
    try:
        remedy = f"add to its sudoers (visudo): {'; '.join(lines_for(account))}"
    except NoLine as error:
        remedy = str(error)
    if link.become:
        raise PrivilegeMissing(f"sudo on the machine said '{said}': {remedy}")
    raise PrivilegeMissing(f"the machine said '{said}': log in as root, or use --become and {remedy}")
