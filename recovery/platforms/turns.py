"""The list of turns on a machine (:mod:`recovery.decision.turns`): how it is read there, and written.

On Unix it is a file of the account's own, in a folder of its home that nobody else can write; no right of
root is needed for it. Accounts that are to share one list share a file that an administrator made
(:data:`SHARED`), in a folder that only root can write, so that nobody can put a link there. flock(1) lets one
at a time read and write it. A list that cannot be kept ends no repair: it says why, and that is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imap4.deadline import Deadline
from recovery.decision.turns import Deed, Turn, parse
from recovery.platforms.detect import PLATFORM
from recovery.transports.link import Link

SHARED = "/var/lib/imap4-recovery"
"""A folder of root's, with the file ``turns`` that all accounts of repairs may write."""
FOLDER = ".imap4-recovery"
"""In an account's home."""
_KEPT, _MOST = 200, 400
"""Lines: when there are more than the one, the other is kept."""
_LARGEST = 1_000_000
_LINE = re.compile(r"^(platform|unkept|busy)=(.*)$", re.MULTILINE)

# Arguments: take, end or look; the turn's name; its owner; seconds; what the list says of it, or of its end;
# the numbers of the owner's repairs that are under way, with blanks around.
_SCRIPT = f"""\
{PLATFORM}
export LC_ALL=C
set -f
umask 077
mode=$1 key=$2 owner=$3 span=$4 words=$5 alive=$6
unkept() {{ echo "unkept=$*"; exit 0; }}
# Times by the age of our own process: in a container /proc/uptime may be its own, and these are the host's.
begun() {{ sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }}
hertz=$(getconf CLK_TCK 2>/dev/null || echo 100) first=$(begun 1) own=$(begun $$)
boot=$(cat /proc/sys/kernel/random/boot_id)-$first up=$((own / hertz)) now=$(date +%s)
echo "clock=$boot $up $(((own - first) / hertz)) $now"
sole() {{ # PATH USER: it is that user's, no link, and nobody else can write it
    [ ! -L "$1" ] || return 1
    user=$2
    set -- $(ls -ldn -- "$1" 2>/dev/null)
    [ "$3" = "$user" ] || return 1
    case $1 in ?????-??-*) ;; *) return 1 ;; esac
}}
file={SHARED}/turns
if [ -e $file ] || [ -L $file ]; then
    sole {SHARED} 0 || unkept "{SHARED} can be written by others than root"
    [ ! -L $file ] && [ -f $file ] || unkept "$file is no plain file"
else
    me=$(id -u) folder=$HOME/{FOLDER}
    [ -n "$HOME" ] && [ -d "$HOME" ] || unkept "the account's home folder is not there"
    sole "$HOME" "$me" || sole "$HOME" 0 || unkept "others can write the account's home folder $HOME"
    if [ ! -d "$folder" ] && [ $mode != look ]; then
        why=$(mkdir -m 700 -- "$folder" 2>&1) || [ -d "$folder" ] || unkept "$folder: ${{why##*: }}"
    fi
    [ ! -e "$folder" ] || sole "$folder" "$me" || unkept "others can write $folder"
    # By machine: a home may be on several.
    file=$folder/turns-$(cat /etc/machine-id /var/lib/dbus/machine-id 2>/dev/null |
        head -n 1 | tr -cd '[:alnum:]')
    [ ! -L "$file" ] || unkept "$file is a link"
fi
if [ $mode = look ]; then
    place=$file
    [ -f "$place" ] || place=$folder
    [ -d "$folder" ] || [ -f "$place" ] || place=$HOME
    [ -w "$place" ] || unkept "$place is not writable"
    [ -f "$file" ] || exit 0
else
    command -v flock >/dev/null || unkept "flock (package util-linux) is not there"
    why=$({{ true >>"$file"; }} 2>&1) || unkept "$file: ${{why##*: }}"
    exec 9>>"$file"
    flock -w 5 9 || unkept "$file: somebody else has held its lock for 5 s"
fi
[ "$(wc -c <"$file")" -lt {_LARGEST} ] || unkept "$file is larger than anything of ours; remove it"
write() {{
    # A disk that was full may have cut the last line.
    [ -z "$(tail -c 1 "$file")" ] || echo >&9
    # cat says why it cannot; the shell's own printf says "I/O error".
    why=$({{ printf '%s\\n' "$*" | cat >&9; }} 2>&1) || unkept "$file: ${{why##*: }}"
}}
open_turns=$(awk -v boot="$boot" -v up="$up" -v owner="$owner" -v key="$key" -v alive="$alive" '
    $1 == "begin" {{ line[$2] = $0 }}
    $1 == "end" {{ delete line[$2] }}
    END {{ for (one in line) {{
        split(line[one], word, " ")
        if (one == key) print "this", one
        else if (word[7] == owner && !index(alive, " " word[10] " ")) print "mine", one
        else if (word[3] == boot && up < word[4] + word[6]) print "busy", one
    }} }}' "$file") || unkept "$file: it cannot be read"
case $mode in
take)
    case $open_turns in *"busy "*) echo "busy=yes" ;; *"this "*) ;; *)
        # What this owner began before and did not end was interrupted: it holds the machine's lock at home.
        for one in $open_turns; do
            case $one in mine) ;; *) write "end $one $boot $up $now interrupted" ;; esac
        done
        write "begin $key $boot $up $now $span $owner $words" ;;
    esac ;;
end)
    case $open_turns in *"this "*) write "end $key $boot $up $now $words" ;; esac
    if [ "$(wc -l <"$file")" -gt {_MOST} ]; then
        kept=$(tail -n {_KEPT} "$file") && printf '%s\\n' "$kept" >"$file"
    fi ;;
esac
cat "$file"
"""


