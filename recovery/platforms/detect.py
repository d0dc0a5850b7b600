"""Which kind of machine is at the other end of a link."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.errors import ConnectFailed
from recovery.platforms import Platform
from recovery.platforms.systemd import Systemd
from recovery.platforms.sysv import SysV
from recovery.transports.link import Link

# sd_booted(3): the folder is there exactly where systemd is the running init.
PLATFORM = """\
if [ -d /run/systemd/system ]; then echo platform=systemd
elif [ -d /etc/init.d ] || [ -d /etc/rc.d/init.d ]; then echo platform=sysv
else echo "platform=$(uname -s)"
fi
"""


def detect(link: Link, *, deadline: Deadline) -> Platform:
    """The platform of the machine.

    Raises:
        ConnectFailed: the machine is of a kind that is not known here, or was not reached.
    """
    if link.language(deadline) == "powershell":
        # Imported late: a Linux machine does not need it.
        from recovery.platforms.windows import Windows

        return Windows()
    return named(link.ask(PLATFORM, deadline=deadline).strip().removeprefix("platform="))


def named(answer: str) -> Platform:
    """The platform that :data:`PLATFORM` told.

    Raises:
        ConnectFailed: it is none that is known here.
    """
    if answer == "systemd":
        return Systemd()
    if answer == "sysv":
        return SysV()
    raise ConnectFailed(
        f"the machine has neither systemd nor System V init scripts ({answer or 'no answer'})"
    )
