"""What is tried of the packages on every Debian: the same words, whichever package they come from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines.ports import free_port, listening, wait_until
from tests.machines.scripted import ScriptedServer, good
from tests.packages.roots import Root

CHECK = "/usr/lib/nagios/plugins/check_imap4"
DEFINITION = "/etc/imap4-monitor/mail.toml"


def check_a_server(root: Root, user: str) -> None:
    """The whole line of a test that passes, and of one that fails."""
    with ScriptedServer(good) as server:
        code, output, errors = root.says(CHECK, "-H", "127.0.0.1", "-p", str(server.port), user=user)
    assert (code, errors) == (0, ""), output
    phases = "".join(rf" {name}=0\.\d+s;;;0;10" for name in ("resolve", "connect", "greeting", "logout"))
    line = rf"IMAP4 OK - 127\.0\.0\.1:{server.port} greeting in 0\.\d+ s, logged out "
    line += rf"\| time=0\.\d+s;;;0;10{phases}\n"
    assert re.fullmatch(line, output), output
    port = free_port()
    code, output, errors = root.says(CHECK, "-H", "127.0.0.1", "-p", str(port), user=user)
    assert (code, errors) == (2, "")
    assert output.startswith(f"IMAP4 CRITICAL - 127.0.0.1:{port} connection refused [connect.refused]"), (
        output
    )


def monitor(root: Root) -> None:
    """A definition is checked and rendered, the engine takes it, and the doctor finds our programs."""
    root.shell(f"imap4-monitor new >{DEFINITION}")
    assert root.says("imap4-monitor", "validate", DEFINITION) == (
        0,
        f"{DEFINITION}: 1 monitor, no mistakes\n",
        "",
    )
    folder = "/etc/nagios4/conf.d"
    code, output, errors = root.says("imap4-monitor", "render", "nagios", DEFINITION, "-o", folder)
    assert (code, errors) == (0, "")
    assert f"{folder}/imap4-monitors.cfg: written (1 monitor: 1 new, 0 removed)\n" in output
    rendered = root.shell(f"cat {folder}/imap4-*.cfg")
    for program in (CHECK, "/usr/bin/imap4-monitor", "/usr/bin/imap4-recovery"):
        assert program in rendered
    # Debian's own main file, which reads the package's command too.
    code, output, _ = root.says("nagios4", "-v", "/etc/nagios4/nagios.cfg")
    assert code == 0
    assert "Total Errors:   0" in output
    commands = root.shell("grep -h command_name /etc/nagios-plugins/config/check_imap4.cfg").split()
    assert commands == ["command_name", "check_imap4", "command_name", "check_imap4_certificate"]
    version = root.says("imap4-monitor", "--version")[1].split()[1]
    code, output, _ = root.says("imap4-monitor", "doctor", "nagios", "-f", DEFINITION)
    assert code == 1  # the engine does not run
    units = "/usr/lib/systemd/system" if "/usr/lib/systemd" in output else "/lib/systemd/system"
    worker = f"/usr/bin/imap4-worker is imap4-worker {version}, and nagios can run it"
    for line in (
        f"{CHECK} is check_imap4 {version}, and nagios can run it",
        f"/usr/bin/imap4-monitor is imap4-monitor {version}, and nagios can run it",
        f"/usr/bin/imap4-recovery is imap4-recovery {version}, and nagios can run it",
        f"{units}/imap4-worker.service: {worker}",
        f"{units}/imap4-sweep.service: {worker}",
        "/var/lib/imap4-monitor/records (records of tests) is writable",
    ):
        assert f"ok   {line}\n" in output, output


def sweep(root: Root) -> None:
    """The worker's code runs a definition's monitors, with what greenlet there is, and knows the plugin."""
    with ScriptedServer(good) as server:
        change = (
            f's/"mail.example.org" #/"127.0.0.1" #/; s/port = 143/port = {server.port}/; s/"starttls"/"none"/'
        )
        root.shell(f"sed '{change}' {DEFINITION} >/etc/imap4-monitor/here")
        assert root.says("imap4-worker", "sweep", "/etc/imap4-monitor/here", "--once", user="nagios") == (
            0,
            "",
            "imap4-worker sweep: 1 test of 1 monitor: 1 OK\n",
        )
    recorded = root.shell("cat /var/lib/imap4-monitor/records/*.tsv")
    assert "Mail" in recorded


@contextmanager
def sshd(root: Root) -> Iterator[int]:
    """A real sshd in the root, for an account that a new key of root's opens; its port."""
    port = free_port()
    root.shell(
        "useradd -m recovery; mkdir -p /run/sshd ~recovery/.ssh\n"
        "ssh-keygen -q -t ed25519 -N '' -f /root/key; cp /root/key.pub ~recovery/.ssh/authorized_keys\n"
        f"echo '[127.0.0.1]:{port}' $(cat /etc/ssh/ssh_host_ed25519_key.pub) >/etc/ssh/ssh_known_hosts\n"
        "chmod 644 /etc/ssh/ssh_known_hosts"
    )
    command = root.command("/usr/sbin/sshd", "-D", "-o", "ListenAddress=127.0.0.1", "-p", str(port))
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listening("127.0.0.1", port), "sshd does not listen", 60)
        yield port
    finally:
        process.terminate()
        process.wait()


