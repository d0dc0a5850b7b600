"""``check_imap4`` hands its work over to a worker that serves: same line, same effects, same deadline."""

from __future__ import annotations

import os
import posix
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imap4.folders import UntrustedFolder
from imap4.handover import client
from imap4.worker.serving import listen
from tests.conftest import THEIR_USER
from tests.machines.certificates import Authority
from tests.machines.plugin import ROOT
from tests.machines.ports import wait_until
from tests.machines.scripted import Peer, Script, ScriptedServer, closed_port, good
from tests.machines.serving import BIN, PLUGIN, WORKER, Run, Serving, checked, serving

STEPS = ("before it is asked", "while it connects", "before LOGOUT", "at the end")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture(scope="module")
def worker() -> Iterator[Serving]:
    with serving("--workers", "1") as one:
        yield one


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(good) as one:
        yield one


def asked(worker: Serving, run: Callable[[], Run]) -> tuple[Run, int, int]:
    """A run, and how many checks the worker has served and declined for it."""
    before = len(worker.answers)
    result = run()
    wait_until(lambda: len(worker.answers) == worker.asked, "the end of the answers")
    answers = worker.answers[before:]
    return result, sum(answer[:1] == b"D" for answer in answers), answers.count(b"N")


def bye(peer: Peer) -> None:
    peer.send("* BYE overloaded ✓\r\n")


def silent(peer: Peer) -> None:
    peer.wait()


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (good, ()),
        (good, ("-vvv", "--name", "Größe")),
        (good, ("-w", "5", "-c", "9", "-4", "--source", "127.0.0.1")),
        (bye, ()),
        (bye, ("-v",)),
        (silent, ("-vt2:warning",)),
        (good, ("--all-addresses", "--expect", "ready")),
    ],
)
def test_a_worker_gives_the_same_bytes(worker: Serving, script: Script, options: tuple[str, ...]) -> None:
    with ScriptedServer(script) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port), *options)
        env = {"LC_ALL": "C.UTF-8"}
        handed, served, declined = asked(worker, lambda: worker.check(*arguments, env=env))
        assert handed == checked(*arguments, env=env)
        assert (served, declined) == (1, 0)


def test_a_slow_server_is_waited_for(worker: Serving) -> None:
    """As long as the worker shows that it lives."""

    def slow(peer: Peer) -> None:
        peer.pause(2.8)
        good(peer)

    with ScriptedServer(slow) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port), "-t", "8")
        handed, served, declined = asked(worker, lambda: worker.check(*arguments))
        assert (handed.code, served, declined, server.connections) == (0, 1, 0, 1)


def test_a_refused_connection_and_a_wrong_option_are_told_alike(worker: Serving) -> None:
    with closed_port() as port:
        for arguments in (("-H", "127.0.0.1", "-p", str(port)), ("-H", "x", "-p", "0"), ("--nonsense",), ()):
            assert worker.check(*arguments) == checked(*arguments)


def test_a_certificate_is_judged_alike(worker: Serving, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with ScriptedServer(good, tls=authority.server("localhost")) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port), "-S", "--server-name", "localhost", "-D", "5")
        trusting = ("--ca-file", authority.file)
        for more in (trusting, ()):
            handed, served, _ = asked(worker, lambda more=more: worker.check(*arguments, *more))  # type: ignore[misc]
            assert handed == checked(*arguments, *more)
            assert served == 1
        assert worker.check(*arguments, *trusting).code == 0


def login(peer: Peer) -> None:
    peer.send("* OK ready\r\n")
    tag, _ = peer.command()
    peer.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
    tag, command = peer.command()
    peer.send(f"{tag} {'OK' if command == 'LOGIN jane secret' or 'secret' in command else 'NO'}\r\n")
    peer.logout()


def test_a_password_file_is_read_there(worker: Serving, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text("secret\n")
    with ScriptedServer(login) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port), "--login", "--user", "jane", "--insecure")

        def run() -> Run:
            return worker.check(*arguments, "--password-file", str(path), "-vvv")

        handed, served, _ = asked(worker, run)
        assert (handed.code, served, "secret" in handed.output) == (0, 1, False)
        path.chmod(0o644)
        assert run() == checked(*arguments, "--password-file", str(path), "-vvv")


