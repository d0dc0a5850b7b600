"""A sweep against scripted servers: verdicts, delays, alerts, endings, deliveries that do not get through."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from imap4.check.record import FIELDS
from imap4.monitor.definition.checks import Bad
from imap4.monitor.definition.reader import load
from imap4.monitor.definition.values import options as allowed_options
from imap4.monitor.engines.command_lines import Programs, check_arguments, recorded_arguments
from tests.engines.nagios import wait_until
from tests.engines.servers import BYE, OK, Scripted
from tests.engines.sweeping import FAST, Sweeping, definition, monitor, objects, sweep, without_times
from tests.machines.cases import CASES, PASSWORD
from tests.machines.scripted import Peer, ScriptedServer, closed_port, good

PLUGIN = str(Path(sys.executable).with_name("check_imap4"))
F_SETPIPE_SZ = 1031


def silent(peer: Peer) -> None:
    peer.wait()


def _allowed(options: tuple[str, ...]) -> bool:
    try:
        allowed_options(list(options))
    except Bad:
        return False
    return True


def _by_plugin(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode, without_times(done.stdout.decode("utf-8", "replace"))


def _whole(found: dict[str, Any]) -> tuple[int, str]:
    """What the plugin would have printed."""
    text = found["output"] + (f" | {found['perfdata']}" if found["perfdata"] else "") + "\n"
    text += f"{found['long_output']}\n" if found["long_output"] else ""
    return found["exit_code"], without_times(text)


def test_every_verdict_is_the_plugins(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    # Every third will do: test_same_verdicts has all of them through the same dispatcher.
    cases = [case for case in CASES if _allowed(case.options)][::3]
    assert len(cases) >= 20
    with contextlib.ExitStack() as stack:
        tables = []
        for number, case in enumerate(cases):
            server = stack.enter_context(ScriptedServer(case.script))
            options = [str(password) if each == "PASSWORD_FILE" else each for each in case.options]
            tables.append(monitor(f"{number}", server.port, options=[*options, "-v"]))
        server = stack.enter_context(ScriptedServer(good))
        # The first is run as a program: its pattern has a repeat.
        for number, options in enumerate((["-e", "I.*4 r"], ["--name", "a b\\'\"$x;"])):
            tables.append(monitor(f"more {number}", server.port, address="localhost", options=options))
        quiet = stack.enter_context(ScriptedServer(silent))
        tables.append(monitor("silent", quiet.port, test_duration=1))
        path = definition(tmp_path, tables)
        done = sweep(path, "--once", "--json")
        monitors = load(path).monitors
        commands = [check_arguments(each, Programs(check=PLUGIN)) for each in monitors]
        with ThreadPoolExecutor(8) as threads:
            there = list(threads.map(_by_plugin, commands))
    here = {found["monitor"]: _whole(found) for found in objects(done.stdout)}
    assert here == {each.name: said for each, said in zip(monitors, there, strict=True)}
    assert done.returncode == 2


def test_alerts_come_on_the_monitors_own_delays(tmp_path: Path) -> None:
    server = Scripted([BYE, BYE, OK])
    path = definition(tmp_path, [monitor("Mail", server.port)], "failures_per_alert = 2\nmaximum_alerts = 1")
    delays = "{ up = 9, warn = 1, down = 5, lost = 1 }"
    Path(path).write_text(Path(path).read_text().replace(FAST, delays))
    with Sweeping(path, "--json") as running:
        found = [running.next() for _ in range(3)]
        code, rest, errors = running.end()
    server.close()
    names = ("state", "failures", "alert", "recovery", "next_delay")
    assert [tuple(each[name] for name in names) for each in found] == [
        ("Warn", 1, None, False, 1),
        ("Down", 2, 1, False, 1),  # after the last alert, the delay is Lost's
        ("Up", 0, None, True, 9),
    ]
    for earlier, later in itertools.pairwise(found):
        assert later["time"] - earlier["time"] >= earlier["next_delay"]
    assert (code, rest) == (0, "")
    assert errors == "imap4-worker sweep: 3 tests of 1 monitor: 1 OK\n"


def test_once_tests_each_enabled_monitor_and_exits_with_the_worst(tmp_path: Path) -> None:
    with ScriptedServer(good) as server, closed_port() as port:
        path = definition(
            tmp_path,
            [
                monitor("Good", server.port),
                monitor("Refused", port),
                monitor("Off", port, enabled=False),
                monitor("Unknown", server.port, options=["--source", "192.0.2.1"]),
            ],
        )
        done = sweep(path, "--once")
        assert done.returncode == 2
        lines = sorted(line.split(" ", 1)[1] for line in done.stdout.splitlines())
        assert lines == [
            f"Warn Refused: IMAP4 CRITICAL - 127.0.0.1:{port} connection refused [connect.refused]",
            "Warn Unknown: IMAP4 UNKNOWN - argument --source: cannot connect from 192.0.2.1: "
            "cannot assign requested address",
        ]
        assert done.stderr == "imap4-worker sweep: 3 tests of 3 monitors: 1 OK, 1 CRITICAL, 1 UNKNOWN\n"
        assert sweep(path, "--once", "--monitor", "Unknown").returncode == 3
        assert sweep(path, "--once", "--monitor", "Good").returncode == 0


def test_a_signal_lets_the_tests_under_way_end(tmp_path: Path) -> None:
    with ScriptedServer(silent) as server:
        path = definition(tmp_path, [monitor("Silent", server.port, test_duration=1)])
        with Sweeping(path, "--json") as running:
            wait_until(lambda: server.connections)
            code, output, errors = running.end(signal.SIGINT)
    [found] = objects(output)
    assert found["output"].endswith("no greeting within 1 s [greeting.timeout]")
    assert (code, errors) == (0, "imap4-worker sweep: 1 test of 1 monitor: 1 CRITICAL\n")


def test_the_grace_bounds_the_end_and_what_was_not_tested_is_told(tmp_path: Path) -> None:
    with ScriptedServer(silent) as server:
        path = definition(tmp_path, [monitor("Silent", server.port, test_duration=60)])
        with Sweeping(path, "--once", "--grace", "0.2") as running:
            wait_until(lambda: server.connections)
            assert running.end() == (3, "", "imap4-worker sweep: 0 tests of 1 monitor: 1 not tested\n")


def test_few_at_a_time_test_all_and_waiting_costs_no_verdict(tmp_path: Path) -> None:
    with ScriptedServer(silent) as server:
        tables = [monitor(f"{number}", server.port, test_duration=1) for number in range(2)]
        tables.append(monitor("pattern", server.port, test_duration=1, options=["-e", "a+"]))
        done = sweep(
            definition(tmp_path, tables), "--once", "--json", "--max-jobs", "1", "--max-programs", "1"
        )
    causes = [found["output"].rpartition(" ")[2] for found in objects(done.stdout)]
    assert causes == ["[greeting.timeout]"] * 3


def test_a_reader_that_does_not_read_delays_no_test(tmp_path: Path) -> None:
    with ScriptedServer(good) as server:
        path = definition(tmp_path, [monitor(f"{number}", server.port) for number in range(20)])
        reading, writing = os.pipe()
        fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
        try:
            with Sweeping(
                path, "--json", "--grace", "0.3", "--spread", "0", "--max-queue", "20", stdout=writing
            ) as running:
                wait_until(lambda: server.connections >= 40)
                code, _, errors = running.end()
        finally:
            os.close(writing)
            os.close(reading)
    assert code == 3
    first, lost, _ = errors.splitlines()
    assert first == "imap4-worker sweep: standard output: 20 results wait; the oldest are dropped"
    assert lost.startswith("imap4-worker sweep: standard output: results not delivered: ")


def test_a_reader_that_has_gone_ends_it(tmp_path: Path) -> None:
    with ScriptedServer(good) as server:
        path = definition(tmp_path, [monitor("Good", server.port)])
        with Sweeping(path, "--json") as running:
            running.next()
            assert running.process.stdout is not None
            running.process.stdout.close()
            assert running.process.wait(30) == 3


def test_an_engine_that_is_not_there_is_told_once_and_delays_no_test(tmp_path: Path) -> None:
    missing = str(tmp_path / "nagios.cmd")
    with ScriptedServer(good) as server:
        path = definition(tmp_path, [monitor(f"{number}", server.port) for number in range(5)])
        # Room for a whole round: standard output, which is read, must lose none of it on a busy machine.
        options = ["--spread", "0", "--max-queue", "5", "--grace", "0.2", "--json"]
        done = sweep(path, "--nagios", missing, "--for", "1.5s", *options)
        tests = server.connections
    assert done.returncode == 3
    assert len(objects(done.stdout)) == tests >= 10
    lines = [line.removeprefix(f"imap4-worker sweep: {missing}: ") for line in done.stderr.splitlines()]
    hint = "is the engine running, with check_external_commands=1?"
    assert lines.count(f"is not there; {hint}; nothing was sent") == 1
    assert "5 results wait; the oldest are dropped" in lines
    assert f"results not delivered: {tests}" in lines


def test_a_terminal_gets_a_bar_and_standard_output_stays_json(tmp_path: Path) -> None:
    with ScriptedServer(good) as server:
        path = definition(tmp_path, [monitor(f"{number}", server.port) for number in range(3)])
        terminal, other = pty.openpty()
        with Sweeping(path, "--once", "--json", stderr=other) as running:
            os.close(other)
            output, _ = running.process.communicate(timeout=30)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while part := os.read(terminal, 65536):
                shown += part
        os.close(terminal)
    assert len(objects(output)) == 3
    assert b"3/3" in shown
    assert b"3 Up" in shown
    assert b"3 tests of 3 monitors: 3 OK" in shown
    assert b"{" not in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "x"], "argument --for: 'x' is not a duration; write 30s, 5m, 1h30m or 2d"),
        (["--monitor", "No"], 'argument --monitor: no monitor "No" in the file'),
        (["--plugin", "/nowhere"], "argument --plugin: there is no check_imap4 at /nowhere"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = sweep(definition(tmp_path, [monitor("Good", 1)]), *arguments)
    said = f"imap4-worker sweep: {said}; see imap4-worker sweep --help\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


def test_a_file_that_cannot_be_used_is_told() -> None:
    done = sweep("/nowhere.toml")
    said = "/nowhere.toml: cannot be read: No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


def test_the_worker_is_still_there() -> None:
    words = [str(Path(sys.executable).with_name("imap4-worker")), "status", "--socket", "/nowhere", "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("imap4-worker: nobody answers at /nowhere")


def test_json_has_what_the_manual_says(tmp_path: Path) -> None:
    with ScriptedServer(good) as server:
        done = sweep(definition(tmp_path, [monitor("Mail; 1", server.port, host="m")]), "--once", "--json")
    found = json.loads(done.stdout)
    names = "time monitor host service state failures alert recovery exit_code output long_output perfdata"
    assert list(found) == [*names.split(), "next_delay"]
    assert (found["monitor"], found["host"], found["service"]) == ("Mail; 1", "m", "Mail_ 1")


def test_a_sweep_records_what_the_plugin_records(tmp_path: Path) -> None:
    names = ("program", "sweep")
    for name in names:
        (tmp_path / name).mkdir()
    with ScriptedServer(good) as server, closed_port() as port:
        # The first has no repeat in its pattern; the second is run as a program.
        tables = [
            monitor("a b", server.port),
            monitor("Down", port),
            monitor("-x", server.port, statistics=False),
        ]
        tables.append(monitor("Own", server.port, options=["-e", "I.*4 r"]))
        path = definition(tmp_path, tables)
        for each in load(path).monitors:
            programs = Programs(check=PLUGIN, records=str(tmp_path / "program"))
            subprocess.run(recorded_arguments(each, programs), capture_output=True, timeout=30)
        assert sweep(path, "--once", "--records", str(tmp_path / "sweep")).returncode == 2
    found = []
    for name in names:
        text = "".join(each.read_text() for each in (tmp_path / name).iterdir())
        lines = [line.split("\t") for line in text.split("\n") if line]
        # Times differ; that there is one must not.
        found.append(sorted([[re.sub(r"^[0-9]+\.[0-9]+$", "T", each) for each in line] for line in lines]))
    assert found[0] == found[1]
    assert [line[FIELDS.index("id")] for line in found[0]] == ["Down", "Own", "a b"]


def test_records_that_cannot_be_written_are_said_once_and_cost_no_test(tmp_path: Path) -> None:
    with ScriptedServer(good) as server:
        path = definition(tmp_path, [monitor("Mail", server.port)])
        done = sweep(path, "--once", "--records", str(tmp_path / "none"))
    assert done.returncode == 0
    assert re.match(
        rf"imap4-worker: not recorded: {tmp_path}/none/.*: No such file or directory\n", done.stderr
    )
