"""``imap4-recovery``: argv -> one command -> exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from imap4 import VERSION
from imap4.arguments import show_examples
from imap4.children import count_exit_codes
from recovery.commands import actions, credentials, history, machines, pauses, rehearse
from recovery.commands.examples import EXAMPLES
from recovery.commands.parsing import Parser, read
from recovery.errors import RecoveryError, UsageError
from recovery.machines.connected import ConnectedMachines
from recovery.machines.interface import Machines
from recovery.signals import Signalled, internal

_ABOUT = """\
Repairs the machine behind a monitored service, and proves that it did: restarts services with what
depends on them, reboots the machine, or runs a process there, over SSH or WinRM
(Windows), with a stored credential.

A monitoring engine runs it as a notification command or event handler, and it decides whether to
act; by hand, without an event, it acts at once. The last line on standard output says what happened.
"""
_ENDING = """\
exit codes:
  0  done and proven, or skipped for the reason printed
  1  done, but not proven
  2  failed
  3  wrong options or a bad file: nothing was tried

docs/recovery.md tells how to set it up on a real network; docs/threat-model.md what it guards against.
"""


def make_parser() -> Parser:
    """The parser of all commands; each sets ``run``, a function of the options and the machines."""
    parser = Parser(prog="imap4-recovery", description=_ABOUT, epilog=_ENDING)
    parser.add_argument("--version", action="version", version=f"imap4-recovery {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for module in (actions, pauses, rehearse, machines, credentials, history):
        module.add_parser(commands)
    show_examples(parser, EXAMPLES)
    return parser


def main(argv: Sequence[str] | None = None, machines: Machines | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments, without the program's name; those of the process by default.
        machines: what touches the machines; the real thing by default.

    Returns:
        the exit code: 0 done or skipped, 1 not proven, 2 failed, 3 usage.
    """
    count_exit_codes()
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # An engine's locale may know fewer letters than a machine's messages use.
            stream.reconfigure(errors="replace")
    try:
        options = read(make_parser(), arguments)
        if machines is None:
            machines = ConnectedMachines()
        return int(options.run(options, machines))
    except UsageError as error:
        return _complain(error, 3)
    except RecoveryError as error:
        return _complain(error, 2)
    except KeyboardInterrupt:
        return _complain("ended by SIGINT", 2)
    except Signalled as error:
        return _complain(f"ended by {error}", 2)
    except BrokenPipeError:
        # The reader went away (``| head``); Python must not complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    except Exception as error:  # a traceback is no answer for a person, and may quote a secret
        return _complain(internal(error), 2)


def _complain(error: object, code: int) -> int:
    text = str(error)
    prefix = "" if text.startswith("imap4-recovery") else "imap4-recovery: "
    print(prefix + " ".join(text.split()), file=sys.stderr)
    return code
