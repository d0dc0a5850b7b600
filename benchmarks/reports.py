"""Measures records and reports: collecting a day, the size of a year, a month's report, a status.

    python benchmarks/reports.py [--folder DIR] [--only collect,size,report,status]

Everything is made up; times, outages and causes are like those of real servers, so that files are as large.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imap4.handover.record_file import file_name
from imap4.monitor.records import lines
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
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 2):
        sys.exit(f"{arguments}: {done.returncode}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - start, after.ru_maxrss / 1024, done.stdout


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


def fill(store: Path, monitors: int, first: int, days: int, interval: int) -> None:
    """Make a store as ``collect`` would have left it: one file a day."""
    store.mkdir(parents=True)
    database = connect(str(store))
    manifest = Manifest()
    columns = ", ".join(lines.COLUMNS)
    phase = "exp({0} + 0.3 * sqrt(-2 * ln(random() + 1e-9)) * cos(6.2832 * random()))::DECIMAL(9,5)".format
    for day in range(days):
        begin = first + day * DAY
        name = time.strftime("%Y%m%d", time.gmtime(begin))
        target = store / f"{name}-00000000.parquet"
        # Each monitor has an outage of half an hour every ten days, and one test in 2,000 fails by chance.
        database.execute(
            f"""copy (with t as (select i % {monitors} as n, {begin} + (i // {monitors}) * {interval} as s,
                 random() as r
                 from range({monitors} * {DAY // interval}) x(i)),
                 u as (select *, case when (n + {day}) % 10 = 0 and s % 86400 between 30000 + n and 31800 + n
                       or r < 0.0005 then 2 else 0 end as state from t),
                 v as (select make_timestamp_ms(s * 1000 + (random() * 900)::BIGINT) as moment,
                 'Mail ' || lpad(n::VARCHAR, 5, '0') as id, state::UTINYINT as state,
                 case when state = 2 then 'connect.refused' end as cause, {phase(-4)} as seconds,
                 {phase(-8)} as resolve, {phase(-6)} as connect, {phase(-5)} as tls,
                 {phase(-4.5)} as greeting,
                 null::DECIMAL(9,5) as capability, null::DECIMAL(9,5) as login, {phase(-6)} as logout,
                 'mail' || n || '.example.org:143' as target, '192.0.2.1' as address,
                 (90 - {day} % 60)::FLOAT as days_left, false as downtime, 'monitor' as recorder,
                 case when state = 2 then 'IMAP4 CRITICAL - mail' || n || ':143 connection refused' end
                 as message,
                 null::INTEGER as holds, 300 as up, 300 as warn, 300 as down, 300 as lost, 3 as failures,
                 3 as alerts, 10 as duration from u)
                 select {columns} from v order by id, moment) to '{target}'
                 (format parquet, compression zstd, parquet_version v2, row_group_size 122880)"""
        )
        rows = monitors * (DAY // interval)
        manifest.parts.append(Part(target.name, name, rows, begin * 1000, (begin + DAY) * 1000, True))
    save(store, manifest)


def size(folder: Path, monitors: int = 1000, days: int = 365) -> None:
    """A year on the disk; a tenth of it is made, every day is alike."""
    fill(folder / "store", monitors, int(time.time()) // DAY * DAY - 40 * DAY, days // 10, 300)
    used = sum(path.stat().st_size for path in (folder / "store").iterdir()) / (days // 10) * days
    print(f"{monitors} monitors for a year at 300 s: {used / 1e9:.2f} GB")


def reporting(folder: Path, monitors: int = 1000) -> None:
    """A month's report in every form."""
    first = int(time.time()) // DAY * DAY - 32 * DAY
    fill(folder / "store", monitors, first, 31, 300)
    path = definition(folder, monitors)
    (folder / "records").mkdir()
    span = [time.strftime("%Y-%m-%dT%H:%M", time.gmtime(each)) for each in (first, first + 31 * DAY)]
    for form in ("text", "csv", "json", "html"):
        target = folder / f"report.{form}"
        cpu, clock, memory, _ = measured(
            *(
                "report",
                "-f",
                str(path),
                "--records",
                str(folder / "records"),
                "--store",
                str(folder / "store"),
            ),
            *("--timezone", "UTC", "--from", span[0], "--to", span[1], "--format", form, "-o", str(target)),
        )
        print(
            f"report as {form}: {cpu:.1f} s of CPU, {clock:.1f} s, {memory:.0f} MB,"
            f" {target.stat().st_size} bytes"
        )


def status(folder: Path, monitors: int = 10_000) -> None:
    """The status of many monitors, an hour of it not collected yet."""
    now = int(time.time())
    first = now // DAY * DAY - DAY
    fill(folder / "store", monitors, first, 2, 300)
    manifest = load(folder / "store")
    records = folder / "records"
    records.mkdir()
    chance = random.Random(1)  # noqa: S311 - figures for a benchmark
    path = records / file_name(now, 0)
    with path.open("w") as file:
        for number in range(monitors * 12):
            file.write(_line(now - 3600 + number * 3600 / (monitors * 12), number % monitors, chance))
    save(folder / "store", manifest)
    names = (
        "-f",
        str(definition(folder, monitors)),
        "--records",
        str(records),
        "--store",
        str(folder / "store"),
    )
    cpu, clock, memory, _ = measured("status", *names)
    print(f"status of {monitors} monitors: {cpu:.1f} s of CPU, {clock:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
