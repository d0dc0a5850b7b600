"""guard.ps1, which starts what is left down when all others have died; and that we would see it do less."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machines.winrm import lanes

DRIVER = Path(__file__).parent / "standins" / "guard_driver.ps1"
GUARD = (lanes.SCRIPTS / "guard.ps1").read_text("utf-8")


@dataclass(frozen=True)
class Case:
    """Services, in the order of starting, with what a start of each does; and what must come of it."""

    services: Mapping[str, str]
    log: Sequence[str]
    parent: bool = False
    """Whether the process that it waits for lives for another second."""
    seconds: int = 120
    """How long it tries."""

    def as_dict(self, text: str) -> dict[str, object]:
        services = [[name, does] for name, does in self.services.items()]
        return {"text": text, "services": services, "parent": self.parent, "seconds": self.seconds}


CASES = {
    "in order, each when the one before it runs": Case(
        {"ground": "slow", "upper": "runs"}, ["start ground", "ground runs", "start upper", "upper runs"]
    ),
    "what ends at once is not started for ever": Case(
        {"bad": "ends", "good": "runs"}, [*["start bad"] * 5, "start good", "good runs"]
    ),
    "what is no longer there holds up nobody": Case(
        {"gone": "gone", "good": "runs"}, ["start good", "good runs"]
    ),
    "what cannot be started yet is tried again": Case(
        {"late": "refused once"}, ["start late", "start late", "late runs"]
    ),
    "what runs is left alone, at once": Case({"well": "well"}, []),
    "it ends by itself": Case({"stuck": "stuck"}, ["start stuck", "ended by its time"], seconds=1),
    "nothing while its parent lives": Case({"good": "runs"}, ["start good", "good runs"], parent=True),
}
MUTANTS = [
    ("$service.Start()", "", "in order, each when the one before it runs"),
    ("            break\n        } catch", "        } catch", "in order, each when the one before it runs"),
    ("-gt 5)", "-gt 99)", "what ends at once is not started for ever"),
    ("{ $left--; continue }", "{ break }", "what ends at once is not started for ever"),
    ("if ($null -eq $service) { continue }", "", "what is no longer there holds up nobody"),
    ("catch { break }", "catch { throw }", "what cannot be started yet is tried again"),
    ("    if ($left -eq 0) { break }\n", "", "what runs is left alone, at once"),
    ("if ($service.Status -eq 'Running') { continue }", "", "what runs is left alone, at once"),
    ("while ($watch.Elapsed.TotalSeconds -lt $settings.seconds)", "while ($true)", "it ends by itself"),
    ("-not $parent.WaitForExit(1000) -and", "$false -and", "nothing while its parent lives"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """What came of all cases, then of all mutants, in one PowerShell."""
    pwsh = lanes.needed("linux")
    asked = [case.as_dict(GUARD) for case in CASES.values()]
    for old, new, name in MUTANTS:
        assert GUARD.count(old) == 1, old
        asked.append(CASES[name].as_dict(GUARD.replace(old, new)))
    file = tmp_path_factory.mktemp("guard") / "cases.json"
    file.write_text(json.dumps(asked))
    done = subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-File", DRIVER, file],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers: list[list[str]] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("name", CASES)
def test_what_was_left_down_is_started(told: list[list[str]], name: str) -> None:
    assert told[list(CASES).index(name)] == CASES[name].log


@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_a_guard_that_does_less_would_be_seen(told: list[list[str]], number: int) -> None:
    assert told[len(CASES) + number] != CASES[MUTANTS[number][2]].log
