"""The doctor before main files that are not right; the engines' tests show it a right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from imap4.monitor.engines.icinga2.verifier import parse_objects
from tests.unit.imap4.monitor.conftest import Run

GOLDEN = Path(__file__).parents[2] / "golden" / "definition.toml"


def test_a_main_file_as_debian_ships_it_is_told_line_by_line(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "nagios.cfg").write_text(
        "# main\ninterval_length=60\nenable_event_handlers = 0\n"
        f"illegal_macro_output_chars=`~$&|'\"<>\ncommand_file={tmp_path}/none\nstatus_file={tmp_path}/none\n"
        "retain_state_information=1\nuse_retained_scheduling_info=1\ninterval_length=30\n"
    )
    ended = imap4_monitor(
        "doctor",
        "naemon",
        "--config",
        "nagios.cfg",
        "--command-file",
        f"{tmp_path}/none",
        "-f",
        str(GOLDEN),
        *("--interval-length", "60"),
    )
    assert (ended.stderr, ended.returncode) == ("", 1)
    lines = ended.stdout.splitlines()
    assert lines[0] == "BAD  interval_length is 30"
    assert lines[2] == "     render again with --interval-length 30, and restart the engine"
    assert lines[4] == "BAD  retained_service_attribute_mask is 0 (the engine's default)"
    assert lines[6] == "     nagios.cfg: add retained_service_attribute_mask=1024"
    assert lines[7] == "BAD  cached_service_check_horizon is 15 (the engine's default)"
    assert "ok   service_check_timeout is 60 (the engine's default)" in lines
    assert "     nagios.cfg:3: change to enable_event_handlers=1" in lines
    assert f"BAD  {tmp_path}/none takes no commands" in lines


def test_what_the_running_engine_has_is_looked_at_too(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "status.dat").write_text(
        "programstatus {\n\tenable_notifications=0\n\tenable_event_handlers=1\n"
        "\tactive_service_checks_enabled=1\n\tprogram_start=1\n\t}\n\n"
        "hoststatus {\n\thost_name=mail\n\tcurrent_state=1\n\t}\n\n"
        "servicestatus {\n\thost_name=mail\n\tservice_description=Mail _Berlin_\n\t}\n"
    )
    (tmp_path / "nagios.cfg").write_text(f"status_file={tmp_path}/status.dat\n")
    lines = imap4_monitor("doctor", "nagios", "--config", "nagios.cfg", "-f", str(GOLDEN)).stdout.splitlines()
    assert "BAD  the running engine has enable_notifications=0" in lines
    assert "BAD  the running engine has not read the main file as it is now" in lines
    assert "ok   the service Mail _Berlin_ on the host mail is there" in lines
    assert "BAD  the service Gateway on the host gateway is not there" in lines
    assert "BAD  the host mail is not UP" in lines


def test_what_somebody_has_switched_for_a_service_is_told(imap4_monitor: Run, tmp_path: Path) -> None:
    service = (
        "servicestatus {\n\thost_name=mail\n\tservice_description=Mail _Berlin_\n\tcurrent_state=0\n"
        "\tevent_handler_enabled=%s\n\tnotifications_enabled=%s\n\tflap_detection_enabled=%s\n\t}\n"
    )
    (tmp_path / "nagios.cfg").write_text(f"status_file={tmp_path}/status.dat\n")

    def told(*values: str) -> list[str]:
        (tmp_path / "status.dat").write_text(service % values)
        ended = imap4_monitor("doctor", "nagios", "--config", "nagios.cfg", "-f", str(GOLDEN))
        begin = "BAD  the service Mail _Berlin_ on the host mail has "
        return [line.removeprefix(begin) for line in ended.stdout.splitlines() if line.startswith(begin)]

    assert told("0", "0", "1") == [
        "event_handler_enabled=0",
        "notifications_enabled=0",
        "flap_detection_enabled=1",
    ]
    assert told("1", "1", "0") == []


def test_an_engine_that_is_not_there_is_one_finding(imap4_monitor: Run) -> None:
    ended = imap4_monitor("doctor", "nagios", "--config", "/nonexistent")
    assert ended.stdout.splitlines()[0] == "BAD  /nonexistent cannot be read"
    assert ended.returncode == 1
    ended = imap4_monitor("doctor", "icinga2", "--config", "/nonexistent")
    assert ended.stdout.splitlines()[0] == "BAD  /nonexistent is not valid"
    assert ended.returncode == 1


CACHE = """\
define command {
\tcommand_name\timap4-pace
\tcommand_line\t/x/imap4-monitor pace --command-file /x/cmd --interval-length 60 --host '$HOSTNAME$'
\t}

define command {
\tcommand_name\timap4-check-mail
\tcommand_line\t'/x y/check_imap4' -H mail.example.org -e 'a$$b'
\t}

define command {
\tcommand_name\timap4-recovery-mail-1
\tcommand_line\tNAGIOS_HOSTNAME='$HOSTNAME$' NAGIOS_ALERT=$$(( 1 + 1 )) exec /x/imap4-recovery restart-service
\t}

define contact {
\tcontact_name\tadmins
\t}

define service {
\thost_name\tmail
\tservice_description\tOld
\tcheck_command\timap4-check-mail
\t}

