from __future__ import annotations

import pytest

from imap4.worker import core_messages
from imap4.worker.core_messages import Job

MESSAGE = b"job_id=3\0type=0\0command=check_imap4 -H ::1\0timeout=60\0"


def test_messages_are_cut_at_the_four_bytes() -> None:
    messages, rest = core_messages.split_messages(MESSAGE + b"\1\0\0\0" + MESSAGE + b"\1\0\0\0job")
    assert (messages, rest) == ([MESSAGE, MESSAGE], b"job")


def test_value_that_ends_in_01_does_not_end_the_message() -> None:
    assert core_messages.split_messages(b"command=a\1\0\1\0\0\0") == ([b"command=a\1\0"], b"")


def test_job_is_read() -> None:
    assert core_messages.parse_job(MESSAGE) == Job(MESSAGE, b"check_imap4 -H ::1", 60.0, None)


def test_environment_is_not_repeated() -> None:
    job = core_messages.parse_job(MESSAGE + b"env=NAGIOS_A=1\nNAGIOS_B=x=y\n\0")
    assert job == Job(MESSAGE, b"check_imap4 -H ::1", 60.0, b"NAGIOS_A=1\nNAGIOS_B=x=y\n")


@pytest.mark.parametrize("timeout", [b"", b"timeout=0\0", b"timeout=x\0"])
def test_missing_timeout_is_60_seconds(timeout: bytes) -> None:
    job = core_messages.parse_job(b"job_id=3\0command=c\0" + timeout)
    assert job is not None
    assert job.timeout == 60.0


@pytest.mark.parametrize("message", [b"", b"nonsense", b"command=c\0", b"\0\0=\0"])
def test_message_without_job_id_is_no_job(message: bytes) -> None:
    assert core_messages.parse_job(message) is None


def test_answer_repeats_the_request_and_ends_with_nul_and_delimiter() -> None:
    job = Job(MESSAGE, b"", 60.0, None)
    assert core_messages.finished(job, 1.5, 1.75, 512, b"down\n") == (
        MESSAGE + b"wait_status=512\0start=1.500000\0stop=1.750000\0runtime=0.250000\0exited_ok=1\0"
        b"outerr=\0outstd=down\n\0\1\0\0\0"
    )


def test_timed_out_answer_has_etime() -> None:
    job = Job(MESSAGE, b"", 60.0, None)
    assert core_messages.timed_out(job, 1.0, 61.0) == (
        MESSAGE + b"wait_status=0\0start=1.000000\0stop=61.000000\0runtime=60.000000\0exited_ok=0\0"
        b"error_code=62\0outerr=\0outstd=\0\1\0\0\0"
    )


def test_output_is_cut_at_nul_and_holds_no_delimiter() -> None:
    assert core_messages.printable(b"a\1b\0c") == b"a b"


def test_core_that_agrees_may_send_a_job_at_once() -> None:
    assert core_messages.registered(b"OK\0job_id=1") == b"job_id=1"


def test_half_an_answer_is_waited_for() -> None:
    assert core_messages.registered(b"O") is None


@pytest.mark.parametrize("answer", [b"400: no such handler\0", b"x" * 5000])
def test_core_that_refuses_is_an_error(answer: bytes) -> None:
    with pytest.raises(core_messages.ProtocolError, match="refuses the registration"):
        core_messages.registered(answer)


def test_environment_is_read_up_to_the_next_equals_sign() -> None:
    assert core_messages.parse_environment(b"A=1\nB=x=y\nC\nD=2\nE") == {
        b"A": b"1",
        b"B": b"x=y",
        b"C\nD": b"2",
    }


def test_registration_names_no_process() -> None:
    assert (
        core_messages.register("w", "check_imap4", 9)
        == b"@wproc register name=w;max_jobs=9;plugin=check_imap4\0"
    )
