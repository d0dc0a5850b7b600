"""The worker's loop: which tasks run another function when theirs has ended."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from greenlet import getcurrent

from imap4.worker.loop.hub import FOREVER, Hub
from imap4.worker.loop.sockets import network
from imap4.worker.loop.threads import Pool


@pytest.fixture
def hub() -> Hub:
    return Hub()


def runs_another(hub: Hub, first: Callable[[], object]) -> bool:
    """Whether a second function runs in the task that ran ``first``."""
    tasks = []

    def one() -> None:
        tasks.append(getcurrent())
        tasks[0].reusable = True
        first()
        hub.stop()

    hub.spawn(one)
    hub.run()
    hub.spawn(lambda: tasks.append(getcurrent()))
    return tasks[0] is tasks[1]


def test_task_that_nobody_knows_runs_another_function(hub: Hub) -> None:
    assert runs_another(hub, lambda: None)


def test_task_that_was_woken_by_its_time_runs_another_function(hub: Hub) -> None:
    assert runs_another(hub, lambda: hub.pause(0.0))


def test_task_that_waited_for_a_thread_runs_no_other(hub: Hub) -> None:
    pool = Pool("test", 1, hub.post)
    assert not runs_another(hub, lambda: pool.run(lambda: None, hub))


def test_task_that_waited_for_others_runs_no_other(hub: Hub) -> None:
    surroundings = network(hub, Pool("test", 1, hub.post))
    assert not runs_another(hub, lambda: surroundings.each(str, [1, 2]))


def test_function_finds_nothing_of_the_one_before(hub: Hub) -> None:
    """Its time is its own, and what the first has left open is closed."""
    seen: list[tuple[object, ...]] = []

    def first() -> None:
        task = getcurrent()
        task.reusable = True
        left = surroundings.socket(socket.AF_INET, socket.SOCK_STREAM)
        seen.append((task, left))
        hub.pause(0.0)

    def second() -> None:
        task = getcurrent()
        seen.append((task, task.kill_at, set(task.sockets), task.reusable))
        hub.stop()

    surroundings = network(hub, Pool("test", 1, hub.post))
    hub.spawn(first, kill_at=1e9)
    hub.post(lambda: hub.post(lambda: hub.spawn(second)))
    hub.run()
    (task, left), after = seen
    assert after == (task, FOREVER, set(), False)
    assert isinstance(left, socket.socket)
    assert left.fileno() == -1
