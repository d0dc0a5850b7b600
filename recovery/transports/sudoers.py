"""Lines of sudoers(5) that allow one account exactly what a repair needs as root, and not a byte more.

sudo joins the arguments of a command with spaces before it compares them, so that it cannot tell where one
ends; it limits neither what is read from standard input nor, with ``SETENV:``, a variable that makes the
loader run somebody's code. Where a line could not be exact for such a reason, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from imap4.deadline import Deadline
from recovery.model import Verdict
from recovery.requests import ProcessRequest
from recovery.transports.link import Link, NoLine, broken_sudo, listing_wants_password

TIMEOUT = "/usr/bin/timeout"
# Which units polkit's rules would allow cannot be asked by an account, only whether they allow all of them.
_WHO = """\
may=none
if command -v pkcheck >/dev/null; then
    action=org.freedesktop.systemd1.manage-units
    pkcheck --action-id $action --process $$ >/dev/null 2>&1 && may=yes || may=no
fi
echo "$(id -un) $(id -u) $may"
"""
# "sudo -l COMMAND" tells whether it would be allowed, and does not run it.
_MAY = """\
said=$(LC_ALL=C sudo -n -l -- "$@" 2>&1 >/dev/null) && echo yes ||
    printf '%s\\n' "${said:-sudo: not allowed: $*}" | head -n 1
