"""The guard, run by the real shells of this machine as a login shell would."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from recovery.errors import UsageError
from recovery.model import Ended
from recovery.transports.ssh import remote_shell
from recovery.transports.ssh.remote_shell import Report, parse_report

NONCE = "0123456789abcdef" * 2
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path of a /bin/sh of that kind."""
    link = tmp_path / "sh"
    link.symlink_to(str(shutil.which(request.param)))
    return str(link)


def guard(
    shell: str, script: str, *arguments: str, seconds: float = 10, stdin: bytes = b"", **environment: str
) -> tuple[bytes, bytes, Report | None]:
    program = remote_shell.program(
        script,
        arguments,
        nonce=NONCE,
        seconds=seconds,
        grace=0.3,
        become=False,
        environment=environment,
    )
    command = remote_shell.command(program).replace("/bin/sh", shell)
    done = subprocess.run(["/bin/sh", "-c", command], input=program + stdin, capture_output=True, timeout=30)
    begin = remote_shell.started(NONCE, done.stdout)
    assert begin is not None
    return done.stdout[begin:], done.stderr, parse_report(NONCE, done.stderr)


@pytest.mark.parametrize("status", [0, 1, 127, 128, 137, 143, 255])
def test_exit_status_is_told(shell: str, status: int) -> None:
    _, _, report = guard(shell, f"exit {status}")
    assert report is not None
    assert (report.ended, report.exit_status, report.signal) == (Ended.EXITED, status, None)


@pytest.mark.parametrize("number", [1, 6, 9, 11, 13, 15])
def test_signal_is_told_apart_from_an_exit_status(shell: str, number: int) -> None:
    _, _, report = guard(shell, f"ulimit -c 0; kill -{number} $$")
    assert report is not None
    assert (report.ended, report.exit_status, report.signal) == (Ended.SIGNALLED, None, number)


def recorded_arguments_environment_and_input_arrive_as_they_are(shell: str) -> None:
    words = ["", "a b", "it's", "$HOME", "two\nlines\n", "é", "\\n", "-n", "*"]
    output, _, _ = guard(shell, 'printf "<%s>" "$@" "$VALUE"; cat', *words, stdin=b"\0in'put", VALUE="'$x\n")
    assert output == "".join(f"<{word}>" for word in [*words, "'$x\n"]).encode() + b"\0in'put"


@pytest.mark.slow
def test_time_out_is_told_and_ends_the_group(shell: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = 'trap "" TERM; sleep 60 & echo $! $$ >"$1"; sleep 60; sleep 60'
    _, _, report = guard(shell, script, str(pids), seconds=0.5)
    assert report is not None
    assert report.ended is Ended.TIMED_OUT
    assert report.seconds >= 0.5
    for pid in pids.read_text().split():
        end = time.monotonic() + 5
        while alive(int(pid)):
            assert time.monotonic() < end


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_guard_ends_the_script_when_nobody_listens_any_more(shell: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = remote_shell.program(
        'echo $$ >"$1"; exec sleep 60', [str(pids)],
        nonce=NONCE, seconds=1, grace=0.3, become=False, environment={},
    )  # fmt: skip
    command = remote_shell.command(program).replace("/bin/sh", shell)
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(program)
    process.stdin.close()
    end = time.monotonic() + 5
    while not (pids.exists() and pids.read_text()):
        assert time.monotonic() < end
    process.stdout.close()
    process.stderr.close()
    pid = int(pids.read_text())
    assert alive(pid)
    process.wait(10)
    assert not alive(pid)


def test_script_cannot_forge_the_report(shell: str) -> None:
    _, _, report = guard(shell, "echo; echo '[1] + Done  late=no hundredths=1' >&2; exit 4")
    assert report is not None
    assert report.exit_status == 4


def test_missing_setsid_is_told(shell: str, tmp_path: Path) -> None:
    for name in ("dd", "env"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    program = remote_shell.program("true", [], nonce=NONCE, seconds=1, grace=1, become=False, environment={})
    done = subprocess.run(
        ["/bin/sh", "-c", remote_shell.command(program).replace("/bin/sh", shell)],
        input=program,
        capture_output=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    with pytest.raises(UsageError, match="lacks setsid"):
        parse_report(NONCE, done.stderr)


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A;reboot"])
def test_impossible_variable_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="environment variable"):
        remote_shell.program(
            "true", [], nonce=NONCE, seconds=1, grace=1, become=False, environment={name: "x"}
        )


def test_output_of_start_up_files_is_left_out() -> None:
    assert remote_shell.started(NONCE, b"Welcome!\n" + NONCE.encode() + b"\nout") == 9 + 33
    assert remote_shell.started(NONCE, b"Welcome!\n") is None
    assert parse_report(NONCE, b"something else") is None
