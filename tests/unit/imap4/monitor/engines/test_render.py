"""Rendering: what the files say, and what happens to files that are there already."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from imap4.check.options import parse_arguments
from imap4.monitor.definition.reader import load, parse
from imap4.monitor.engines.command_lines import Programs, check_arguments, slugs
from imap4.monitor.engines.icinga2 import objects as icinga2
from imap4.monitor.engines.nagios import objects as nagios
from imap4.monitor.engines.rendered_files import RenderError, write
from imap4.monitor.model import Monitor
from tests.conftest import THEIR_USER
from tests.unit.imap4.monitor.conftest import Run

GOLDEN = Path(__file__).parents[1] / "golden"
# What the golden files name, whatever is on this machine.
PLACES = (
    *("--check-command", Programs.check, "--monitor-command", Programs.monitor),
    *("--recovery-command", Programs.recovery, "--command-file", Programs.command_file),
    *("--interval-length", "60"),
)


@pytest.mark.parametrize("engine", ["nagios", "icinga2"])
def test_the_files_are_those_in_the_golden_folder(engine: str) -> None:
    """``tools/golden`` writes them anew; read the difference before you commit it."""
    make = {"nagios": nagios.render, "icinga2": icinga2.render}[engine]
    files = make(load(GOLDEN / "definition.toml"), Programs())
    assert sorted(files) == sorted(path.name for path in (GOLDEN / engine).iterdir())
    for name, text in files.items():
        assert text == (GOLDEN / engine / name).read_text(), name


PORT = "port = 2222", ("--port", "2222")
JUMP = 'jump = ["gate@gate1:2222", "[::1]"]', ("--jump", "gate@gate1:2222", "--jump", "[::1]")


@pytest.mark.parametrize(("line", "words"), [PORT, JUMP], ids=["port", "jump"])
@pytest.mark.parametrize("engine", ["nagios", "naemon", "icinga2"])
def test_the_way_to_the_machine_is_a_few_words_more_and_nothing_else(
    imap4_monitor: Run, tmp_path: Path, engine: str, line: str, words: tuple[str, ...]
) -> None:
    before, more = " --credential mail-restart", f" {shlex.join(words)}"
    if engine == "icinga2":
        before = '    "--credential",\n    "mail-restart",\n'
        more = "".join(f'    "{word}",\n' for word in words)
    text = (GOLDEN / "definition.toml").read_text()
    machine = 'machine = "mail.example.org"\n'
    (tmp_path / "definition.toml").write_text(text.replace(machine, f"{machine}{line}\n"))
    assert imap4_monitor("render", engine, "definition.toml", "-o", "out", *PLACES).returncode == 0
    golden = {
        path.name: path.read_text()
        for path in (GOLDEN / ("icinga2" if engine == "icinga2" else "nagios")).iterdir()
    }
    assert "".join(golden.values()).count(before) == 2
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found == {name: each.replace(before, before + more) for name, each in golden.items()}


def test_rendering_again_changes_nothing(imap4_monitor: Run, tmp_path: Path) -> None:
    command = ("render", "naemon", str(GOLDEN / "definition.toml"), "-o", "out")
    first = imap4_monitor(*command)
    told = "out/imap4-monitors.cfg: {} (2 monitors: {} new, 0 removed)\n"
    assert first.stdout == "out/imap4-commands.cfg: written\n" + told.format("written", 2)
    before = {path: path.stat().st_ino for path in (tmp_path / "out").iterdir()}
    again = imap4_monitor(*command)
    assert again.stdout == "out/imap4-commands.cfg: unchanged\n" + told.format("unchanged", 0)
    assert {path: path.stat().st_ino for path in (tmp_path / "out").iterdir()} == before


def test_a_file_that_is_not_ours_is_left_alone_and_so_is_every_other(tmp_path: Path) -> None:
    write(tmp_path, {"a.cfg": "# Written by imap4-monitor from x.\nold\n"})
    (tmp_path / "b.cfg").write_text("mine\n")
    with pytest.raises(RenderError, match=r"b\.cfg: was not written by imap4-monitor"):
        write(
            tmp_path, {"a.cfg": "# Written by imap4-monitor\nnew\n", "b.cfg": "# Written by imap4-monitor\n"}
        )
    assert (tmp_path / "a.cfg").read_text().endswith("old\n")
    assert (tmp_path / "b.cfg").read_text() == "mine\n"


ONE = '[[monitor]]\nname = "{}"\naddress = "192.0.2.1"\nhost = "mail"\ndelays = {{ up = 600 }}\n'
"""Two such files have monitors on the same host."""


def _files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.toml").write_text(ONE.format(name.upper()))


@pytest.mark.parametrize("engine", ["nagios", "icinga2"])
def test_several_files_are_rendered_together_and_none_removes_another_silently(
    imap4_monitor: Run, tmp_path: Path, engine: str
) -> None:
    _files(tmp_path, "a", "b")
    ending = "conf" if engine == "icinga2" else "cfg"
    file = f"out/imap4-monitors.{ending}"
    ended = imap4_monitor("render", engine, "a.toml", "-o", "out")
    assert ended.stdout.splitlines()[1] == f"{file}: written (1 monitor: 1 new, 0 removed)"
    before = (tmp_path / file).read_text()
    refused = imap4_monitor("render", engine, "b.toml", "-o", "out")
    assert (refused.stdout, refused.returncode) == ("", 3)
    assert refused.stderr == (
        f"render: {file}: was rendered from a.toml too, and 1 of its monitors would go; give it as well, "
        "all files in one call; or let the monitors go with --replace\n"
    )
    assert (tmp_path / file).read_text() == before
    # Both remedies.
    both = imap4_monitor("render", engine, "b.toml", "a.toml", "-o", "out")
    assert both.stdout.splitlines()[1] == f"{file}: written (2 monitors: 1 new, 0 removed)"
    text = (tmp_path / file).read_text()
    assert text.splitlines()[0].endswith(" Written by imap4-monitor from a.toml, b.toml.")
    assert text.count('object Host "mail"' if engine == "icinga2" else "define host {") == 1
    gone = imap4_monitor("render", engine, "b.toml", "-o", "out", "--replace")
    assert gone.stdout.splitlines()[1:] == [
        f"{file}: written (1 monitor: 0 new, 1 removed)",
        "  removed: A on the host mail",
    ]


def test_a_monitor_that_is_taken_out_of_a_file_is_named(imap4_monitor: Run, tmp_path: Path) -> None:
    odd = 'Mail \\\\ "x" \u00e9'
    (tmp_path / "m.toml").write_text(ONE.format("A") + ONE.format(odd.replace('"', '\\"')))
    for engine, ending in (("nagios", "cfg"), ("icinga2", "conf")):
        (tmp_path / "m.toml").write_text(ONE.format("A") + ONE.format(odd.replace('"', '\\"')))
        assert imap4_monitor("render", engine, "m.toml", "-o", engine).returncode == 0
        (tmp_path / "m.toml").write_text(ONE.format("A"))
        ended = imap4_monitor("render", engine, "m.toml", "-o", engine)
        assert ended.stdout.splitlines()[1:] == [
            f"{engine}/imap4-monitors.{ending}: written (1 monitor: 0 new, 1 removed)",
            "  removed: Mail _ _x_ \u00e9 on the host mail",
        ]


def test_what_two_files_have_in_common_is_told_at_the_second(imap4_monitor: Run, tmp_path: Path) -> None:
    _files(tmp_path, "a")
    (tmp_path / "b.toml").write_text("# mine\n" + ONE.format("A"))
    ended = imap4_monitor("render", "nagios", "a.toml", "b.toml", "-o", "out")
    said = 'b.toml:2: monitor "A": name: a.toml has it already; choose another\n'
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", said, 1)
    ended = imap4_monitor("render", "nagios", "a.toml", "./a.toml", "-o", "out")
    assert (ended.stderr, ended.returncode) == ("./a.toml: is given twice\n", 1)
    assert not (tmp_path / "out").exists()


def test_a_second_folder_gets_only_the_monitors(imap4_monitor: Run, tmp_path: Path) -> None:
    _files(tmp_path, "a", "b")
    assert imap4_monitor("render", "nagios", "a.toml", "-o", "one").returncode == 0
    ended = imap4_monitor("render", "nagios", "b.toml", "-o", "two", "--no-shared", "--existing-hosts")
    assert ended.returncode == 0
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["imap4-monitors.cfg"]


def test_the_engines_main_file_says_its_unit_and_its_command_file(imap4_monitor: Run, tmp_path: Path) -> None:
    _files(tmp_path, "a")
    (tmp_path / "nagios.cfg").write_text("command_file=rw/cmd\ninterval_length=30\n")
    assert imap4_monitor("render", "nagios", "a.toml", "-o", "out", "--config", "nagios.cfg").returncode == 0
    text = (tmp_path / "out" / "imap4-commands.cfg").read_text()
    assert f" pace --command-file {tmp_path}/rw/cmd --interval-length 30 " in text
    assert "check_interval                20\n" in (tmp_path / "out" / "imap4-monitors.cfg").read_text()


def test_naemon_has_its_own_command_file(imap4_monitor: Run, tmp_path: Path) -> None:
    _files(tmp_path, "a")
    assert imap4_monitor("render", "naemon", "a.toml", "-o", "out").returncode == 0
    text = (tmp_path / "out" / "imap4-commands.cfg").read_text()
    assert " pace --command-file /var/lib/naemon/naemon.cmd --interval-length 60 " in text


def test_an_up_delay_that_the_engine_will_round_up_is_told(imap4_monitor: Run, tmp_path: Path) -> None:
    text = ONE.format("A").replace("up = 600", "up = 90, lost = 600")
    (tmp_path / "a.toml").write_text(text)
    command = ("render", "nagios", "a.toml", "-o", "out", "--interval-length", "60")
    ended = imap4_monitor(*command)
    assert ended.returncode == 0
    assert ended.stderr.splitlines()[-1] == (
        'render: warning: "A": after an outage, a test comes every 120 s while Up, not 90, until the '
        "engine restarts, since it takes whole units of 60 s then; Down and Lost delays that are shorter "
        "than Up's by test_duration avoid this"
    )
    (tmp_path / "a.toml").write_text(text.replace("lost = 600", "down = 80, lost = 80"))
    assert '"A"' not in imap4_monitor(*command).stderr


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("# Written by imap4-monitor\n")
    (tmp_path / "a.cfg").symlink_to(tmp_path / "target")
    with pytest.raises(RenderError):
        write(tmp_path, {"a.cfg": "new\n"})
    assert (tmp_path / "target").read_text() == "# Written by imap4-monitor\n"


def test_a_files_mode_is_kept(tmp_path: Path) -> None:
    write(tmp_path, {"a.cfg": "# Written by imap4-monitor\n1\n"})
    (tmp_path / "a.cfg").chmod(0o640)
    write(tmp_path, {"a.cfg": "# Written by imap4-monitor\n2\n"})
    assert (tmp_path / "a.cfg").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a.cfg").read_text().endswith("2\n")


def test_a_folder_that_cannot_be_written_is_one_clear_line(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file\n")
    ended = imap4_monitor("render", "nagios", str(GOLDEN / "definition.toml"), "-o", "out")
    assert (ended.stderr, ended.returncode) == ("render: out: cannot be written: File exists\n", 3)


def test_existing_hosts_are_not_made_again() -> None:
    definition = load(GOLDEN / "definition.toml")
    for make in (nagios.render, icinga2.render):
        made = "".join(make(definition, Programs()).values())
        found = "".join(make(definition, Programs(), existing_hosts=True).values())
        for start in ("define host {", 'object Host "'):
            assert made.count(start) in (0, 2)
            assert found.count(start) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        'logout = "ignore"\ntest_duration = 60',
        'tls = { mode = "tls" }',
        'tls = { mode = "starttls", ca_file = "/ca", server_name = "m", minimum = "1.3", client_cert = "/c", '
        'client_key = "/k" }',
        'tls = { mode = "tls", verify = false }',
        "tls = { verify = false }",
        'options = ["-e", "^220 ", "-c", "5", "--name", "Mail", "--all-addresses", "-4"]',
        'tls = { verify = false }\noptions = ["--login", "--user", "u", "--password-file", "/p"]',
    ],
)
def test_the_check_understands_every_rendered_command_line(text: str) -> None:
    definition = parse(f'[[monitor]]\nname = "Mail"\naddress = "mail.example.org"\n{text}\n', "file")
    options = parse_arguments(check_arguments(definition.monitors[0], Programs())[1:])
    assert options.host == "mail.example.org"
    assert options.timeout == definition.monitors[0].test_duration


def test_the_path_of_a_socket_has_no_port() -> None:
    definition = parse('[[monitor]]\nname = "Mail"\naddress = "/run/dovecot/imap"\nhost = "mail"\n', "file")
    options = parse_arguments(check_arguments(definition.monitors[0], Programs())[1:])
    assert options.unix_path == "/run/dovecot/imap"


def test_names_that_shorten_to_the_same_are_told_apart_and_stay_the_same() -> None:
    monitors = [Monitor(name, "192.0.2.1", "h") for name in ("Mail 1", "mail-1", "\u6f22", "IMAP")]
    found = list(slugs(monitors).values())
    assert found[3] == "imap"
    assert len(set(found)) == 4
    assert list(slugs(reversed(monitors)).values()) == found[::-1]


@pytest.mark.parametrize(("engine", "shown"), [("nagios", "display_name"), ("icinga2", "display_name")])
def test_a_new_name_with_the_old_id_changes_what_is_shown_and_nothing_else(
    imap4_monitor: Run, tmp_path: Path, engine: str, shown: str
) -> None:
    text = (GOLDEN / "definition.toml").read_text()
    for name, key in (("old", ""), ("new", 'id = "Gateway"\n')):
        text_of = text.replace('name = "Gateway"\n', f'name = "{name if key else "Gateway"}"\n{key}')
        (tmp_path / "monitors.toml").write_text(text_of)
        assert imap4_monitor("render", engine, "monitors.toml", "-o", name).returncode == 0

    def lines(folder: str) -> set[str]:
        return {line for path in (tmp_path / folder).iterdir() for line in path.read_text().splitlines()}

    assert all(shown in line or line == "# new" for line in lines("new") - lines("old"))
    assert lines("old") - lines("new") <= {"# Gateway"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write into another user's folder")
def test_root_renders_into_another_users_folder_as_that_user(their_folder: Path) -> None:
    theirs, roots = their_folder / "conf.d", their_folder / "roots"
    theirs.mkdir()
    roots.mkdir()
    (theirs / "sub").symlink_to(roots)
    for path in (theirs, theirs / "sub"):
        os.chown(path, THEIR_USER, THEIR_USER, follow_symlinks=False)
    files = {"a.cfg": "# Written by imap4-monitor\n1\n"}

    write(theirs, files)
    with pytest.raises(RenderError, match="cannot be written: Permission denied"):
        write(theirs / "sub", files)

    assert (theirs / "a.cfg").stat().st_uid == THEIR_USER
    assert list(roots.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_a_link_or_a_fifo_in_a_files_place_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.cfg"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        write(tmp_path, {"b.cfg": "# Written by imap4-monitor\n1\n"})
        path.symlink_to(tmp_path / "b.cfg")
    with pytest.raises(RenderError, match=r"a\.cfg: was not written by imap4-monitor"):
        write(tmp_path, {"a.cfg": "# Written by imap4-monitor\n2\n"})


def test_a_period_is_that_of_the_service_or_of_every_notification(imap4_monitor: Run, tmp_path: Path) -> None:
    text = (GOLDEN / "definition.toml").read_text()
    (tmp_path / "definition.toml").write_text(
        text.replace("[defaults]", '[defaults]\nperiod = "workhours"', 1)
    )
    found = {}
    for engine, name in (("nagios", "imap4-monitors.cfg"), ("icinga2", "imap4-monitors.conf")):
        assert imap4_monitor("render", engine, "definition.toml", "-o", engine).returncode == 0
        found[engine] = (tmp_path / engine / name).read_text()
    assert found["nagios"].count("    notification_period           workhours\n") == 2
    assert (
        found["icinga2"].count('  period = "workhours"\n')
        == found["icinga2"].count("object Notification ")
        == 6
    )


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("nagios", ("--command-file", "/x/cmd"), "--nagios-command-file /x/cmd"),
        ("naemon", ("--command-file", "/x/cmd"), "--nagios-command-file /x/cmd"),
        (
            "icinga2",
            (),
            '"--icinga-api",\n    "https://localhost:5665",\n    "--icinga-server-name",\n    NodeName,\n',
        ),
        (
            "icinga2",
            ("--icinga-api", "https://icinga.example.org:5666"),
            '"--icinga-api",\n    "https://icinga.example.org:5666",\n    "--machine",\n',
        ),
    ],
)
def test_repairs_are_told_where_the_engine_hears_of_them(
    imap4_monitor: Run, tmp_path: Path, engine: str, options: tuple[str, ...], said: str
) -> None:
    definition = str(GOLDEN / "definition.toml")
    assert imap4_monitor("render", engine, definition, "-o", "out", *options).returncode == 0
    (monitors,) = (tmp_path / "out").glob("imap4-monitors.*")
    assert monitors.read_text().count(said) == 2


@pytest.mark.parametrize("url", ["http://localhost:5665", "https://root:secret@localhost", "localhost"])
def test_an_api_that_is_none_or_holds_a_password_is_not_rendered(imap4_monitor: Run, url: str) -> None:
    definition = str(GOLDEN / "definition.toml")
    ended = imap4_monitor("render", "icinga2", definition, "-o", "out", "--icinga-api", url)
    assert (ended.stdout, ended.returncode) == ("", 3)
    assert "--icinga-api: give an address like https://icinga.example.org:5665, and " in ended.stderr
    assert "root" not in ended.stderr