class TestRunHere:
    """What another process would do otherwise is run in the one that was started."""

    def alike(self, worker: Serving, *arguments: str, asks: bool = True, **more: object) -> Run:
        run, served, declined = asked(worker, lambda: worker.check(*arguments, **more))
        assert (served, declined) == (0, int(asks))
        return run

    def test_help_and_slow_patterns(self, worker: Serving, server: ScriptedServer) -> None:
        assert self.alike(worker, "--help").output.startswith("usage: check_imap4 ")
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        assert self.alike(worker, *target, "-e", "(a|b)*x").code == 2

    def test_a_password_from_a_descriptor(self, worker: Serving) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"secret\n")
        os.close(writing)
        with ScriptedServer(login) as server:
            arguments = ("-H", "127.0.0.1", "-p", str(server.port), "--login", "--user", "jane", "--insecure")
            run = self.alike(worker, *arguments, "--password-fd", str(reading), pass_fds=[reading])
        os.close(reading)
        assert run.code == 0

    @pytest.mark.parametrize("path", ["ca.pem", "./ca.pem", "/dev/stdin", "/dev/fd/0"])
    def test_a_file_of_this_process_alone(self, worker: Serving, tmp_path: Path, path: str) -> None:
        authority = Authority(tmp_path, "ca")
        with ScriptedServer(good, tls=authority.server("localhost")) as server:
            arguments = ("-H", "127.0.0.1", "-p", str(server.port), "-S", "--server-name", "localhost")
            with open(authority.file) as stdin:
                run = self.alike(worker, *arguments, "--ca-file", path, cwd=tmp_path, stdin=stdin)
        assert run.code == 0

    def test_another_environment_of_its_libraries(self, worker: Serving, server: ScriptedServer) -> None:
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        for name in ("SSL_CERT_FILE", "RES_OPTIONS", "OPENSSL_CONF", "LD_BIND_NOW"):
            assert self.alike(worker, *target, env={name: "/dev/null"}).code == 0

    def test_words_that_another_locale_reads_otherwise(self, worker: Serving) -> None:
        with closed_port() as port:
            target = ("-H", "127.0.0.1", "-p", str(port), "--name")
            env = {"LC_ALL": "C.UTF-8"}
            odd = ["-H", "127.0.0.1", "-p", str(port), "--id", os.fsdecode(b"\xff")]
            assert self.alike(worker, *odd, asks=False, env=env) == checked(*odd, env=env)
            # In the C locale Python 3.7 and newer read UTF-8 (PEP 538): as the worker does.
            c = {"LC_ALL": "C"}
            assert worker.check(*target, "ß", env=c) == checked(*target, "ß", env=c)

    def test_who_does_not_want_it(self, worker: Serving, server: ScriptedServer) -> None:
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        assert self.alike(worker, *target, "--no-worker", asks=False).code == 0
        _, served, declined = asked(worker, lambda: checked(*target))
        assert (served, declined) == (0, 0)

    def test_too_little_time_for_a_second_try(self, worker: Serving, server: ScriptedServer) -> None:
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        for short in (("-t", "1.9"), ("-t1.5",), ("--timeout=1:ok",), ("-vt", "1s"), ("-t", "0.03m")):
            assert self.alike(worker, *target, *short, asks=False).code == 0

    def test_another_installation(self, worker: Serving, server: ScriptedServer, tmp_path: Path) -> None:
        shutil.copy(ROOT / "check_imap4.py", tmp_path)
        shutil.copytree(ROOT / "imap4", tmp_path / "imap4", ignore=shutil.ignore_patterns("__pycache__"))
        program = (sys.executable, str(tmp_path / "check_imap4.py"))
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        assert self.alike(worker, *target, program=program).code == 0

    def test_another_network(self, worker: Serving, server: ScriptedServer) -> None:
        if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
            pytest.skip("this machine makes no namespaces")
        target = ("-H", "127.0.0.1", "-p", str(server.port))
        run = self.alike(worker, *target, program=("unshare", "-n", PLUGIN))
        assert run == checked(*target, program=("unshare", "-n", PLUGIN))
        assert run.code == 2


def test_who_does_not_know_its_network_asks_nobody(worker: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "identity", lambda path: "" if path.startswith("/proc/") else "1.2.3.4")
    before = worker.asked
    assert client.surroundings() == ""
    assert client.ask(str(worker.folder / "between.sock"), "check", ["-H", "127.0.0.1"], 10.0) is None
    assert worker.asked == before


