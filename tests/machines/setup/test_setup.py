"""From an engine as Debian installs it to one that is set up and proven, and back."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.machines.private_root import PrivateRoot
from tests.machines.setup.conftest import NewRoot, tree

FILE = "/etc/imap4-monitor/mail.toml"
SCENES = """\
rehearsal, with a private engine and a server on loopback that is broken:
  check:    the engine's test of a server on loopback passes
  alert:    the server refuses connections; after 2 failing tests the contact was told CRITICAL
  repair:   imap4-recovery was started, took the credential and decided to act (dry). No monitor has a \
repair yet, so there is no machine to log in to
  comment:  the engine shows it as a comment on the service
  recovery: the server answers again, and the contact was told OK
"""


def wait_for(root: PrivateRoot, command: str) -> None:
    """Until a command ends well there."""
    end = time.monotonic() + 90
    while root.run("sh", "-c", command).returncode != 0:
        assert time.monotonic() < end, command
        time.sleep(0.2)


def comment(root: PrivateRoot, unit: str) -> subprocess.CompletedProcess[str]:
    """What a repair does at its end, as the engine's user, with the environment that the unit gives it."""
    drop_in = f"/etc/systemd/system/{unit}.service.d/imap4.conf"
    return root.run(
        "sh",
        "-c",
        f"export $(sed -n 's/^Environment=\"\\(.*\\)\"$/\\1/p' {drop_in}); "
        "exec setpriv --reuid nagios --regid nagios --init-groups "
        "imap4-monitor comment --host mail --service Mail 'from a repair'",
    )


