"""Keeps the workers alive: starts them, watches their heartbeats, ends those that stall, starts again."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from imap4.folders import UntrustedFolder
from imap4.worker import serving, status, systemd
from imap4.worker.journal import UNSURE, Journal
from imap4.worker.pulse import Pulse
from imap4.worker.settings import Settings
from imap4.worker.statistics import total

_LOOK = 0.25
"""Seconds between two looks at the heartbeats."""

_SETTLED = 1.0
"""Seconds after which a worker has proven that it can live."""

_PATIENCE = 3
"""Early deaths in a row before there are pauses between them."""

_BACKOFF_MAX = 10.0

_STARVED = 4
"""How many times as long a worker may be silent that wants to run, but may not."""

_LOOKS = 3
"""Looks, one after another, at which a worker must stand still. Where the whole machine did, or we did, the
first one says nothing: the worker has had no more time than we have."""

_DYING = 3.0


def say(text: str) -> None:
    """Log a line."""
    print(f"imap4-worker[{os.getpid()}]: {text}", file=sys.stderr, flush=True)


class _Worker:
    """One worker's place, whichever process fills it at present."""

    def __init__(self, registrations: int) -> None:
        self.pulse = Pulse()
        self.journals = [Journal() for _ in range(registrations)]
        self.held: list[int | None] = [None] * registrations
        """Our own descriptors of the worker's connections to the core, for its successor."""
        self.pid = 0
        self.pidfd = -1
        self.control: socket.socket | None = None
        self.started = 0.0
        self.start_at = 0.0
        self.early = 0
        self.starts = 0
        self.doubts = 0
        """Looks at which it stood still, since it last did not."""
        self.doubted = 0.0
        """When the last of them was."""

    def release(self, number: int) -> None:
        """Close a connection to the core on our side."""
        held = self.held[number]
        if held is not None:
            os.close(held)
            self.held[number] = None

    def listen(self) -> None:
        """Hear what the worker has said about its connections: a number, and what is to be held."""
        while self.control is not None:
            try:
                word, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
            except OSError:
                return
            if not word:
                return
            self.release(word[0])
            if descriptors:
                self.held[word[0]] = descriptors[0]
                os.set_inheritable(descriptors[0], False)


