"""The set-up's rehearsal goes through a site's own repair, on a real machine, up to its last step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.private_root import PrivateRoot, why_no_private_root
from tests.machines.recovery.machine import ADDRESS, Machine

DEFINITION = """\
[[monitor]]
name = "Mail"
host = "mail"
address = "{address}"
port = {imap}
contacts = ["nagiosadmin"]
[monitor.recovery]
machine = "{address}"
credential = "mail"
port = {ssh}
services = ["dovecot"]
[[monitor.recovery.action]]
do = "restart-service"
"""


@pytest.fixture
def root(machine: Machine) -> Iterator[PrivateRoot]:
    """A monitoring host that sees the machine; Debian's Nagios is its engine."""
    if why_no_private_root():
        pytest.skip(why_no_private_root())
    if not Path("/usr/sbin/nagios4").exists():
        pytest.skip("nagios4 is not installed")
    with (
        tempfile.TemporaryDirectory(prefix="imap4-root-") as folder,
        PrivateRoot(Path(folder), network=True) as made,
    ):
        made.open_to_all()
        made.shell("rm -rf /etc/icinga2; install -d -o nagios -g nagios -m 700 ~nagios/.ssh")
        yield made


def test_the_repair_of_a_definition_would_act_or_says_why_not(root: PrivateRoot, machine: Machine) -> None:
    assert root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").returncode == 0
    add = ("credentials", "add", "mail", "--account", "root", "--private-key-stdin")
    allowed = ("--machines", "127.0.0.0/8", "--actions", "restart-service")
    key = (machine.folder / "key").read_text()
    assert root.run("imap4-recovery", *add, *allowed, stdin=key).returncode == 0
    values = {"address": ADDRESS, "imap": machine.imap_port, "ssh": machine.ssh_port}
    text = DEFINITION.format(**values)
    assert root.run("tee", "/etc/imap4-monitor/mail.toml", stdin=text).returncode == 0
    before = machine.console("systemctl show -p InvocationID --value dovecot")

    unknown = root.run("imap4-monitor", "setup", "--yes")
    assert unknown.returncode == 1
    assert unknown.stderr == (
        "setup: the rehearsal did not go well; all is in place, and the engine was not reloaded\n"
    )
    assert f"  repair:   (dry, for {ADDRESS}) " in unknown.stdout
    assert "dry run, would fail: host key: " in unknown.stdout

    public = (machine.folder / "host_key.pub").read_text()
    line = f"[{ADDRESS}]:{machine.ssh_port} {public}"
    known = ("sh", "-c", "cat > ~nagios/.ssh/known_hosts; chown nagios ~nagios/.ssh/known_hosts")
    assert root.run(*known, stdin=line).returncode == 0
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "nothing to change" in ended.stdout
    assert "  OK - rehearsal: all 1 repairs of 1 monitors would work\n" in ended.stdout
    assert (
        f"  repair:   (dry, for {ADDRESS}) OK - restart-service dovecot on {ADDRESS}: dry run, would act: "
        "CRITICAL HARD, alert 1, [connect.refused]"
    ) in ended.stdout
    assert "  comment:  the engine shows it as a comment on the service\n" in ended.stdout
    # Dry it was.
    assert machine.console("systemctl show -p InvocationID --value dovecot") == before