def test_the_record_is_the_programs_own(worker: Serving, server: ScriptedServer, tmp_path: Path) -> None:
    arguments = ("-H", "127.0.0.1", "-p", str(server.port), "--record", str(tmp_path), "--id", "Mail", "-v")
    handed, served, _ = asked(worker, lambda: worker.check(*arguments, umask=0o027))
    assert (handed, served) == (checked(*arguments, umask=0o027), 1)
    [path] = tmp_path.iterdir()
    lines = [line for line in path.read_text().splitlines() if line]
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(lines) == 2
    first, second = (re.sub(r"[0-9]+\.[0-9]+", "T", line) for line in lines)
    assert first == second
    nowhere = ("-H", "127.0.0.1", "-p", str(server.port), "--record", "/nowhere", "--id", "Mail", "-v")
    handed, served, _ = asked(worker, lambda: worker.check(*nowhere))
    assert (handed, served) == (checked(*nowhere), 1)
    assert "\nnot recorded: /nowhere/" in handed.output


def test_hardly_anything_is_imported(worker: Serving, server: ScriptedServer) -> None:
    """Not what takes the time: a worker has it loaded already."""
    python = [str(BIN / "python3"), "-I", "-S", "-X", "importtime", "-c", _start()]
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n"
    python[-1] = paths + python[-1]
    env = {"IMAP4_WORKER": str(worker.socket)}
    target = ("-H", "127.0.0.1", "-p", str(server.port))
    done = subprocess.run([*python, *target], capture_output=True, text=True, env=env)
    assert done.stdout.startswith("IMAP4 OK - ")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"check_imap4", "imap4.handover.client"} <= loaded
    heavy = {"argparse", "re", "logging", "nagiosplugin", "site", "socket", "signal", "typing", "enum"}
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith(("imap4.check", "imap4.worker"))}


