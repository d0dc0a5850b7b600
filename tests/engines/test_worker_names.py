"""The worker where name servers never answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.core_worker import IMAP4_WORKER, CoreWorker
from tests.machines.network import GOOD4, Network

PLUGIN = os.fsencode(Path(sys.executable).with_name("check_imap4"))
RESOLVERS = 4


@pytest.fixture
def worker(net: Network, tmp_path: Path) -> Iterator[CoreWorker]:
    options = ["--workers", "1", "--max-resolvers", str(RESOLVERS), "--socket", str(tmp_path / "status")]
    with CoreWorker(tmp_path, [*net.prefix, *IMAP4_WORKER, *options, "--core"]) as one:
        yield one


def test_hung_name_server_delays_nobody_else_and_takes_no_more_threads(worker: CoreWorker) -> None:
    threads = Path(f"/proc/{worker.registered_pid}/task")
    before = len(list(threads.iterdir()))
    # Threads that hang are not to be had again: the later jobs wait for one until their own time-out.
    hung = worker.start(*[PLUGIN + b" -H mail.silent.example -t 0.5"] * 10, timeout=3)
    others = worker.start(*[PLUGIN + b" -H " + GOOD4.encode()] * 50)
    answers = worker.answers(range(hung.start, others.stop))
    assert len(list(threads.iterdir())) - before <= RESOLVERS
    failed, late, good = answers[:RESOLVERS], answers[RESOLVERS : len(hung)], answers[len(hung) :]
    said = b"IMAP4 CRITICAL - mail.silent.example:143 name not resolved within 0.5 s [dns.timeout] | "
    assert {answer["outstd"][: len(said)] for answer in failed} == {said}
    assert {answer["error_code"] for answer in late} == {b"62"}
    assert {answer["outstd"][:11] for answer in good} == {b"IMAP4 OK - "}
    assert max(float(answer["stop"]) for answer in good) < min(float(answer["stop"]) for answer in late)