"""


def test_what_the_engine_has_rendered_is_looked_at(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "objects.cache").write_text(CACHE)
    (tmp_path / "nagios.cfg").write_text(
        "object_cache_file=objects.cache\ncommand_file=rw/cmd\ninterval_length=30\nnagios_user=nobody\n"
    )
    ended = imap4_monitor("doctor", "nagios", "--config", "nagios.cfg", "-f", str(GOLDEN))
    lines = ended.stdout.splitlines()
    assert lines[:6] == [
        "BAD  interval_length is 30",
        "     the rendered delays are in units of 60 s; every one would be another",
        "     render again with --interval-length 30, and restart the engine",
        f"BAD  command_file is {tmp_path}/rw/cmd",
        "     the rendered handler writes to /x/cmd",
        f"     render again with --command-file {tmp_path}/rw/cmd, and restart the engine",
    ]
    assert lines[6:9] == [
        "BAD  repairs tell what came of them to the engine that their unit names",
        f"     the engine reads {tmp_path}/rw/cmd; nobody hears of them where the unit's environment names "
        "no engine",
        f"     render again with --command-file {tmp_path}/rw/cmd, and restart the engine",
    ]
    assert "BAD  the engine knows no contact or contact group boss" in lines
    assert not any("group admins" in line for line in lines)
    assert "BAD  the monitor Old on the host mail is in no definition that was given" in lines
    for name, path in (
        ("imap4-monitor", "/x/imap4-monitor"),
        ("check_imap4", "/x y/check_imap4"),
        ("imap4-recovery", "/x/imap4-recovery"),
    ):
        at = lines.index(f"BAD  {path} cannot be run: {Path(path).parent}: No such file or directory")
        assert lines[at + 1] == f"     it is {name}, which the engine runs"


def test_an_interval_that_outlived_a_restart_is_told(imap4_monitor: Run, tmp_path: Path) -> None:
    service = "servicestatus {\n\thost_name=mail\n\tservice_description=Mail _Berlin_\n\tcurrent_state=0\n"
    (tmp_path / "nagios.cfg").write_text("status_file=status.dat\n")
    for units, bad in (("11.000000", True), ("2.000000", False), ("2.000100", False)):
        (tmp_path / "status.dat").write_text(f"{service}\tcheck_interval={units}\n\t}}\n")
        ended = imap4_monitor("doctor", "nagios", "--config", "nagios.cfg", "-f", str(GOLDEN))
        title = "BAD  the service Mail _Berlin_ on the host mail is tested every 660 s while Up, not 120"
        assert (title in ended.stdout) == bad
    remedy = "nagios.cfg: add retained_service_attribute_mask=1024"
    assert remedy in ended.stdout  # Lost is 600 s, and Up 120 s


def test_naemons_included_files_are_part_of_its_main_file(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "naemon.cfg").write_text("cfg_dir=conf.d\ninclude_dir=module-conf.d\ninterval_length=60\n")
    (tmp_path / "module-conf.d" / "below").mkdir(parents=True)
    (tmp_path / "module-conf.d" / "a.cfg").write_text("cached_service_check_horizon=0\ninterval_length=20\n")
    for ignored in (".hidden.cfg", "b.txt", "below/c.cfg"):
        (tmp_path / "module-conf.d" / ignored).write_text("interval_length=7\n")
    ended = imap4_monitor("doctor", "naemon", "--config", "naemon.cfg", "--interval-length", "60")
    lines = ended.stdout.splitlines()
    # Naemon reads the folder where its line stands, so the main file's later line wins.
    assert lines[0] == "ok   interval_length is 60"
    assert "ok   cached_service_check_horizon is 0" in lines
    (tmp_path / "naemon.cfg").write_text("cfg_dir=conf.d\ninclude_dir=module-conf.d\n")
    ended = imap4_monitor("doctor", "naemon", "--config", "naemon.cfg", "--interval-length", "60")
    assert ended.stdout.splitlines()[0] == "BAD  interval_length is 20"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/bin/ls", "it is not text"),
        ("/etc/passwd", "it has none of nagios's settings, such as cfg_dir or command_file"),
        ("/etc", "it is not a file"),
    ],
)
def test_a_file_that_is_no_main_file_is_not_examined(imap4_monitor: Run, path: str, why: str) -> None:
    ended = imap4_monitor("doctor", "nagios", "--config", path)
    remedy = "     give the main file with --config"
    assert ended.stdout.splitlines() == [f"BAD  {path} is no main file of nagios", f"     {why}", remedy]
    assert ended.returncode == 1
    ended = imap4_monitor("render", "nagios", str(GOLDEN), "-o", "out", "--config", path)
    assert (ended.stderr, ended.returncode) == (f"--config: {path} is no main file of nagios: {why}\n", 3)


def test_icingas_objects_are_read_by_type_and_full_name() -> None:
    record = b'{"name":"Mail","type":"Service","properties":{"__name":"h!Mail"}}'
    netstring = b"%d:%s," % (len(record), record)
    assert parse_objects(netstring) == {"Service": {"h!Mail": {"__name": "h!Mail"}}}


def test_the_folder_for_records_is_looked_at_where_a_monitor_wants_it(
    imap4_monitor: Run, tmp_path: Path
) -> None:
    def told(*more: str) -> list[str]:
        ended = imap4_monitor("doctor", "nagios", "--config", "/nonexistent", "-f", str(GOLDEN), *more)
        return [line for line in ended.stdout.splitlines() if "records" in line or "install" in line]

    folder = tmp_path / "records of tests"
    assert told("--records", str(folder)) == [
        f"BAD  {folder} (records of tests) is not there",
        f"     install -d -o USER -g GROUP -m 2755 {folder}, "
        "with the engine's user and group (nagios, naemon)",
    ]
    folder.mkdir(mode=0o755)
    folder.chmod(0o777)
    assert told("--records", str(folder))[0] == f"BAD  {folder} (records of tests) is writable for everybody"
    folder.chmod(0o775)
    assert told("--records", str(folder)) == [f"ok   {folder} (records of tests) is writable"]
    assert told("--records", "") == []