def _start() -> str:
    """The first lines of Python, which the installed program's starter has."""
    text = (ROOT / "scripts/check_imap4").read_text()
    found = re.search(r"^start='\n(.*?)'$", text, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_streams_that_are_closed_change_nothing(worker: Serving, server: ScriptedServer) -> None:
    def close() -> None:
        for number in (0, 1, 2):
            os.close(number)

    target = [PLUGIN, "-H", "127.0.0.1", "-p", str(server.port)]
    env = {"IMAP4_WORKER": str(worker.folder / "between.sock")}
    run, served, _ = asked(
        worker, lambda: Run(subprocess.run(target, env=env, preexec_fn=close).returncode, "", "")
    )
    assert (run.code, served) == (0, 1)


def test_a_signal_ends_it_while_a_worker_tests(worker: Serving) -> None:
    with ScriptedServer(silent) as server:
        command = [PLUGIN, "-H", "127.0.0.1", "-p", str(server.port), "-t", "60"]
        env = {"IMAP4_WORKER": str(worker.socket)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
        wait_until(lambda: server.connections > 0, "the connection")
        process.terminate()
        assert process.communicate(timeout=60)[0] == b"IMAP4 UNKNOWN - stopped by SIGTERM\n"
        assert process.returncode == 3


def test_more_than_it_may_do_at_a_time_is_left_to_the_programs() -> None:
    gate = threading.Event()

    def script(peer: Peer) -> None:
        gate.wait(30)
        good(peer)

    with serving("--workers", "1", "--max-jobs", "1") as worker, ScriptedServer(script) as server:
        command = [PLUGIN, "-H", "127.0.0.1", "-p", str(server.port), "-t", "60"]
        env = {"IMAP4_WORKER": str(worker.socket)}
        first = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
        wait_until(lambda: server.connections == 1, "the first connection")
        second = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
        wait_until(lambda: server.connections == 2, "the second connection")
        gate.set()
        for process in (first, second):
            assert process.communicate(timeout=60)[0].startswith(b"IMAP4 OK - ")
        wait_until(lambda: worker.state["total"]["served"] == 1, "the first one's figures")
        assert worker.state["total"]["declined"] == 1


class TestWorkerThatFails:
    """Killed, or frozen, at every step of one check: the program gives the verdict, within its own time."""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
    @pytest.mark.parametrize("step", STEPS)
    def test_at_a_step(self, number: signal.Signals, step: str) -> None:
        with serving("--workers", "1", "--stall", "60") as worker:
            [pid] = worker.workers
            failed: list[str] = []

            def fail(now: str) -> None:
                if now == step and not failed:
                    failed.append(now)
                    os.kill(pid, number)

            def script(peer: Peer) -> None:
                fail("while it connects")
                peer.send("* OK IMAP4rev1 ready\r\n")
                tag, _ = peer.command()
                fail("before LOGOUT")
                peer.send("* BYE logging out\r\n")
                fail("at the end")
                peer.send(f"{tag} OK LOGOUT completed\r\n")

            with ScriptedServer(script) as server:
                fail("before it is asked")
                if number == signal.SIGKILL and step == "before it is asked":
                    wait_until(lambda: worker.workers not in ([pid], [0]), "the next worker")
                start = time.monotonic()
                run = checked("-H", "127.0.0.1", "-p", str(server.port), "-t", "4", ask=worker.socket)
                elapsed = time.monotonic() - start
                if number == signal.SIGSTOP:
                    os.kill(pid, signal.SIGCONT)  # or the server would wait for it
            assert (run.code, run.errors, failed) == (0, "", [step])
            assert run.output.startswith(f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out | ")
            assert elapsed < 4 + 3

    def test_time_that_was_lost_counts(self) -> None:
        """A silent server, and a worker that freezes in the middle: still the one maximum duration."""
        with serving("--workers", "1", "--stall", "60") as worker:
            [pid] = worker.workers
            first = threading.Event()

            def script(peer: Peer) -> None:
                if not first.is_set():
                    first.set()
                    os.kill(pid, signal.SIGSTOP)
                peer.wait()

            with ScriptedServer(script) as server:
                command = [PLUGIN, "-H", "127.0.0.1", "-p", str(server.port), "-t", "4"]
                env = {"PATH": os.environ["PATH"], "IMAP4_WORKER": str(worker.socket)}
                start = time.monotonic()
                run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
                elapsed = time.monotonic() - start
            where = f"IMAP4 CRITICAL - 127.0.0.1:{server.port} no greeting within 4 s [greeting.timeout] | "
            assert (run.returncode, server.connections) == (2, 2)
            assert run.stdout.startswith(where)
            # What the second try took; a second was lost with the worker.
            assert float(run.stdout.partition("time=")[2].partition("s;")[0]) < 4
            assert elapsed < 4 + 3

    @pytest.mark.parametrize(
        ("answer", "closes"),
        [
            (b"", True),
            (b"", False),
            (b"\0\0", True),
            (b"D 0 1.0 0 90 0 0\nIMAP4 OK - half", True),
            (b"D 0 1.0 0 90 0 0\nIMAP4 OK - half", False),
            (b"D 7 1.0 0 3 0 0\nabc", True),
            (b"D 0 1.0 0 -3 0 0\nabc", True),
            (b"X" * 100, True),
            (b"D 0\n", False),
            (b"N", False),
        ],
    )
    def test_with_half_an_answer(
        self, server: ScriptedServer, their_folder: Path, answer: bytes, closes: bool
    ) -> None:
        def serve() -> None:
            asker, _ = listener.accept()
            with asker:
                asker.recv(65536)
                asker.sendall(answer)
                if not closes:
                    asker.recv(1)

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(their_folder / "check.sock"))
            listener.listen()
            thread = threading.Thread(target=serve)
            thread.start()
            target = ("-H", "127.0.0.1", "-p", str(server.port), "-t", "4")
            run = checked(*target, ask=their_folder / "check.sock")
            thread.join()
        where = f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out | "
        assert (run.code, run.output.startswith(where), run.errors) == (0, True, "")

    def test_whose_queue_is_full(self, server: ScriptedServer, their_folder: Path) -> None:
        path = str(their_folder / "check.sock")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as before:
            listener.bind(path)
            listener.listen(0)
            before.connect(path)
            assert checked("-H", "127.0.0.1", "-p", str(server.port), ask=path).code == 0

    def test_that_has_ended_leaves_no_socket(self, server: ScriptedServer) -> None:
        with serving() as worker:
            path = worker.socket
            process = int(worker.state["pid"])
            os.kill(process, signal.SIGTERM)
            wait_until(lambda: not path.exists(), "the end of the socket")
            assert checked("-H", "127.0.0.1", "-p", str(server.port), ask=path).code == 0


def test_status_tells_of_programs_where_there_is_no_core(worker: Serving, server: ScriptedServer) -> None:
    worker.check("-H", "127.0.0.1", "-p", str(server.port))
    wait_until(lambda: worker.state["total"]["served"] > 0, "the figures")
    status = [WORKER, "status", "--socket", str(worker.folder / "status.sock")]
    told = subprocess.run(status, capture_output=True, text=True)
    assert told.returncode == 0
    assert told.stdout.startswith("core      none\nworker    pid ")
    assert re.search(rf"^programs  [0-9]+ served at {worker.socket}, [0-9]+ left to", told.stdout, re.M)


def test_status_tells_why_it_was_left_to_a_program(server: ScriptedServer) -> None:
    target = ("-H", "127.0.0.1", "-p", str(server.port))
    with serving("--workers", "1") as worker:
        worker.check(*target, env={"RES_OPTIONS": "debug"})
        worker.check("--help")
        wait_until(lambda: worker.state["total"]["declined"] == 2, "the figures")
        status = [WORKER, "status", "--socket", str(worker.folder / "status.sock")]
        told = subprocess.run(status, capture_output=True, text=True)
    where = f"programs  0 served at {worker.socket}, 2 left to them"
    assert f"{where} (other surroundings 1, such options 1)\n" in told.stdout


def test_a_worker_with_nothing_to_do_is_wrong_use() -> None:
    told = subprocess.run([WORKER, "--core", "", "--serve", ""], capture_output=True, text=True)
    why = "there is nothing to do without a core (--core '') and without --serve"
    assert (told.returncode, told.stderr) == (3, f"imap4-worker: {why}; see imap4-worker --help\n")


class TestTrust:
    """Who could put a socket of their own there could say OK."""

    @pytest.fixture
    def liar(self, their_folder: Path) -> Iterator[Path]:
        """A socket that says OK of everything."""
        said = client.answered(0, 1.0, b"IMAP4 OK - a lie\n")
        path = their_folder / "check.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()

            def serve() -> None:
                while True:
                    try:
                        asker, _ = listener.accept()
                    except OSError:
                        return
                    with asker:
                        asker.recv(65536)
                        asker.sendall(said)

            thread = threading.Thread(target=serve)
            thread.start()
            yield path
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()

    def verdict(self, path: Path | str, server: ScriptedServer) -> str:
        return checked("-H", "127.0.0.1", "-p", str(server.port), ask=path).output.partition(" | ")[0]

    def test_a_folder_of_ours_is_trusted(self, liar: Path, server: ScriptedServer) -> None:
        """Or the others of this class would prove nothing."""
        assert self.verdict(liar, server) == "IMAP4 OK - a lie\n"

    @pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
    def test_a_folder_that_others_can_write_is_not(
        self, liar: Path, server: ScriptedServer, mode: int
    ) -> None:
        liar.parent.chmod(mode)
        assert self.verdict(liar, server) == f"IMAP4 OK - 127.0.0.1:{server.port} greeting in T s, logged out"

    def test_a_link_on_the_way_is_not(self, liar: Path, server: ScriptedServer, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(liar.parent)
        (tmp_path / "sock").symlink_to(liar)
        for path in (tmp_path / "link" / liar.name, tmp_path / "sock"):
            assert "lie" not in self.verdict(path, server)

    def test_a_relative_path_is_none(self, liar: Path, server: ScriptedServer) -> None:
        run = checked("-H", "127.0.0.1", "-p", str(server.port), ask="check.sock", cwd=liar.parent)
        assert "lie" not in run.output

    @as_root
    def test_a_folder_or_socket_of_another_user_is_not(self, liar: Path, server: ScriptedServer) -> None:
        os.chown(liar, THEIR_USER, THEIR_USER)
        assert "lie" not in self.verdict(liar, server)
        os.chown(liar, 0, 0)
        os.chown(liar.parent, THEIR_USER, THEIR_USER)
        assert "lie" not in self.verdict(liar, server)

    @as_root
    def test_a_listener_of_another_user_is_not(self, their_folder: Path, server: ScriptedServer) -> None:
        """Whoever it is who made the socket, what counts is who answers there."""
        path = str(their_folder / "check.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.seteuid(THEIR_USER)
            listener.listen()
            os.seteuid(0)
            assert "logged out" in self.verdict(path, server)
            asker, _ = listener.accept()
            with asker:
                assert asker.recv(1) == b""  # not even what is tested was told

    @as_root
    def test_another_user_is_not_served(
        self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even where the socket would let them in."""
        for name in [name for name in posix.environ if name.startswith(b"SSL_")]:
            monkeypatch.delitem(posix.environ, name)
        with serving("--workers", "1") as worker:
            worker.socket.chmod(0o666)
            words = ["-H", "127.0.0.1", "-p", str(server.port)]
            assert client.ask(str(worker.socket), "check", words, 10.0) is not None
            os.seteuid(THEIR_USER)
            answer = client.ask(str(worker.socket), "check", words, 10.0)
            os.seteuid(0)
            assert answer is None

    def test_a_worker_serves_itself_and_root_alone(self, worker: Serving) -> None:
        assert worker.socket.stat().st_mode & 0o777 == 0o600

    def test_a_worker_serves_in_no_folder_that_others_can_write(self, their_folder: Path) -> None:
        their_folder.chmod(0o777)
        path = their_folder / "check.sock"
        with pytest.raises(UntrustedFolder, match="can be written by group or others"):
            listen(str(path))
        assert not path.exists()
