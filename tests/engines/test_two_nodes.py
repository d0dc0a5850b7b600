"""Two Icinga 2 nodes in one zone: one count for both, also when the node that tests goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import doctor
from tests.engines import icinga
from tests.engines.situation_runs import Runs
from tests.engines.situations import found, mistakes
from tests.engines.two_nodes import NODES, SITUATION, Zone


def test_alerts_repairs_and_recoveries_are_one_sequence_over_both_nodes(situations: Runs) -> None:
    zone = situations.zone
    tests = zone.recorder.tests(zone.monitor.port)
    assert len(tests) >= len(SITUATION.results), "".join(node.log()[-2000:] for node in zone.nodes.values())
    seen = found(SITUATION, zone.monitor.port, zone.recorder)
    assert mistakes(SITUATION.expected(early=False), seen) == []


def shared(zone: Zone, node: str) -> list[tuple[bool, str]]:
    """What the doctor on a node says of the zone."""
    folder = zone.folder / node
    config = str(folder / "icinga2.conf")
    findings = doctor.examine(config, Programs(), (), defines=icinga.defines(folder))
    return [(each.ok, each.title) for each in findings if "the zone" in each.title]


def test_the_doctor_of_each_node_says_whether_it_takes_what_the_other_has_counted(
    situations: Runs, tmp_path: Path
) -> None:
    others = dict(zip(NODES, reversed(NODES), strict=True))
    for node, other in others.items():
        said = f"the zone master is shared with {other}, and accept_config is true"
        assert shared(situations.zone, node) == [(True, said)]
    # A configuration's master by default.
    zone = Zone(tmp_path / "zone", accepts=False)
    assert shared(zone, "one") == [(False, "the zone master is shared with two, and accept_config is false")]
    assert shared(zone, "two") == [(True, "the zone master is shared with one, and accept_config is true")]


@pytest.mark.parametrize("node", NODES)
def test_no_function_of_ours_fails_on_either(situations: Runs, node: str) -> None:
    folder = situations.zone.folder / node
    said = situations.zone.nodes[node].log() + (folder / "stdout").read_text()
    assert [line for line in said.splitlines() if "imap4-commands.conf(" in line] == []