"""
_INTERPRETERS = re.compile(
    r"(?:ba|da|k|mk|z|c|tc|fi)?sh|busybox|toybox|python[\d.]*|pypy[\d.]*|perl[\d.]*|ruby[\d.]*|node(?:js)?|php[\d.]*|"
    r"lua[\d.]*|tclsh[\d.]*|expect|[gmn]?awk"
)
"""Programs that run what they read."""
_RUN_OTHERS = re.compile(
    r"env|ed|ex|vim?(?:\.\w+)?|view|nano|pico|emacs|less|more|most|man|gdb|ftp|sftp|telnet|mysql|mariadb|psql|sqlite3|"
    r"su|sudo|doas|runuser|screen|tmux|script|watch|xargs|visudo|crontab|at|batch|make|gmake"
)
"""Programs that run others for whoever sits before them, or whose arguments can be cut anew to do so."""
# Every folder on the way counts; "//" ends the loop at the root.
_OPEN = """\
for path; do
    case $path in /*) ;; *) continue ;; esac
    path=$(readlink -f -- "$path") || continue
    [ -e "$path" ] || continue
    while :; do
        set -- $(stat -c '%u %A' -- "$path")
        [ "$1" = 0 ] || { echo "$path"; exit; }
        case $2 in l* | d????????[tT]) ;; ?????w???? | ????????w?) echo "$path"; exit ;; esac
        [ "$path" != / ] || break
        path=$(dirname -- "$path")
    done
done
"""


def lines_for(account: str, commands: Sequence[Sequence[str]]) -> list[str]:
    """The lines that allow ``account`` exactly ``commands`` as root, without a password."""
    return [f"{_user(account)} ALL=(root) NOPASSWD: {_escaped(command)}" for command in commands]


def line_for_process(account: str, request: ProcessRequest) -> str:
    """The line, for sudo 1.9.10 or newer, that allows exactly this command as root.

    A regular expression, because the time-out before the command is another one every time.

    Raises:
        NoLine: a line would allow more than this.
    """
    if why := _why_not(request):
        raise NoLine(
            f"no line of sudoers can allow just this, since {why}; put all of it into a program of root's on "
            "the machine, that takes no more than it needs, and let that be run"
        )
    words = re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", " ".join(request.arguments))
    words = re.sub(r"([#,:=])", r"\\\1", words)
    folder = f"CWD={_word(request.cwd)} " if request.cwd else ""
    return f"{_user(account)} ALL=(root) {folder}NOPASSWD: {TIMEOUT} ^-k 2 [0-9]+ {words}$"


def missing_privilege(
    link: Link,
    commands: Sequence[Sequence[str]],
    deadline: Deadline,
    lines: Callable[[str], Sequence[str]] | None = None,
    readable: Sequence[Sequence[str]] = (),
) -> tuple[Verdict, str]:
    """Why the account may not run ``commands`` as root, and the lines that would let it; "" where it may.
    FAILED where that is certain, NOT_PROVEN where polkit could still let it.

    It is asked what the scripts ask themselves before they begin (``may_as_root``): sudo, with ``-l``.

    Args:
        lines: from the account's name, the lines for sudoers; by default those for what is missing.
        readable: other commands that sudo should allow, of which one that only reads may be tried.
    """
    if link.language(deadline) != "sh":
        return Verdict.PROVEN, ""
    account, number, polkit = link.ask(_WHO, deadline=deadline).split()
    if number == "0" or (polkit == "yes" and not link.become):
        return Verdict.PROVEN, ""
    if not link.become:
        wanted = "; ".join(lines_for(account, commands))
        why = f"{account} is not root" + (", and polkit may allow it or not" if polkit == "no" else "")
        return (
            Verdict.NOT_PROVEN if polkit == "no" else Verdict.FAILED,
            f"{why}: log in as root, or use --become and add to its sudoers (visudo): {wanted}",
        )
    refused, said = [], ""
    for command in commands:
        answer = link.ask(_MAY, command, deadline=deadline).strip()
        if answer != "yes":
            refused.append(command)
            said = answer
    if not refused:
        return Verdict.PROVEN, ""
    others = [*commands, *readable]
    if broken := broken_sudo(said, account) or listing_wants_password(link, said, account, others, deadline):
        return Verdict.FAILED, f"sudo on the machine said '{said}': {broken}"
    try:
        found = lines(account) if lines else lines_for(account, refused)
        remedy = f"add to its sudoers (visudo): {'; '.join(found)}"
    except NoLine as error:
        remedy = str(error)
    return Verdict.FAILED, f"sudo on the machine said '{said}': {remedy}"


def refuse_open_program(link: Link, request: ProcessRequest, deadline: Deadline) -> None:
    """Pass where only root can change the program, and the script that an interpreter is given.

    Raises:
        NoLine: somebody else could put another program there, and have it run as root.
    """
    program, *arguments = request.arguments
    paths = [program, *(arguments[:1] if _INTERPRETERS.fullmatch(_name(program)) else ())]
    if found := link.ask(_OPEN, paths, deadline=deadline).strip():
        raise NoLine(
            f"no line of sudoers can allow just this, since others than root can change {found} on the "
            "machine; let root own the program and each folder on the way to it, and nobody else write there"
        )


def _why_not(request: ProcessRequest) -> str:
    program, *arguments = request.arguments
    name = _name(program)
    if request.environment:
        return "with --env (SETENV) it would allow every variable, LD_PRELOAD among them"
    if request.stdin:
        return "sudo does not limit what the command reads from standard input"
    if not program.startswith("/") or "/../" in program:
        return f"{program} is not a full path, so that the caller's PATH or folder would choose the program"
    if any(not word or re.search(r"\s", word) for word in request.arguments):
        return "sudo cannot tell where an argument with white space, or an empty one, begins and ends"
    if _RUN_OTHERS.fullmatch(name):
        return f"{name} runs other programs for whoever calls it"
    if _INTERPRETERS.fullmatch(name) and not (arguments and arguments[0].startswith("/")):
        return f"{name} runs what it is given, here not a script of a full path"
    return ""


def _name(program: str) -> str:
    return program.rpartition("/")[2]


def _escaped(command: Sequence[str]) -> str:
    # What is left of a backslash when the line was read escapes a wildcard (fnmatch(3)), so that one of a
    # unit's name ("a\\x2db.service") needs four: seen with sudo 1.9.13, which takes "ax2db" for two.
    return " ".join(_word(word.replace("\\", "\\\\")) for word in command)


def _user(account: str) -> str:
    # sudoers(5): these have a meaning in a name, or before it, unless escaped.
    return re.sub(r"([\\@!=:,()\" #%+])", r"\\\1", account)


def _word(text: str) -> str:
    # sudoers(5): these have a meaning in arguments and folders unless escaped.
    return re.sub(r"([\\,:=*?\[\]! ])", r"\\\1", text)
