"""The process: its streams, its signals, its locale, its descriptors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines.plugin import ROOT, run
from tests.machines.scripted import Peer, ScriptedServer, good

COMMAND = [sys.executable, str(ROOT / "check_imap4.py")]


def silent(peer: Peer) -> None:
    peer.wait()


@pytest.mark.parametrize("stdout", ["/dev/full", None], ids=["full", "closed"])
def test_verdict_is_kept_where_stdout_takes_nothing(stdout: str | None) -> None:
    def close() -> None:
        os.close(1)

    with ScriptedServer(good) as server, open(stdout or os.devnull, "w") as sink:
        done = subprocess.run(
            [*COMMAND, "-H", "127.0.0.1", "-p", str(server.port)],
            stdout=sink,
            stderr=subprocess.PIPE,
            preexec_fn=close if stdout is None else None,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_reader_that_has_gone_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with ScriptedServer(lambda peer: peer.send("* BYE\r\n")) as server:
        command = [*COMMAND, "-H", "127.0.0.1", "-p", str(server.port)]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_in_one_line(number: signal.Signals) -> None:
    connected = False

    def script(peer: Peer) -> None:
        nonlocal connected
        process.send_signal(number)
        connected = True
        peer.wait()

    with ScriptedServer(script) as server:
        process = subprocess.Popen(
            [*COMMAND, "-H", "127.0.0.1", "-p", str(server.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, errors = process.communicate(timeout=30)
    assert connected
    assert output == f"IMAP4 UNKNOWN - stopped by {number.name}\n".encode()
    assert (process.returncode, errors) == (3, b"")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "de_DE.ISO-8859-1"])
def test_output_is_utf8_in_every_locale(locale: str) -> None:
    with ScriptedServer(lambda peer: peer.send("* BYE geschlössen ✓\r\n")) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "--name", "Größe", env={"LC_ALL": locale})
    assert result.line == (f"Größe CRITICAL - 127.0.0.1:{server.port} says BYE: geschlössen ✓ [greeting.bye]")


def test_password_is_read_from_a_descriptor() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"correct horse\nnot this\n")

    said: list[str] = []

    def script(peer: Peer) -> None:
        peer.send("* OK ready\r\n")
        tag, _ = peer.command()
        peer.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        tag, command = peer.command()
        said.append(command)
        peer.send(f"{tag} OK\r\n")
        peer.logout()

    with ScriptedServer(script) as server:
        result = run(
            *("-H", "127.0.0.1", "-p", str(server.port), "--login", "--user", "jane", "--insecure"),
            *("--password-fd", str(reading), "-vvv"),
            pass_fds=[reading],
        )
    os.close(reading)
    os.close(writing)
    assert result.code == 0
    assert said == ['LOGIN "jane" "correct horse"']
    assert "C: a2 LOGIN ***" in result.output
    assert "correct horse" not in result.output


def test_descriptor_that_never_speaks_does_not_hold_the_check() -> None:
    reading, writing = os.pipe()
    result = run(
        *("-H", "127.0.0.1", "--login", "--user", "jane", "--insecure", "--password-fd", str(reading)),
        pass_fds=[reading],
        timeout="0.5",
    )
    os.close(reading)
    os.close(writing)
    assert result.code == 3
    assert result.line == (
        f"IMAP4 UNKNOWN - argument --password-fd: nothing came on descriptor {reading} in time"
    )


def test_named_pipe_as_password_file_does_not_hold_the_check(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = run(
        *("-H", "127.0.0.1", "--login", "--user", "jane", "--insecure", "--password-file", str(pipe)),
        timeout="0.5",
    )
    assert result.line == (f"IMAP4 UNKNOWN - argument --password-file: {pipe} is not a plain file")


def test_verbose_levels_add_lines_and_keep_the_first() -> None:
    with ScriptedServer(good) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port))
        runs = [run(*arguments, *(["-" + "v" * level] if level else [])) for level in range(4)]
    assert {result.line for result in runs} == {runs[0].line}
    lines = [[line.split()[0] for line in result.output.splitlines()[1:]] for result in runs]
    assert lines[0] == []
    assert lines[1] == ["addresses:", "connected"]
    assert lines[2] == [*lines[1], *["phase"] * 4]
    assert lines[3] == [*lines[2], "S:", "C:", "S:", "S:"]


@pytest.mark.parametrize(("greeting", "code"), [("* OK ready", 0), ("* OK other", 2)])
def test_pattern_is_judged_where_the_caller_ignores_sigchld(greeting: str, code: int) -> None:
    def script(peer: Peer) -> None:
        peer.send(f"{greeting}\r\n")
        peer.logout()

    ignoring = ("/bin/sh", "-c", "trap '' CHLD; exec \"$@\"", "sh")
    with ScriptedServer(script) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "-e", "(rea|stea)dy+", prefix=ignoring)
    assert result.code == code


def test_hint_says_what_to_do() -> None:
    with ScriptedServer(lambda peer: peer.send("* BYE\r\n")) as server:
        result = run("-H", "127.0.0.1", "-p", str(server.port), "-v")
    assert result.output.splitlines()[-1] == (
        "hint: the service refuses sessions; the reason is in its text or its log"
    )
