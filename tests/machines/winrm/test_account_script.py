"""The script that sets the account up and takes it away, on what stands in for sc.exe, WinRM and secedit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machines.winrm import lanes

SCRIPT = lanes.ROOT / "contrib" / "windows" / "recovery-account.ps1"
SID = "S-1-5-21-1-2-3-1001"
# As a Windows Server shows them.
LISTS = {
    "root": "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
    "scmanager": "D:(A;;CC;;;AU)(A;;CCLCRPRC;;;IU)(A;;CCLCRPRC;;;SU)(A;;KA;;;BA)(A;;CC;;;AC)"
    "S:(AU;FA;KA;;;WD)",
    "Mail": "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)",
    "Web": "D:(D;;WP;;;GU)(A;;CCLCSWLOCRRC;;;IU)S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)",
}
GIVEN = {
    "root": f"O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)(A;;GXGR;;;{SID})S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)",
    "scmanager": f"D:(A;;CC;;;AU)(A;;CCLCRPRC;;;IU)(A;;CCLCRPRC;;;SU)(A;;KA;;;BA)(A;;CC;;;AC)"
    f"(A;;CCLCRPRC;;;{SID})S:(AU;FA;KA;;;WD)",
    "Mail": f"{LISTS['Mail']}(A;;CCLCSWRPWPDTLORC;;;{SID})",
    "Web": f"D:(D;;WP;;;GU)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWRPWPDTLORC;;;{SID})"
    "S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)",
}
STAND_INS = Path(__file__).parent / "standins" / "account.ps1"


class Machine:
    """Lists of rights in files."""

    def __init__(self, folder: Path, pwsh: str) -> None:
        self.folder, self.pwsh = folder, pwsh
        for name, text in LISTS.items():
            (folder / name).write_text(text)
        (folder / "policy").write_text("SeShutdownPrivilege = *S-1-5-32-544\nSeOther = *S-1-1-0\n")

    def run(self, *words: str) -> str:
        text = f". '{STAND_INS}'; & '{SCRIPT}' -Account {SID} {' '.join(words)}"
        done = subprocess.run(
            [self.pwsh, "-NoProfile", "-NonInteractive", "-Command", text],
            env={"LISTS": str(self.folder), "PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    @property
    def lists(self) -> dict[str, str]:
        return {name: (self.folder / name).read_text() for name in LISTS}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, lanes.needed("linux"))


def test_account_gets_its_rights_once_and_loses_them_all(machine: Machine) -> None:
    assert machine.run("-Service Mail, Web") == "7 changes"
    assert machine.lists == GIVEN
    assert (machine.folder / "member").read_text() == SID
    assert machine.run("-Service Mail, Web") == "0 changes"
    assert machine.lists == GIVEN
    assert machine.run("-Remove") == "6 changes"
    assert machine.lists == LISTS
    assert not (machine.folder / "member").exists()
    assert machine.run("-Remove") == "0 changes"


def test_the_key_of_the_repairs_is_shared_by_accounts_and_goes_with_the_last(machine: Machine) -> None:
    key = machine.folder / "key"
    inherited = "(A;CIID;KR;;;BU)(A;CIID;KA;;;BA)"
    machine.run("-Service Mail")
    # Before what is inherited, or Windows would not take it for one of its lists.
    assert key.read_text() == f"O:BAG:SYD:AI(A;CI;KA;;;{SID}){inherited}"
    key.write_text(f"O:BAG:SYD:AI(A;CI;KA;;;S-1-5-21-1-2-3-1002){inherited}")
    machine.run("-Service Mail")
    assert key.read_text() == f"O:BAG:SYD:AI(A;CI;KA;;;{SID})(A;CI;KA;;;S-1-5-21-1-2-3-1002){inherited}"
    machine.run("-Remove")
    assert key.read_text() == f"O:BAG:SYD:AI(A;CI;KA;;;S-1-5-21-1-2-3-1002){inherited}"
    key.write_text(f"O:BAG:SYD:AI(A;CI;KA;;;{SID}){inherited}")
    machine.run("-Remove")
    assert not key.exists()


def test_nothing_is_done_when_only_asked_what_would_be(machine: Machine) -> None:
    assert machine.run("-Service Mail, Web -WhatIf") == "0 changes"
    assert machine.lists == LISTS
    assert not (machine.folder / "member").exists()
    assert not (machine.folder / "key").exists()


def test_older_entry_of_the_account_is_replaced(machine: Machine) -> None:
    (machine.folder / "Mail").write_text(f"{LISTS['Mail']}(A;;CCLCSWRPWPLORC;;;{SID})")
    machine.run("-Service Mail")
    assert machine.lists["Mail"] == GIVEN["Mail"]
