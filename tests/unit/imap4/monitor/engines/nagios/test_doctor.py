"""The doctor before main files that are not right; the engines' tests show it a right one."""

from __future__ import annotations

from pathlib import Path

from imap4.monitor.engines.icinga2.doctor import parse_objects
from tests.unit.imap4.monitor.conftest import Run

GOLDEN = Path(__file__).parents[2] / "golden" / "definition.toml"


def test_a_main_file_as_debian_ships_it_is_told_line_by_line(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "nagios.cfg").write_text(
        "# main\ninterval_length=60\nenable_event_handlers = 0\n"
        f"illegal_macro_output_chars=`~$&|'\"<>\ncommand_file={tmp_path}/none\nstatus_file={tmp_path}/none\n"
        "retain_state_information=1\nuse_retained_scheduling_info=1\ninterval_length=30\n"
    )
    ended = imap4_monitor(
        "doctor", "naemon", "--config", "nagios.cfg", "--command-file", f"{tmp_path}/none", "-f", str(GOLDEN)
    )
    assert (ended.stderr, ended.returncode) == ("", 1)
    lines = ended.stdout.splitlines()
    assert lines[0] == "BAD  interval_length is 30"
    assert lines[2] == "     render again with --interval-length 30"
    assert lines[3] == "BAD  retained_service_attribute_mask is 0 (the engine's default)"
    assert lines[5] == "     nagios.cfg: add retained_service_attribute_mask=1024"
    assert lines[6] == "BAD  cached_service_check_horizon is 15 (the engine's default)"
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


def test_an_engine_that_is_not_there_is_one_finding(imap4_monitor: Run) -> None:
    ended = imap4_monitor("doctor", "nagios", "--config", "/nonexistent")
    assert ended.stdout.splitlines()[0] == "BAD  /nonexistent cannot be read"
    assert ended.returncode == 1
    ended = imap4_monitor("doctor", "icinga2", "--config", "/nonexistent")
    assert ended.stdout.splitlines()[0] == "BAD  /nonexistent is not valid"
    assert ended.returncode == 1


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
