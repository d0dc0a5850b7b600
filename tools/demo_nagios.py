"""``make demo-nagios``: a private Nagios watches an IMAP4 server that breaks, and tells what happens.

Everything runs on loopback, in a temporary folder, and is gone afterwards.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))

from imap4.deadline import Deadline  # noqa: E402
from imap4.monitor.definition.reader import load  # noqa: E402
from imap4.monitor.engines.command_lines import Programs  # noqa: E402
from imap4.monitor.engines.nagios.objects import render  # noqa: E402
from imap4.monitor.engines.rendered_files import write  # noqa: E402
from imap4.monitor.simulate import Outage, as_text, simulate  # noqa: E402
from tests.engines import nagios_core  # noqa: E402
from tests.engines.servers import BYE, OK, Scripted  # noqa: E402

FAILURES = 5
DEFINITION = """\
[[monitor]]
name = "Mail"
address = "127.0.0.1"
host = "mail"
port = {port}
test_duration = 5
failures_per_alert = 2
maximum_alerts = 2
contacts = ["admins"]
delays = {{ up = 6, warn = 2, down = 4, lost = 6 }}
"""


def say(text: str, begin: float | None = None) -> None:
    """One line for the person, with the seconds since the first failing test where there was one."""
    clock = "" if begin is None else f"{time.time() - begin:5.0f} s  "
    print(clock + text, flush=True)


def program(folder: Path, name: str, module: str) -> str:
    """A command of this checkout as a file that an engine can run."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{TOP}:$PYTHONPATH" exec "{sys.executable}" -m {module} "$@"\n')
    path.chmod(0o755)
    return str(path)


def prepare(folder: Path, port: int) -> nagios_core.Nagios:
    """A configured engine, not started."""
    definition = folder / "monitors.toml"
    definition.write_text(DEFINITION.format(port=port))
    monitors = load(definition)
    say(f"The definition:\n\n{definition.read_text()}")
    say(f"What the downtime simulator says of {FAILURES} failing tests:\n")
    say(as_text(simulate(monitors.monitors[0], Outage(length=18))) + "\n")
    main = nagios_core.make(folder)
    mail = folder / "mail"
    nagios_core.contact(
        folder, "admins", f"echo '$NOTIFICATIONTYPE$ to admins: $SERVICEDESC$ is $SERVICESTATE$' >> {mail}"
    )
    mail.touch()
    programs = Programs(
        check=program(folder, "check_imap4", "check_imap4"),
        monitor=program(folder, "imap4-monitor", "imap4.monitor.cli"),
        command_file=str(folder / "rw" / "nagios.cmd"),
    )
    for each in write(folder / "objects", render(monitors, programs)):
        say(f"rendered {each.name}")
    ended = nagios_core.verify(main)
    if ended.returncode != 0:
        raise SystemExit(ended.stdout)
    say("Nagios' own verifier accepts it: Total Errors: 0\n")
    return nagios_core.Nagios(folder)


def told(line: str) -> str | None:
    """A line of the engine's log in plain words, or None where it does not matter here."""
    found = re.match(r"\[\d+\] SERVICE ALERT: mail;Mail;(\w+);(\w+);(\d+);(.*)", line)
    if found:
        return f"Nagios: test {found[1]} ({found[2]}, attempt {found[3]}): {found[4]}"
    found = re.match(r"\[\d+\] EXTERNAL COMMAND: (SCHEDULE\w+|CHANGE\w+);mail;Mail;(\d+)", line)
    if found and found[1].startswith("SCHEDULE"):
        return f"pace:   next test in {max(0, int(found[2]) - time.time()):.0f} s"
    return None


def watch(engine: nagios_core.Nagios, server: Scripted) -> bool:
    """Narrate until the recovery notification; whether it came."""
    mail = engine.folder / "mail"
    seen, notices, begin = 0, 0, None
    deadline = Deadline(120)
    while not deadline.expired:
        if begin is None and server.tests > 1:
            begin = time.time()
        lines = engine.log().splitlines()
        for line in lines[seen:]:
            text = told(line)
            if text:
                say(text, begin)
        seen = len(lines)
        sent = mail.read_text().splitlines()
        for line in sent[notices:]:
            say(f"=====>  {line}", begin)
        notices = len(sent)
        if any(line.startswith("RECOVERY") for line in sent):
            return True
        time.sleep(0.2)
    return False


def main() -> int:
    """0 if everything happened until the recovery notification."""
    folder = Path(tempfile.mkdtemp(prefix="imap4-demo-"))
    server = Scripted([OK, *[BYE] * FAILURES])
    engine = prepare(folder, server.port)
    try:
        engine.start()
        say("Nagios runs. The server is well for one test; then it says BYE to the next five.\n")
        recovered = watch(engine, server)
    finally:
        engine.stop()
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    say(
        "\nThe server was mended, and everybody who had an alert knows."
        if recovered
        else "\nNo recovery came."
    )
    return 0 if recovered else 1


if __name__ == "__main__":
    sys.exit(main())