def recovery(root: Root) -> None:
    """The store, a dry run, and a command that is run and proven over SSH: by the engine's user."""
    add = ("imap4-recovery", "credentials", "add", "mail", "--account", "recovery", "--private-key-stdin")
    allowed = ("--machines", "127.0.0.1", "--actions", "external-process")
    with sshd(root) as port:
        key = root.shell("cat /root/key")
        assert root.says(*add, *allowed, user="nagios", stdin=key) == (0, "Added mail.\n", "")
        modes = root.shell("stat -c '%a %U %n' /etc/check_imap4 /etc/check_imap4/* /var/lib/check_imap4")
        assert modes.splitlines() == [
            "700 nagios /etc/check_imap4",
            "600 nagios /etc/check_imap4/credentials",
            "600 nagios /etc/check_imap4/credentials.key",
            "600 nagios /etc/check_imap4/credentials.lock",
            "700 nagios /var/lib/check_imap4",
        ]
        run = ("imap4-recovery", "external-process", "--machine", "127.0.0.1", "--port", str(port))
        dry = root.says(*run, "--credential", "mail", "--dry-run", "--", "/bin/echo", "x", user="nagios")
        assert (dry[0], dry[2]) == (0, "")
        last = "OK - external-process /bin/echo on 127.0.0.1: dry run, would act: asked for by hand"
        assert dry[1].splitlines()[-1] == last
        code, output, errors = root.says(*run, "--credential", "mail", "--", "/bin/echo", "x", user="nagios")
        assert (code, errors) == (0, "")
        done = r"/bin/echo ended after \d+\.\d s \(exit status 0\)"
        assert re.fullmatch(rf"OK - external-process /bin/echo on 127\.0\.0\.1: {done}\n", output), output
        # Begun anew by the program's own path: a package's modules are in no common place.
        code, output, _ = root.says(
            *run, "--credential", "mail", "--detach", "--", "/bin/echo", "x", user="nagios"
        )
        assert code == 0
        assert "begun as recovery 2 in a session of its own" in output
        told = ("imap4-recovery", "history", "list")
        ended = lambda: len(re.findall(rf"proven: {done}", root.says(*told, user="nagios")[1])) == 2  # noqa: E731
        wait_until(ended, "the recovery in the background does not end", 60)


def units(root: Root, *more: str) -> None:
    """systemd takes every unit with its path, and none is enabled."""
    folder = root.shell(
        "for f in /usr/lib /lib; do [ -e $f/systemd/system/imap4-worker.service ] && echo $f && break; done"
    )
    names = (
        "imap4-worker.service",
        "imap4-sweep.service",
        "imap4-rehearse.service",
        "imap4-rehearse.timer",
        *more,
    )
    paths = [f"{folder.strip()}/systemd/system/{name}" for name in names]
    code, output, errors = root.says("systemd-analyze", "verify", "--man=no", *paths)
    assert (code, output, errors) == (0, "", "")
    assert root.shell("find /etc/systemd -name 'imap4*'") == ""


def remove_and_purge(root: Root, *packages: str) -> None:
    """Removing keeps all state and names who still counts on the programs; purging takes what these made.

    It follows no link, and leaves what people and engines wrote.
    """
    owner = packages[-1]
    root.shell(
        "echo '# mine' >/etc/check_imap4/monitors.toml\n"
        "ln -s /etc/passwd /var/lib/check_imap4/link\n"
        "mkdir /root/precious; echo '# mine' >/root/precious/file\n"
        # As the engine's user could, in folders of its own.
        "cd /var/lib/imap4-monitor; mv store old; ln -s /root/precious store\n"
    )
    said = root.apt("remove", *packages)
    for name in ("commands", "monitors"):
        assert f"its programs are still named in /etc/nagios4/conf.d/imap4-{name}.cfg\n" in said
    kept = "/etc/check_imap4/credentials /etc/check_imap4/credentials.key /var/lib/check_imap4/history.db"
    root.shell(f"ls {kept} /var/lib/imap4-monitor/records/*.tsv /etc/nagios-plugins/config/check_imap4.cfg")
    left = root.shell("find /usr /lib -name '*imap4*' -xdev")
    assert left == ""
    said = root.apt("purge", *packages)
    assert f"{owner}: left /etc/check_imap4, which has files of yours\n" in said
    assert f"{owner}: left /etc/imap4-monitor, which has files of yours\n" in said
    assert (
        root.shell("ls -A /etc/check_imap4 /root/precious")
        == "/etc/check_imap4:\nmonitors.toml\n\n/root/precious:\nfile\n"
    )
    gone = "/var/lib/check_imap4 /var/lib/imap4-monitor /etc/nagios-plugins/config/check_imap4.cfg"
    assert root.shell(f"for each in {gone}; do [ -e $each ] && echo $each; done; true") == ""
    root.shell("getent passwd nagios root; ls /etc/nagios4/conf.d/imap4-monitors.cfg /etc/passwd")


def setup(root: Root) -> None:
    """The set-up leaves alone what the package brought, proves the engine, and is taken back."""
    before = root.shell("find /etc/systemd /usr/local/bin /etc/nagios4 | sort")
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert (ended.stderr, ended.returncode) == ("", 0)
    # The package's own, which have the right paths already.
    assert "imap4-collect" not in ended.stdout.partition("verified by")[0]
    assert "/usr/local/bin" not in ended.stdout
    for scene in ("check:    the engine's", "alert:    the server", "repair:   imap4-recovery was started"):
        assert f"\n  {scene}" in ended.stdout
    assert "\n  recovery: the server answers again, and the contact was told OK\n" in ended.stdout
    assert "nothing to change" in root.run("imap4-monitor", "setup").stdout
    gone = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert (gone.stderr, gone.returncode) == ("", 0)
    assert root.shell("find /etc/systemd /usr/local/bin /etc/nagios4 | sort") == before