def test_nagios_is_set_up_proven_and_taken_back(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    before = tree(root)
    shown = root.run("imap4-monitor", "setup", "--dry-run")
    assert (shown.stderr, shown.returncode) == ("", 0)
    assert "write   /etc/nagios4/conf.d/imap4/check_imap4.cfg  (" in shown.stdout
    assert tree(root) == before
    unasked = root.run("imap4-monitor", "setup")
    assert unasked.returncode == 3
    assert unasked.stderr == ("\nsetup: nobody answered, and nothing was changed; --yes agrees beforehand\n")
    assert tree(root) == before

    ended = root.run("imap4-monitor", "setup", stdin="y\n")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert SCENES in ended.stdout
    modes = root.shell(
        "stat -c '%n %U:%G %a' /etc/check_imap4 /var/lib/check_imap4 /etc/imap4-monitor "
        "/var/lib/imap4-monitor/records /etc/nagios4/conf.d/imap4/check_imap4.cfg"
    )
    assert modes == (
        "/etc/check_imap4 nagios:nagios 700\n/var/lib/check_imap4 nagios:nagios 700\n"
        "/etc/imap4-monitor root:root 755\n/var/lib/imap4-monitor/records nagios:nagios 755\n"
        "/etc/nagios4/conf.d/imap4/check_imap4.cfg root:root 644\n"
    )
    made = tree(root)
    again = root.run("imap4-monitor", "setup")
    assert (again.stderr, again.returncode) == ("", 0)
    assert "nothing to change: all of it is there already\nverified by /usr/sbin/nagios4\n" in again.stdout
    assert tree(root) == made

    # Its own definition: rendered, and read by the real engine, which takes a repair's comment.
    root.shell(f"imap4-monitor new {FILE}; sed -i '/^\\[monitor.recovery\\]/,$d' {FILE}")
    rendered = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (rendered.stderr, rendered.returncode) == ("", 0)
    assert "write   /etc/nagios4/conf.d/imap4/imap4-monitors.cfg  (1 monitor)\n" in rendered.stdout
    engine = subprocess.Popen(
        root.command("sh", "-c", "mkdir -p /run/nagios4; chown nagios /run/nagios4; "
                     "exec nagios4 /etc/nagios4/nagios.cfg"), stdout=subprocess.DEVNULL
    )  # fmt: skip
    try:
        wait_for(root, "grep -q servicestatus /var/lib/nagios4/status.dat")
        told = comment(root, "nagios4")
        assert (told.stdout, told.stderr, told.returncode) == ("", "", 0)
        wait_for(root, "grep -q 'comment_data=from a repair' /var/lib/nagios4/status.dat")
    finally:
        engine.terminate()
        engine.wait(30)

    root.shell("rm -rf /etc/imap4-monitor/mail.toml /var/lib/imap4-monitor/*/* /run/nagios4")
    gone = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert (gone.stderr, gone.returncode) == ("", 0)
    assert gone.stdout.endswith("\nremoved\nrestart the engine, so that it reads what is new\n")
    assert tree(root) == before


def test_icinga_is_set_up_proven_and_taken_back(new_root: NewRoot) -> None:
    root = new_root("icinga2")
    root.shell("icinga2 api setup")
    before = tree(root)
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert SCENES in ended.stdout
    modes = root.shell("stat -c '%n %U:%G %a' /etc/check_imap4/icinga-password "
                       "/etc/icinga2/conf.d/imap4/api-user.conf")  # fmt: skip
    assert modes == (
        "/etc/check_imap4/icinga-password nagios:nagios 600\n"
        "/etc/icinga2/conf.d/imap4/api-user.conf nagios:nagios 640\n"
    )
    password = root.shell("cat /etc/check_imap4/icinga-password").strip()
    assert password not in ended.stdout
    made = tree(root)
    assert "nothing to change" in root.run("imap4-monitor", "setup").stdout
    assert tree(root) == made

    root.shell(f"imap4-monitor new {FILE}; sed -i '/^\\[monitor.recovery\\]/,$d' {FILE}")
    assert root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").returncode == 0
    engine = subprocess.Popen(
        root.command(
            "sh", "-c", "/usr/lib/icinga2/prepare-dirs /usr/lib/icinga2/icinga2; exec icinga2 daemon"
        ),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(root, "ss -ltn | grep -q :5665")
        # The certificate's name is the node's, and it is verified.
        told = comment(root, "icinga2")
        assert (told.stdout, told.stderr, told.returncode) == ("", "", 0)
    finally:
        engine.terminate()
        engine.wait(60)

    root.shell("rm -r /etc/imap4-monitor/mail.toml; rm -rf /var/lib/imap4-monitor/*/*")
    gone = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert (gone.stderr, gone.returncode) == ("", 0)
    assert tree(root) == before


def test_icinga_without_its_api_says_how_to_get_comments(new_root: NewRoot) -> None:
    root = new_root("icinga2")
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "note    for comments of repairs: icinga2 api setup, then run this again\n" in ended.stdout
    assert root.run("test", "-e", "/etc/check_imap4/icinga-password").returncode == 1


# What stands for systemd says nothing, notes what it was told, and makes the link that enabling makes.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> /root/told
wants=/etc/systemd/system/timers.target.wants
case $1 in
enable) mkdir -p $wants; ln -s ../$3 $wants/$3 ;;
disable) rm $wants/$3 ;;
esac
"""


def test_systemd_is_told_what_is_new_and_what_is_gone(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("mkdir -p /run/systemd/system")
    assert root.run("sh", "-c", "cat > /usr/local/sbin/systemctl; chmod 755 /usr/local/sbin/systemctl",
                    stdin=SYSTEMCTL).returncode == 0  # fmt: skip

    def told() -> list[str]:
        lines = root.shell("cat /root/told; rm /root/told").splitlines()
        return [line for line in lines if "imap4-collect" in line or "nagios4" in line or "daemon" in line]

    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout.count("\nrun     systemctl enable --now imap4-collect.timer\n") == 1
    enabled = ["enable --now imap4-collect.timer"]
    assert told() == [*enabled, "daemon-reload", "is-active --quiet nagios4", "restart nagios4"]
    root.shell(f"imap4-monitor new {FILE}; sed -i '/^\\[monitor.recovery\\]/,$d' {FILE}")
    assert root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").returncode == 0
    assert told() == ["daemon-reload", "is-active --quiet nagios4", "reload nagios4"]
    assert root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").returncode == 0
    assert root.run("test", "-e", "/root/told").returncode == 1
    gone = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert (gone.stderr, gone.returncode) == ("", 0)
    disabled = ["disable --now imap4-collect.timer"]
    assert told() == [*disabled, "daemon-reload", "is-active --quiet nagios4", "restart nagios4"]


def test_what_the_verifier_refuses_is_taken_back(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("mkdir /etc/imap4-monitor; imap4-monitor new /etc/imap4-monitor/mail.toml; "
               "sed -i 's/nagiosadmin/nobody-here/' /etc/imap4-monitor/mail.toml")  # fmt: skip
    before = tree(root)
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert ended.returncode == 1
    assert "setup: the engine's verifier refuses its configuration now:\nError: " in ended.stderr
    assert "nobody-here" in ended.stderr
    assert ended.stderr.endswith("\nsetup: all that was written was taken back\n")
    assert tree(root) == before


def test_an_engine_that_was_out_of_order_before_is_told_as_such(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("echo 'define nonsense {' > /etc/nagios4/conf.d/theirs.cfg")
    before = tree(root)
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert ended.returncode == 1
    assert ended.stderr.endswith(
        "\nsetup: all that was written was taken back (it refused it before, too: mend that first)\n"
    )
    assert tree(root) == before


def test_a_rehearsal_that_goes_wrong_is_told_and_done_again(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    script = "#!/bin/sh\\n[ $1 = credentials ] && exit 0\\necho out of order; exit 2\\n"
    root.shell(f"printf '{script}' > /usr/bin/broken; chmod 755 /usr/bin/broken")
    words = ("imap4-monitor", "setup", "--yes", "--recovery-command", "/usr/bin/broken")
    first = root.run(*words)
    assert first.returncode == 1
    assert "  repair:   out of order\n" in first.stdout
    assert first.stderr == (
        "setup: the rehearsal did not go well; all is in place, and the engine was not reloaded\n"
    )
    second = root.run("imap4-monitor", "setup", "--yes")
    assert (second.stderr, second.returncode) == ("", 0)
    assert "nothing to change" in second.stdout
    assert SCENES in second.stdout


def test_a_change_without_a_rehearsal_is_rehearsed_by_the_next_run(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    assert "rehearsal," not in root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").stdout
    assert SCENES in root.run("imap4-monitor", "setup").stdout
    assert "rehearsal," not in root.run("imap4-monitor", "setup").stdout
    root.shell("rm /etc/systemd/system/nagios4.service.d/imap4.conf")
    assert "rehearsal," not in root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").stdout
    assert SCENES in root.run("imap4-monitor", "setup").stdout


def test_repairs_that_the_store_does_not_allow_are_told(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("mkdir /etc/imap4-monitor; imap4-monitor new /etc/imap4-monitor/mail.toml")
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 1)
    assert (
        "repairs, compared with the store of credentials:\n  WARNING - rehearsal: 1 of 1 repairs"
        in ended.stdout
    )
    assert "there is no credential 'mail'" in ended.stdout


def test_a_store_of_root_is_told(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("mkdir -m 700 /etc/check_imap4")
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert ended.returncode == 1
    assert (
        "BAD     /etc/check_imap4 is root's, and the engine runs as nagios, who would not find what it needs "
        "there; run: chown -R nagios: /etc/check_imap4\n"
    ) in ended.stdout


def test_lines_of_a_file_that_is_not_ours_are_shown_and_taken_back(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("sed -i '/^cfg_dir=.*conf.d/d; s/^retain_state_information=1/retain_state_information=0/' "
               "/etc/nagios4/nagios.cfg; mkdir /etc/imap4-monitor; "
               "imap4-monitor new /etc/imap4-monitor/mail.toml; "
               "sed -i '/^\\[monitor.recovery\\]/,$d' /etc/imap4-monitor/mail.toml")  # fmt: skip
    before = root.shell("cat /etc/nagios4/nagios.cfg; stat -c %U:%G:%a /etc/nagios4/nagios.cfg")
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "change  /etc/nagios4/nagios.cfg, which is not ours:\n" in ended.stdout
    for line in ("+cfg_dir=/etc/nagios4/imap4", "-retain_state_information=0", "+retain_state_information=1"):
        assert f"          {line}\n" in ended.stdout
    assert "cfg_dir=/etc/nagios4/imap4\n" in root.shell("cat /etc/nagios4/nagios.cfg")
    assert root.run("imap4-monitor", "setup", "--remove", "--yes").returncode == 0
    after = root.shell("cat /etc/nagios4/nagios.cfg; stat -c %U:%G:%a /etc/nagios4/nagios.cfg")
    assert after == before


def test_icingas_main_file_keeps_its_mode_and_owner(new_root: NewRoot) -> None:
    root = new_root("icinga2")
    root.shell("sed -i 's,^include_recursive \"conf.d\",//&,' /etc/icinga2/icinga2.conf; "
               "echo 'include \"conf.d/templates.conf\"' >> /etc/icinga2/icinga2.conf")  # fmt: skip
    before = root.shell("cat /etc/icinga2/icinga2.conf; stat -c %U:%G:%a /etc/icinga2/icinga2.conf")
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert '          +include_recursive "imap4.d"\n' in ended.stdout
    assert root.run("imap4-monitor", "setup", "--remove", "--yes").returncode == 0
    assert root.shell("cat /etc/icinga2/icinga2.conf; stat -c %U:%G:%a /etc/icinga2/icinga2.conf") == before


def test_what_was_changed_or_filled_since_is_left_and_named(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    assert root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal").returncode == 0
    root.shell("echo '# mine' >> /etc/systemd/system/nagios4.service.d/imap4.conf; "
               "touch /var/lib/check_imap4/history.db")  # fmt: skip
    ended = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert (ended.stderr, ended.returncode) == ("", 0)
    left = [line for line in ended.stdout.splitlines() if line.startswith("left ")]
    drop_in = "/etc/systemd/system/nagios4.service.d"
    assert left == [
        f"left    {drop_in}/imap4.conf: was changed since setup wrote it",
        f"left    {drop_in}/: Directory not empty (imap4.conf)",
        "left    /var/lib/check_imap4/: Directory not empty (history.db)",
    ]
    assert root.shell(f"tail -n 1 {drop_in}/imap4.conf") == "# mine\n"
    assert root.run("imap4-monitor", "setup", "--remove").returncode == 3


def test_a_link_of_the_engines_user_is_not_followed(new_root: NewRoot) -> None:
    root = new_root("icinga2")
    root.shell("echo precious > /etc/precious; chmod 600 /etc/precious; "
               "setpriv --reuid nagios --regid nagios --clear-groups sh -c 'mkdir /etc/icinga2/conf.d/imap4; "
               "ln -s /etc/precious /etc/icinga2/conf.d/imap4/check_imap4.conf'")  # fmt: skip
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert ended.returncode == 3
    assert ended.stderr == (
        "setup: /etc/icinga2/conf.d/imap4/check_imap4.conf: is a link or no file: move it away\n"
    )
    assert root.shell("cat /etc/precious; stat -c %U:%a /etc/precious") == "precious\nroot:600\n"


def test_a_journal_that_others_could_have_written_is_not_believed(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    root.shell("install -d -o nagios /etc/imap4-monitor; "
               """echo '{"version": 1, "proven": true, "made": [{"kind": "file", "path": "/etc/passwd", """
               """"sha256": "'$(sha256sum < /etc/passwd | cut -d " " -f 1)'"}]}' """
               "> /etc/imap4-monitor/.setup-nagios.json")  # fmt: skip
    ended = root.run("imap4-monitor", "setup", "--remove", "--yes")
    assert ended.returncode == 3
    assert ended.stderr == (
        "setup: /etc/imap4-monitor is another user's, who could change what root removes later; "
        "run: chown root /etc/imap4-monitor\n"
    )
    assert root.run("test", "-s", "/etc/passwd").returncode == 0


