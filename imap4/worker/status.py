"""``imap4-worker status``: what a running supervisor knows, for people or as JSON."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any

from imap4 import folders
from imap4.worker.statistics import percentile

_PATIENCE = 5.0
_LEAST_SILENCE = 60.0
_LONGEST_SILENCE = 3600.0
"""Seconds without a job that are no reason to doubt the registration, at least and at most."""


def listen(path: str, backlog: int = 8) -> socket.socket:
    """A socket of ours, as :func:`show` asks one; what an earlier supervisor left there goes.

    Only its user, and root, can connect to it.

    Raises:
        OSError: it cannot be made, or something else than a socket is there.
    """
    # Root in another user's folder has no more rights than that user, whatever links are there.
    with folders.as_owner(Path(path).parent):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(errno.EEXIST, "something else than a socket is there")
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind(path)
            os.chmod(path, 0o600)
            sock.listen(backlog)
        except OSError:
            sock.close()
            raise
        return sock


def show(path: str, as_json: bool) -> int:
    """Ask and print.

    Returns:
        0; 1 where nobody answers; 2 where no worker is registered with the core, or where those that are get
        no jobs although some are due; without a core, where programs are not served either.
    """
    try:
        state = _ask(path)
        earlier, seconds = state, 0.0
        if not as_json:
            time.sleep(1.0)  # the rate is of this second
            state, seconds = _ask(path), 1.0
    except (OSError, ValueError) as error:
        print(f"imap4-worker: nobody answers at {path}: {error}", file=sys.stderr)
        print("Is it running, and was it given the same --socket?", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(state, indent=2))
    else:
        print("\n".join(_lines(state, earlier, seconds)))
    if not state["core"]:
        return 0 if state["serve"] and any(worker["pid"] for worker in state["workers"]) else 2
    return 0 if state["total"].get("connected") and not overdue(state["total"], time.time()) else 2


def _ask(path: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_PATIENCE)
        sock.connect(path)
        data = b""
        while part := sock.recv(65536):
            data += part
    state: dict[str, Any] = json.loads(data)
    return state


def overdue(total: dict[str, Any], now: float) -> bool:
    """Whether a core that has taken the registration hands out no jobs, although some are due.

    Due is one after twice the longest time that there was between two; before the second one, after an hour.
    """
    since: float = now - max(total["last_job"], total["last_registration"])
    gap: float = total["longest_gap"]
    return since > (max(_LEAST_SILENCE, 2 * gap) if gap else _LONGEST_SILENCE)


def _since(moment: float, now: float) -> str:
    if not moment:
        return "never"
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    return f"{clock}, {now - moment:.0f} s ago"


def _lines(state: dict[str, Any], earlier: dict[str, Any], seconds: float) -> list[str]:
    total = state["total"]
    rate = (total["jobs"] - earlier["total"]["jobs"]) / seconds
    lines = [f"core      {state['core']}, {total.get('connected', 0)} of {len(state['workers'])} registered"]
    if not state["core"]:
        lines = ["core      none"]
    for worker in state["workers"]:
        lines.append(
            f"worker    pid {worker['pid']}, up {worker['age']:.0f} s, started {worker['starts']} times, "
            f"{worker['figures'].get('jobs', 0)} jobs"
        )
    lines.append(
        f"jobs      {total['jobs']} done or under way, {rate:.0f}/s, {total.get('running', 0)} running, "
        f"{total.get('waiting', 0)} waiting"
    )
    lines.append(
        f"how       {total['in_process']} in process, {total['programs']} as programs, "
        f"{total['handled']} handlers, {total['timed_out']} timed out, {total['refused']} refused, "
        f"{total['taken_over']} taken over"
    )
    where = state["serve"] or "no socket"
    lines.append(
        f"programs  {total['served']} served at {where}, {total['declined']} left to them{_why(total)}"
    )
    lines.append("latency   " + ", ".join(_latency(total["latencies"], share) for share in (0.5, 0.95, 0.99)))
    threads = (f"{total.get(f'threads_{name}', 0)} {name}" for name in ("resolver", "files", "program"))
    lines.append("threads   " + ", ".join(threads))
    lines.append("states    {} OK, {} WARNING, {} CRITICAL, {} UNKNOWN".format(*total["states"]))
    now = time.time()
    late = overdue(total, now)
    why = (
        "; more are due: restart the core; do its commands name the plugin (docs/worker.md)?" if late else ""
    )
    if state["core"]:
        lines.insert(1, f"last job  {_since(total['last_job'], now)}{why}")
    causes = sorted(total["causes"].items(), key=lambda item: -item[1])
    lines.append("failures  " + (", ".join(f"{cause} {count}" for cause, count in causes) or "none"))
    return lines


def _why(total: dict[str, Any]) -> str:
    reasons = sorted(total["reasons"].items(), key=lambda item: -item[1])
    return f" ({', '.join(f'{why} {count}' for why, count in reasons)})" if reasons else ""


def _latency(latencies: list[int], share: float) -> str:
    time_ = percentile(latencies, share)
    return f"p{share * 100:g} " + ("-" if time_ is None else f"<= {time_ * 1000:.1f} ms")
