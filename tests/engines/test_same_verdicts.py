"""Every hostile case through the worker and through the plugin: the same bytes, but for measured times."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engines.core_worker import IMAP4_WORKER, CoreWorker
from tests.machines.cases import CASES, PASSWORD, Case
from tests.machines.scripted import ScriptedServer, closed_port, good

PLUGIN = Path(sys.executable).with_name("check_imap4")

Answer = tuple[int, str]


def without_times(output: bytes) -> str:
    """The output with T for every measured time, and without what of a slow line came before the end."""
    text = re.sub(r"\b[0-9]+\.[0-9]{3,6}(?= ?s\b)", "T", output.decode())
    return re.sub(r"only half a line: .*?(?= \[)", "only half a line: ...", text)


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def command_line(port: int, case: Case, password_file: Path) -> str:
    options = [str(password_file) if option == "PASSWORD_FILE" else option for option in case.options]
    return f"{PLUGIN} -H 127.0.0.1 -p {port} " + " ".join(map(quoted, options))


def by_plugin(command: str) -> Answer:
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True)
    assert done.stderr == b""
    return done.returncode, without_times(done.stdout)


def by_worker(worker: CoreWorker, *commands: str) -> list[Answer]:
    answers = worker.run(*[command.encode() for command in commands], timeout=60)
    assert {(answer["exited_ok"], answer["outerr"]) for answer in answers} == {(b"1", b"")}
    return [(int(answer["wait_status"]) >> 8, without_times(answer["outstd"])) for answer in answers]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreWorker]:
    folder = tmp_path_factory.mktemp("core")
    with CoreWorker(
        folder, [*IMAP4_WORKER, "--workers", "1", "--socket", str(folder / "s"), "--core"]
    ) as one:
        yield one


@pytest.fixture(scope="module")
def pairs(worker: CoreWorker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Answer, Answer]]:
    """For each case what the worker said, and what the plugin said. All at once, to save time."""
    password_file = tmp_path_factory.mktemp("password") / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(PASSWORD + "\n")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ScriptedServer(case.script)) for case in CASES]
        commands = [
            command_line(server.port, case, password_file)
            for server, case in zip(servers, CASES, strict=True)
        ]
        here = by_worker(worker, *commands)
        with ThreadPoolExecutor(8) as threads:
            there = list(threads.map(by_plugin, commands))
    return {case.id: pair for case, pair in zip(CASES, zip(here, there, strict=True), strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_worker_says_what_the_plugin_says(case: Case, pairs: dict[str, tuple[Answer, Answer]]) -> None:
    here, there = pairs[case.id]
    assert here == there, f"worker: {here}, plugin: {there}"
    assert here[0] == case.exit_code


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-v",
        "-vvv",
        "-w 5 -c 8",
        "-w 0",
        "-c 0",
        "-w @0:10 -c 10:",
        "--name 'Büro 100%'",
        "-t 3:unknown",
        "--all-addresses",
        "-4",
        "-6",
        "--source 127.0.0.3",
        "--source 192.0.2.1",
        "-e ready",
        "-e 're.*y'",
        "-e '(r+)+x'",
        "--capability IDLE",
        "--tls",
        "--starttls",
        "--tls --insecure --ca-file x",
        "--tls --ca-file /nowhere",
        "--login --user u --password-file /nowhere --insecure",
        "--login --user u --password-fd 9 --insecure",
        "--no-such-option",
        "-w abc",
        "--version",
        "--help",
        '"a$HOME-b"',
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "nosuch.invalid"])
def test_every_option_gives_what_the_plugin_gives(worker: CoreWorker, host: str, options: str) -> None:
    with ScriptedServer(good) as server:
        command = f"{PLUGIN} -H {host} -p {server.port} {options}"
        for _ in range(3):  # the first makes the template of the others
            [here] = by_worker(worker, command)
        there = by_plugin(command)
        assert here == there, f"worker: {here}, plugin: {there}"


def test_refused_connections_are_told_alike(worker: CoreWorker) -> None:
    with closed_port() as port:
        command = f"{PLUGIN} -H 127.0.0.1 -p {port}"
        assert by_worker(worker, command, command, command) == [by_plugin(command)] * 3