@dataclass(frozen=True)
class Taken:
    """What came of a turn that was to be taken."""

    platform: str
    """The answer of :mod:`recovery.platforms.detect`; "" on Windows."""
    deeds: Sequence[Deed] = ()
    busy: bool = False
    """Whether somebody else has the machine now; nothing was written down then."""
    unkept: str = ""
    """Why the machine keeps no list, so that nobody else will know; "" where it does."""


def take(link: Link, turn: Turn, seconds: float, *, deadline: Deadline) -> Taken:
    """Take a turn that lasts ``seconds`` at most, unless somebody else has one. May be repeated.

    Raises:
        RecoveryError: the machine was not reached. Not for a list that cannot be kept.
    """
    span, alive = str(round(seconds) + 1), f" {' '.join(turn.alive)} "
    return _ask(link, ["take", turn.key, turn.owner, span, turn.words, alive], deadline)


def look(link: Link, turn: Turn, *, deadline: Deadline) -> Taken:
    """What :func:`take` would find; writes nothing."""
    return _ask(link, ["look", turn.key, turn.owner, "0", "-", ""], deadline)


def kept(link: Link, *, deadline: Deadline) -> str:
    """Why no list of turns could be kept on the machine; "" where nothing is seen. Writes nothing.

    Raises:
        RecoveryError: the machine was not reached.
    """
    return _ask(link, ["look", "-", "-", "0", "-", ""], deadline).unkept


def end(link: Link, turn: Turn, verdict: str, *, deadline: Deadline) -> str:
    """Say that the turn has ended, and how; returns why that could not be kept.

    Raises:
        RecoveryError: the machine was not reached.
    """
    word = verdict.replace(" ", "-")
    return _ask(link, ["end", turn.key, turn.owner, "0", word, ""], deadline).unkept


def _ask(link: Link, arguments: Sequence[str], deadline: Deadline) -> Taken:
    if link.language(deadline) == "powershell":
        # Imported late: a Linux machine does not need it.
        from recovery.platforms.windows.turns import ask

        text = ask(link, arguments, deadline=deadline)
    else:
        text = link.ask(_SCRIPT, arguments, deadline=deadline)
    said = dict(_LINE.findall(text))
    unkept = said.get("unkept", "" if "clock=" in text else "it did not say which run of the machine this is")
    return Taken(said.get("platform", ""), parse(text), "busy" in said, unkept)
