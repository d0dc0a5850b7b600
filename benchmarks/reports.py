"""Measures records and reports: collecting a day, the size of a year, a month's report, a status.

    python benchmarks/reports.py [--folder DIR] [--only collect,size,report,status]

Everything is made up; times, outages and causes are like those of real servers, so that files are as large.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imap4.handover.record_file import file_name
from imap4.monitor.records.changes import with_edges
from imap4.monitor.records.engine import connect
from imap4.monitor.records.manifest import Manifest, Part, load, save

HOUR, DAY = 3600, 86400
COMMAND = [sys.executable, "-m", "imap4.monitor.cli"]


def main() -> int:
    """Run what was asked for, one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    parser.add_argument("--only", default="collect,size,report,status")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imap4-bench-") as temporary:
        folder = given.folder or Path(temporary)
        for name in given.only.split(","):
            {"collect": collecting, "size": size, "report": reporting, "status": status}[name](folder / name)
    return 0


def measured(*arguments: str) -> tuple[float, float, float, str]:
    """Run a command: seconds of CPU, seconds by the clock, the most memory in MB, and its output."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as wrong:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=told, stderr=wrong)
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
        told.seek(0)
        wrong.seek(0)
        # 3 is a mistake, or on a slow machine a monitor whose last test is too long ago by now.
        if said := wrong.read():
            sys.exit(f"{arguments}: {process.returncode}: {said}")
        return used.ru_utime + used.ru_stime, time.monotonic() - start, used.ru_maxrss / 1024, told.read()


def definition(folder: Path, monitors: int) -> Path:
    """A definition of so many monitors."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "monitors.toml"
    each = '[[monitor]]\nname = "Mail {0:05}"\naddress = "mail{0:05}.example.org"\n'
    path.write_text('[defaults]\ncontacts = ["admins"]\n' + "".join(each.format(n) for n in range(monitors)))
    return path


