"""What holds for all tests."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.machines.network import Network, NoNamespaces, network

# At home every run tries new examples; in CI all runs try the same ones, so that a change is judged by
# what it changes.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "home")

# What is tested is this checkout, not a worker that happens to serve on this machine.
os.environ["IMAP4_WORKER"] = "off"

# nohup(1) and background jobs of a shell start us with these ignored; what tests start would inherit that.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    """A namespace with name servers, routes and packet loss of its own."""
    try:
        with network() as there:
            yield there
    except NoNamespaces as error:
        pytest.skip(f"this machine makes no namespaces: {error}")


THEIR_USER = 12345
"""A user without a name, who stands for the engine's where root works by hand."""


@pytest.fixture
def their_folder() -> Iterator[Path]:
    """A folder that another user than root can get to, as /etc is. (pytest's own are root's alone.)"""
    with tempfile.TemporaryDirectory(prefix="imap4-their-") as name:
        os.chmod(name, 0o755)  # noqa: S103 - nobody but root can write it
        yield Path(name)
