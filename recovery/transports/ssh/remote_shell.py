"""What runs on a Unix machine at the other end of a link, and how its report is read. Pure: text and bytes.

The login shell (whatever it is) only starts ``/bin/sh``, which reads its program from standard input: no
argument is ever quoted for a shell we do not know, and none shows in the list of processes. That program,
the *guard*, runs the script in a session of its own, ends the whole process group at the time-out whether
or not we are still there, and at last says how the script ended. What it says carries a random word, so
that nothing the script prints can be taken for it.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recovery.errors import UsageError
from recovery.model import Ended

BEGIN = "# imap4-recovery begins"
_END = "# imap4-recovery ends"
_READ_ELSEWHERE = "a start file of the account, such as .bashrc, reads what is meant for the command"
_GUARD = """\
# The login shell became us, so that our process is as old as the login: what its start files took is gone
# from our time, and where all of it is, nobody waits for us any more. In ticks, hundredths of a second
# (proc_pid_stat(5)); a process that is begun now tells what time it is.
born() { read -r stat <"/proc/$1/stat" && set -- ${stat##*) } && shift 19 && echo "$1" || echo 0; }
age=$(($(born self) - $(born $$)))
[ $age -ge 0 ] || age=0
[ $age -lt $limit ] || exit 124
limit=$((limit - age))
exec 3<&0 5>&1 6>&2 </dev/null
printf '%s\\n' "$nonce"
printf '%s\\n' "$nonce" >&2
setsid=$(command -v setsid) || {
    printf '\\n%s [0] lacking setsid (package util-linux)\\n' "$nonce" >&2
    exit 1
}
# Hundredths of a second since the machine started: no clock change moves it.
now() { read -r up idle </proc/uptime; up=${up%.*}${up#*.}; }
report=$(
    exec 2>&1
    start_it <&3 >&5 2>&6 3<&- 5>&- 6>&- &
    child=$!
    exec 3<&-
    # When the link is gone, the guard stays until the script has ended.
    trap '' HUP PIPE
    now; begin=$up; end=$((begin + limit)); late= naps=0
    while :; do
        naps=$((naps + 1))
        if [ $naps -lt 20 ]; then sleep 0.01; elif [ $naps -lt 60 ]; then sleep 0.05; else sleep 0.25; fi
        # "jobs" tells a signal from an exit status above 128, but only once, then it knows no such job.
        # A pipe or a substitution around it would leave it nothing to tell. (Why not "kill -s 0 $child":
        # it fails for a process of root that is still there.)
        there=yes
        jobs %1 2>/dev/null && jobs %1 2>/dev/null || there=
        now
        if [ -z "$late" ]; then
            [ "$there" ] || break
            [ $up -lt $end ] || { late=term; kill -s TERM -- -$child 2>/dev/null; naps=0; }
        else
            # The group may outlive its leader.
            [ "$there" ] || kill -s 0 -- -$child 2>/dev/null || break
            if [ $up -ge $((end + grace)) ] && [ $late = term ]; then
                late=kill; kill -s KILL -- -$child 2>/dev/null
            fi
            # Processes of root are ended by their own time-out; do not wait for ever for it.
            [ $up -lt $((end + 2 * grace + 100)) ] || { late=stays; break; }
        fi
    done
    now; echo "late=${late:-no} hundredths=$((up - begin))"
)
report=$(printf '%s\\n' "$report" | grep -v Running | tr '\\n' ' ')
printf '\\n%s %s\\n' "$nonce" "$report" >&6
"""

# Scripts call as_root for what only root may do, so that sudo can be allowed exactly those commands, and
# may_as_root before they begin, so that nothing is left half done.
_PRELUDE = """\
become={become} seconds={seconds}
as_root() {{
    if [ $become = 1 ] && [ "$(id -u)" != 0 ]; then LC_ALL=C sudo -n -- "$@"; else "$@"; fi
}}
may_as_root() {{
    [ $become = 1 ] && [ "$(id -u)" != 0 ] || return 0
    LC_ALL=C sudo -n -l -- "$@" >/dev/null || {{ echo "sudo: not allowed: $*" >&2; return 1; }}
}}
"""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNALS = {text: s for s in signal.valid_signals() if (text := signal.strsignal(s))}
_STATE = re.compile(r"(?:\[\d+\]\s*[+-]?\s*(.*?)(?:\s{2,}.*)?)?\s*late=(\w+) hundredths=(\d+)")


@dataclass(frozen=True)
class Report:
    """What the guard said at the end."""

    ended: Ended
    exit_status: int | None
    signal: int | None
    seconds: float
    unstoppable: bool = False
    """Whether processes were still there after the time-out, because they are another account's."""


def command(program: bytes) -> str:
    """The command for the login shell: start ``/bin/sh`` on the first ``len(program)`` bytes of its input.

    ``dd bs=1`` reads not one byte more, so that the rest stays for the script. A part of it, because a start
    file of the account has read the other, is not run.
    """
    whole = f'"{BEGIN}"*"{_END}"'
    inner = (
        f'p=$(dd bs=1 count={len(program)} 2>/dev/null); case $p in {whole}) eval "$p";; '
        f'*) echo "{_READ_ELSEWHERE}" >&2; exit 125;; esac'
    )
    # No login shell reads anything of its own into this between single quotes.
    return f"exec env LC_ALL= LC_MESSAGES=C /bin/sh -c '{inner}'"


def program(
    script: str,
    arguments: Sequence[str],
    *,
    nonce: str,
    seconds: float,
    grace: float,
    become: bool,
    environment: Mapping[str, str],
) -> bytes:
    """The guard around ``script``, as the text that ``command`` reads.

    Args:
        seconds: after how long the process group gets SIGTERM.
        grace: how many seconds later what is left of it gets SIGKILL.

    Raises:
        UsageError: a NUL in an argument, or an environment variable's name that is none.
    """
    for name, value in environment.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"environment variable {name!r}: a name is letters, digits and _, not first a digit"
            )
        if "\0" in value:
            raise UsageError(f"environment variable {name}: its value holds a NUL character")
    if any("\0" in argument for argument in arguments):
        raise UsageError("an argument holds a NUL character, which no process can be given")
    exports = "".join(f"    export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    full_script = _PRELUDE.format(become=int(become), seconds=max(1, round(seconds))) + script
    lines = [
        BEGIN,
        f"nonce={nonce} limit={round(seconds * 100)} grace={round(grace * 100)}",
        f"script={shlex.quote(full_script)}",
        "set -- " + " ".join(map(shlex.quote, arguments)),
        f'start_it() {{\n{exports}    exec "$setsid" /bin/sh -c "$script" imap4-recovery "$@"\n}}',
        # The function is given the arguments where it is called.
        _GUARD.replace("start_it <&3", 'start_it "$@" <&3') + _END,
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def started(nonce: str, stdout: bytes) -> int | None:
    """Where the script's own output begins in ``stdout``; None while the guard has not begun.

    Whatever the login shell's start-up files print comes before it.
    """
    mark = f"{nonce}\n".encode()
    at = stdout.find(mark)
    return None if at < 0 else at + len(mark)


def parse_report(nonce: str, tail: bytes) -> Report | None:
    """The guard's last word in ``tail``, the end of the error stream; None if it is not there."""
    match = re.search(rb"\n" + nonce.encode() + rb" ([^\n]*)\n", tail)
    if match is None:
        return None
    text = match[1].decode("ascii", "replace")
    if text.startswith("[0] lacking"):
        raise UsageError(f"the machine lacks {text.removeprefix('[0] lacking ')}, which a recovery needs")
    state = _STATE.match(text)
    if state is None:
        return None
    what, late, seconds = (state[1] or "").strip(), state[2], int(state[3]) / 100
    if late != "no":
        return Report(Ended.TIMED_OUT, None, None, seconds, unstoppable=late == "stays")
    exited = re.fullmatch(r"Done(?:\((\d+)\))?|Exit (\d+)", what)
    if exited:
        return Report(Ended.EXITED, int(exited[1] or exited[2] or 0), None, seconds)
    number = _SIGNALS.get(re.sub(r"\s*\(core dumped\)", "", what))
    return Report(Ended.SIGNALLED, None, int(number) if number else None, seconds)