class Supervisor:
    """The parent process. It does nothing that could block, so that it is always there to watch."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers = [_Worker(len(settings.names)) for _ in range(settings.workers)]
        self._past: list[dict[str, Any]] = []
        self._status: socket.socket | None = None
        self._checks: socket.socket | None = None
        """Where programs hand their checks over: the workers take them."""
        self._checks_at = 0
        self._signals, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping: float | None = None

    def run(self) -> int:
        """Supervise until SIGTERM, SIGINT or SIGHUP; the unit sends the last, to all processes.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._bell)
        self._listen()
        self._serve()
        gc.collect()
        told = 0.0
        while self._stopping is None or any(worker.pid for worker in self._workers):
            for worker in self._workers:
                self._look_after(worker)
            if time.monotonic() - told >= 1.0:
                told = time.monotonic()
                systemd.send(self._line(), ready=True)
            self._wait()
        systemd.send("stopped", stopping=True)
        return 0

    def _wait(self) -> None:
        poller = select.poll()
        handlers: dict[int, Any] = {self._signals: self._on_signal}
        if self._status is not None:
            handlers[self._status.fileno()] = self._answer
        for worker in self._workers:
            if worker.pid:
                handlers[worker.pidfd] = _nothing  # the look at the workers comes next anyway
            if worker.control is not None:
                handlers[worker.control.fileno()] = worker.listen
        for descriptor in handlers:
            poller.register(descriptor, select.POLLIN)
        for descriptor, _ in poller.poll(_LOOK * 1000):
            handlers[descriptor]()

    def _on_signal(self) -> None:
        os.read(self._signals, 64)
        if self._stopping is None:
            self._stopping = time.monotonic()
            say("stopping: answering what is under way")
            systemd.send("stopping", stopping=True)
            self._serve_no_more()
            for worker in self._workers:
                if worker.pid:
                    os.kill(worker.pid, signal.SIGTERM)

    def _look_after(self, worker: _Worker) -> None:
        now = time.monotonic()
        if not worker.pid:
            if self._stopping is None and now >= worker.start_at:
                self._start(worker)
            return
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid:
            self._bury(worker, os.waitstatus_to_exitcode(status))
        elif self._stalls(worker):
            say(f"worker {worker.pid} has stood still for {worker.pulse.silence:.1f} s: ending it")
            os.kill(worker.pid, signal.SIGKILL)
        elif self._stopping is not None and now > self._stopping + self._settings.grace + _DYING:
            os.kill(worker.pid, signal.SIGKILL)

    def _stalls(self, worker: _Worker) -> bool:
        """Whether a worker stands still, which is not the same as having to wait for the processor."""
        silence, now = worker.pulse.silence, time.monotonic()
        if silence <= self._settings.stall:
            worker.doubts = 0
            return False
        if now - silence > worker.doubted:
            worker.doubts = 0  # it has lived since: this is another pause, and not the same again
        if now - worker.doubted >= _LOOK:
            worker.doubts, worker.doubted = worker.doubts + 1, now
        if worker.doubts < _LOOKS:
            return False
        try:
            with open(f"/proc/{worker.pid}/stat") as file:
                runnable = file.read().rpartition(")")[2].split()[0] == "R"
        except OSError:
            runnable = False
        return not runnable or silence > _STARVED * self._settings.stall

    def _bury(self, worker: _Worker, code: int) -> None:
        """A worker has ended; decide about its connection, and when the next one starts."""
        worker.listen()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        say(f"worker {worker.pid} {how}")
        os.close(worker.pidfd)
        if worker.control is not None:
            worker.control.close()
        figures = worker.pulse.published()
        self._past = [total([*self._past, _lasting(figures)])]
        worker.pulse.publish({})
        worker.pid, worker.pidfd, worker.control = 0, -1, None
        lived = time.monotonic() - worker.started
        worker.early = worker.early + 1 if lived < _SETTLED else 0
        pause = min(0.25 * 2 ** (worker.early - _PATIENCE), _BACKOFF_MAX) if worker.early > _PATIENCE else 0.0
        worker.start_at = time.monotonic() + pause
        for number, journal in enumerate(worker.journals):
            unsure = journal.state == UNSURE
            if worker.held[number] is not None and (unsure or pause or self._stopping is not None):
                # Nobody knows where to go on, or nobody would read what the core writes, and that would
                # make the core stand still.
                say(f"its connection to the core for {self._settings.names[number]} is given up")
                worker.release(number)

    def _start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)  # recv_fds itself passes no flags on
        worker.pulse.beat()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            ours.close()
            self._become(worker, theirs)
        theirs.close()
        worker.pid, worker.control = pid, ours
        worker.pidfd = os.pidfd_open(pid)
        worker.started = time.monotonic()
        worker.starts += 1
        worker.doubts = 0

    def _become(self, worker: _Worker, control: socket.socket) -> None:
        """In the child: be the worker. Never returns."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for descriptor in (self._signals, self._bell):
                os.close(descriptor)
            if self._status is not None:
                self._status.close()
            for other in self._workers:
                if other is not worker:
                    for number in range(len(other.held)):
                        other.release(number)
                    if other.control is not None:
                        other.control.close()
                    if other.pidfd >= 0:
                        os.close(other.pidfd)
            from imap4.worker.process import run

            code = run(self._settings, worker.pulse, worker.journals, worker.held, control, self._checks)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _listen(self) -> None:
        """Open the socket for ``imap4-worker status``; without it, all else goes on."""
        path = self._settings.socket
        if path is None:
            return
        try:
            self._status = status.listen(path)
        except OSError as error:
            say(f"imap4-worker status will not work: {path}: {error.strerror}")

    def _serve(self) -> None:
        """Open the socket for checks that are handed over; without it, all else goes on."""
        path = self._settings.serve
        if path is None:
            return
        try:
            self._checks = serving.listen(path)
            self._checks_at = os.stat(path).st_ino
        except (OSError, UntrustedFolder) as error:
            why = getattr(error, "strerror", None) or error
            say(f"check_imap4 will not hand its checks over: {path}: {why}")

    def _serve_no_more(self) -> None:
        """Let programs see that nobody serves any more: they do it themselves, at once."""
        if self._checks is not None:
            assert self._settings.serve is not None
            self._checks.close()
            self._checks = None
            with contextlib.suppress(OSError):
                # Another supervisor's may be there by now.
                if os.stat(self._settings.serve).st_ino == self._checks_at:
                    os.unlink(self._settings.serve)

    def _answer(self) -> None:
        """Tell one that asks for the status."""
        assert self._status is not None
        with contextlib.suppress(OSError):
            asker, _ = self._status.accept()
            with asker:
                asker.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
                asker.send(json.dumps(self._state()).encode(), socket.MSG_DONTWAIT)

    def _state(self) -> dict[str, Any]:
        present = [worker.pulse.published() for worker in self._workers]
        return {
            "core": self._settings.core,
            "serve": self._settings.serve if self._checks is not None else None,
            "pid": os.getpid(),
            "workers": [
                {
                    "pid": worker.pid,
                    "starts": worker.starts,
                    "age": time.monotonic() - worker.started if worker.pid else 0.0,
                    "silence": worker.pulse.silence,
                    "figures": figures,
                }
                for worker, figures in zip(self._workers, present, strict=True)
            ],
            "total": total([*self._past, *present]),
        }

    def _line(self) -> str:
        """One line for systemctl status."""
        figures = total([*self._past, *(worker.pulse.published() for worker in self._workers)])
        alive = sum(bool(worker.pid) for worker in self._workers)
        connected = figures.get("connected", 0)
        core = f", {connected} registered, {figures['jobs']} jobs done" if self._settings.core else ""
        return f"{alive} workers{core}, {figures['served']} checks of programs done"


def _lasting(figures: dict[str, Any]) -> dict[str, Any]:
    """What of a dead worker's figures still counts."""
    passing = ("running", "waiting", "connected")
    return {
        name: value
        for name, value in figures.items()
        if name not in passing and not name.startswith("threads_")
    }


def _nothing() -> None:
    pass
