"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.machines.network import Network, NoNamespaces, network

# At home every run tries new examples; in CI all runs try the same ones, so that a change is judged by
# what it changes.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "home")

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
