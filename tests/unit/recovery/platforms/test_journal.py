"""Which lines of a service's journal are its last words."""

import json

import pytest

from recovery.platforms.systemd import parse_journal


def says(message: object, run: str = "new") -> str:
    return json.dumps({"_PID": "812", "_SYSTEMD_INVOCATION_ID": run, "MESSAGE": message})


def systemd(message: str, run: str = "new") -> str:
    return json.dumps({"_PID": "1", "INVOCATION_ID": run, "MESSAGE": message})


ENDS = [systemd("Main process exited"), systemd("Failed with result"), systemd("Failed to start")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([systemd("Starting"), says("cannot open the mail store"), *ENDS], ["cannot open the mail store"]),
        # The journal took the service's line for the older one, and then for the newer one.
        ([says("cannot open the mail store"), systemd("Starting"), *ENDS], ["cannot open the mail store"]),
        ([systemd("Starting"), *ENDS, says("cannot open the mail store")], ["cannot open the mail store"]),
        # What it said in an earlier run is no reason for this failure.
        (
            [says("all is well", "old"), systemd("Starting"), *ENDS],
            ["all is well", "Starting", "Main process exited", "Failed with result", "Failed to start"],
        ),
        ([says(f"line {n}") for n in range(9)], [f"line {n}" for n in range(4, 9)]),
        ([says([99, 97, 102, 195, 169, 255])], ["caf\u00e9\ufffd"]),
        ([says([99, "x", -1, 300, None])], ["c"]),
        ([says("one\n\ntwo")], ["one", "two"]),
        ([says(None), "not JSON", "[1]", ""], []),
        ([], []),
    ],
)
def test_last_words(lines: list[str], words: list[str]) -> None:
    assert parse_journal("\n".join(lines)) == words
