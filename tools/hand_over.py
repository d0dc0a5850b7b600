"""Puts files that were built elsewhere into a folder of the checkout: by root, as the folder's owner.

Usage: hand_over.py FOLDER FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from imap4.folders import as_owner, replace_file  # noqa: E402 - the checkout is not installed


def hand_over(folder: Path, files: list[Path]) -> None:
    """Copy ``files`` into ``folder``, which is made, and print where they are."""
    with as_owner(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        replace_file(folder / file.name, file.read_bytes(), 0o644)
        print(folder / file.name)


if __name__ == "__main__":
    hand_over(Path(sys.argv[1]).absolute(), [Path(each) for each in sys.argv[2:]])
