"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# At home every run tries new examples; in CI all runs try the same ones, so that a change is judged by
# what it changes.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "home")