def collecting(folder: Path, monitors: int = 10_000, tests: int = 300) -> None:
    """A day of lines, as checks write them, into the store."""
    records, store = folder / "records", folder / "store"
    records.mkdir(parents=True)
    begin = int(time.time()) // DAY * DAY - 2 * DAY
    chance = random.Random(1)  # noqa: S311 - figures for a benchmark
    for hour in range(24):
        path = records / file_name(begin + hour * HOUR, 0)
        with path.open("w") as file:
            for number in range(monitors * tests // 24):
                now = begin + hour * HOUR + number * HOUR * 24 / (monitors * tests)
                file.write(_line(now, number % monitors, chance))
    cpu, clock, memory, _ = measured("records", "collect", str(records), "--store", str(store))
    rows = sum(part.rows for part in load(store).parts)
    print(f"collect {rows} lines: {cpu:.1f} s of CPU, {clock:.1f} s, {memory:.0f} MB")


def _line(now: float, number: int, chance: random.Random) -> str:
    good = chance.random() > 0.01
    phases = [
        chance.lognormvariate(-8, 0.3),
        chance.lognormvariate(-6, 0.3),
        None,
        chance.lognormvariate(-4, 0.4),
    ]
    times = "\t".join(f"{each:.6f}" if each and good else "" for each in [*phases, None, None, phases[1]])
    told = "\t" if good else "\tconnect.refused"
    message = "" if good else f"IMAP4 CRITICAL - mail{number:05}.example.org:143 connection refused"
    return (
        f"\n1\t{now:.3f}\t{chance.lognormvariate(-4, 0.3):.6f}\tMail {number:05}"
        f"\tmail{number:05}.example.org:143"
        f"\t{0 if good else 2}{told}\t{times}\t192.0.2.1\t\t0\tmonitor\t{message}\t.\n"
    )


# Each monitor has an outage of half an hour every ten days, and one test in 2,000 fails by chance.
_TESTS = """
(with t as (select i % {monitors} as n, {begin} + (i // {monitors}) * {interval} as s, random() as r
            from range({rows}) x(i)),
 u as (select *, case when (n + s // 86400) % 10 = 0 and s % 86400 between 30000 + n and 31800 + n
              or r < 0.0005 then 2 else 0 end as state from t)
 select make_timestamp_ms(s * 1000 + (random() * 900)::BIGINT) as moment,
        'Mail ' || lpad(n::VARCHAR, 5, '0') as id, state::UTINYINT as state,
        case when state = 2 then 'connect.refused' end as cause, {total} as seconds, {resolve} as resolve,
        {connect} as connect, {tls} as tls, {greeting} as greeting, null::DECIMAL(9,5) as capability,
        null::DECIMAL(9,5) as login, {connect} as logout, 'mail' || n || '.example.org:143' as target,
        '192.0.2.1' as address, (90 - s // 86400 % 60)::FLOAT as days_left, false as downtime,
        'monitor' as recorder,
        case when state = 2 then 'IMAP4 CRITICAL - mail' || n || ':143 connection refused' end as message,
        null::INTEGER as holds, 300 as up, 300 as warn, 300 as down, 300 as lost, 3 as failures,
        3 as alerts, 10 as duration from u)
"""


def fill(store: Path, monitors: int, first: int, last: int) -> None:
    """Make a store as ``collect`` would have left it: a file a day, and an hour of a day that is not over."""
    # In a process of its own: its memory would be counted as that of whatever is started later.
    making = multiprocessing.get_context("spawn").Process(target=_fill, args=(store, monitors, first, last))
    making.start()
    making.join()
    if making.exitcode:
        sys.exit(f"{store}: could not be made")


def _fill(store: Path, monitors: int, first: int, last: int, interval: int = 300) -> None:
    store.mkdir(parents=True)
    database = connect(str(store))
    manifest = Manifest()
    normal = "sqrt(-2 * ln(1 - 0.999999 * random())) * cos(6.2832 * random())"
    phase = f"exp({{0}} + 0.3 * {normal})::DECIMAL(9,5)".format
    times = {"total": -4, "resolve": -8, "connect": -6, "tls": -5, "greeting": -4.5}
    begin = first
    while begin < last:
        length = DAY if begin + DAY <= last else HOUR
        day, hour = time.strftime("%Y%m%d %H", time.gmtime(begin)).split()
        target = store / (f"{day}-00000000.parquet" if length == DAY else f"{day}-{hour}-00000000.parquet")
        rows = monitors * (length // interval)
        tests = _TESTS.format(
            **{name: phase(middle) for name, middle in times.items()},
            **{"monitors": monitors, "begin": begin, "interval": interval, "rows": rows},
        )
        database.execute(
            f"copy ({with_edges(tests)}) to '{target}'"
            " (format parquet, compression zstd, parquet_version v2, row_group_size 122880)"
        )
        end = (begin + length) * 1000
        manifest.parts.append(Part(target.name, day, rows, begin * 1000, end - 1, length == DAY))
        begin += length
    save(store, manifest)


def size(folder: Path, monitors: int = 1000, days: int = 365) -> None:
    """A year on the disk; a tenth of it is made, every day is alike."""
    today = int(time.time()) // DAY * DAY
    fill(folder / "store", monitors, today - days // 10 * DAY, today)
    used = sum(path.stat().st_size for path in (folder / "store").iterdir()) / (days // 10) * days
    print(f"{monitors} monitors for a year at 300 s: {used / 1e9:.2f} GB")


def reporting(folder: Path, monitors: int = 1000) -> None:
    """A month's report in every form; the month before it is there too."""
    last = int(time.time()) // DAY * DAY
    fill(folder / "store", monitors, last - 62 * DAY, last)
    path = definition(folder, monitors)
    (folder / "records").mkdir()
    measured("records", "collect", str(folder / "records"), "-f", str(path), "--store", str(folder / "store"))
    begin, end = (time.strftime("%Y-%m-%dT%H:%M", time.gmtime(each)) for each in (last - 31 * DAY, last))
    for form in ("text", "csv", "json", "html"):
        target = folder / f"report.{form}"
        cpu, clock, memory, _ = measured(
            *("report", "-f", str(path), "--records", str(folder / "records")),
            *("--store", str(folder / "store"), "--timezone", "UTC", "--from", begin, "--to", end),
            *("--format", form, "-o", str(target)),
        )
        print(
            f"report as {form}: {cpu:.1f} s of CPU, {clock:.1f} s, {memory:.0f} MB,"
            f" {target.stat().st_size} bytes"
        )


def status(folder: Path, monitors: int = 10_000) -> None:
    """The status of many monitors, an hour of it not collected yet: the first look, and the next one."""
    now = int(time.time())
    closed = (now - 3600) // HOUR * HOUR
    fill(folder / "store", monitors, now // DAY * DAY - DAY, closed)
    records = folder / "records"
    records.mkdir()
    names = ("-f", str(definition(folder, monitors)), "--store", str(folder / "store"))
    cpu, clock, memory, _ = measured("records", "collect", str(records), *names)
    print(f"collecting once, with the summary made anew: {cpu:.1f} s of CPU, {clock:.1f} s, {memory:.0f} MB")
    # After the collector, which would take the hour that is over.
    chance = random.Random(1)  # noqa: S311 - figures for a benchmark
    for number in range(monitors * (now - closed) // 300):
        moment = closed + number * 300 / monitors
        with (records / file_name(moment, 0)).open("a") as file:
            file.write(_line(moment, number % monitors, chance))
    for which in ("first", "next"):
        cpu, clock, memory, _ = measured("status", *names, "--records", str(records))
        print(
            f"{which} status of {monitors} monitors, {(now - closed) / 60:.0f} min of it not collected:"
            f" {cpu:.2f} s of CPU, {clock:.2f} s, {memory:.0f} MB"
        )


if __name__ == "__main__":
    sys.exit(main())