NO_NAGIOS = "setup: /etc/nagios4/nagios.cfg is there, but not its engine (/usr/sbin/nagios4): install it, "
TWO = (
    "setup: there is more than one engine: nagios (/etc/nagios4/nagios.cfg); icinga2 "
    "(/etc/icinga2/icinga2.conf); choose with --engine NAME\n"
)
NO_ICINGA = "setup: there is no engine here (none of /etc/icinga2/icinga2.conf"
BAD = "/etc/imap4-monitor/a.toml"


@pytest.mark.parametrize(
    ("engines", "prepare", "words", "said"),
    [
        pytest.param("", "", "", "setup: there is no engine here (none of /etc/nagios4/", id="none"),
        pytest.param("nagios4 icinga2", "", "", TWO, id="two"),
        pytest.param("nagios4", "rm /usr/sbin/nagios4", "", NO_NAGIOS, id="no-program"),
        pytest.param(
            "nagios4",
            "echo nonsense > /etc/nagios4/nagios.cfg",
            "",
            "setup: /etc/nagios4/nagios.cfg is no main file of nagios: it has none of nagios's settings",
            id="nonsense",
        ),
        pytest.param("nagios4", "", "--engine icinga2", NO_ICINGA, id="another"),
        pytest.param(
            "nagios4",
            "",
            "--config /nowhere/nagios.cfg",
            "setup: /nowhere/nagios.cfg: cannot be read: No such file or directory; run this as root\n",
            id="config",
        ),
        pytest.param(
            "nagios4",
            "chattr +i /etc/nagios4/conf.d || mount -t tmpfs -o ro none /etc/nagios4/conf.d",
            "",
            "setup: /etc/nagios4/conf.d/imap4: ",
            id="unwritable",
        ),
        pytest.param("nagios4", f"mkdir /etc/imap4-monitor; echo x > {BAD}", "", BAD, id="definition"),
        pytest.param(
            "nagios4",
            "chmod go-x $(dirname $(command -v imap4-monitor))",
            "",
            "setup: ",
            id="unreadable",
        ),
        pytest.param(
            "nagios4",
            "userdel nagios",
            "",
            "setup: /etc/nagios4/nagios.cfg: there is no user nagios: is the engine installed?\n",
            id="no-user",
        ),
    ],
)
def test_whatever_the_system_is_like_there_is_one_clear_line(
    new_root: NewRoot, engines: str, prepare: str, words: str, said: str
) -> None:
    root = new_root(engines)
    if prepare:
        root.shell(prepare)
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal", *words.split())
    assert ended.returncode in (1, 3)
    assert ended.stderr.startswith(said), ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr


def test_only_root_sets_up_but_everybody_may_look(new_root: NewRoot) -> None:
    root = new_root("nagios4")
    as_nagios = (
        "setpriv",
        "--reuid",
        "nagios",
        "--regid",
        "nagios",
        "--init-groups",
        "imap4-monitor",
        "setup",
    )
    ended = root.run(*as_nagios, "--yes")
    assert (ended.stderr, ended.returncode) == (
        "setup: only root can set this up: run it with sudo; --dry-run shows what it would do\n",
        3,
    )
    assert root.run(*as_nagios, "--dry-run").returncode == 0
