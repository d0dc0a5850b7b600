"""The files of each package, laid out as they will be installed: Debian's, its bundle, and the RPM.

Usage: staging.py native|bundle|rpm FOLDER

FOLDER gets a tree for each package. The native pair has its modules in a private folder, since ``imap4`` and
``recovery`` are too general names for everybody's; it uses the system's libraries. The bundle is one tree
with a private environment of libraries, pinned by constraints.txt, on the system's Python.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools import completion, manpages  # noqa: E402 - the checkout is not installed
from tools.commit import commit_of, write_commit  # noqa: E402

PRIVATE = "usr/share/check-imap4"
"""The native packages' modules."""
ENVIRONMENT = "usr/lib/check-imap4"
"""The bundle's environment."""
PROGRAMS = {
    "imap4-monitor": "imap4.monitor.program:run",
    "imap4-worker": "imap4.worker.cli:run",
    "imap4-recovery": "recovery.cli:main",
}
ROOMS = ("monitor", "worker")
"""The folders of imap4 that the check does without."""
UNITS = ("imap4-worker.service", "imap4-sweep.service", "imap4-rehearse.service", "imap4-rehearse.timer")
REPORTS = (
    *("imap4-collect.service", "imap4-collect.timer"),
    *("imap4-report.service", "imap4-report.timer"),
)
"""Units that need the records' database, which only the bundle has."""
_NO_CODE = shutil.ignore_patterns("__pycache__", "*.pyc")


@dataclass(frozen=True)
class Layout:
    """Where a distribution has what is not the same everywhere; paths without the leading slash."""

    plugins: str = "usr/lib/nagios/plugins"
    units: str = "usr/lib/systemd/system"
    zsh: str = "usr/share/zsh/vendor-completions"
    icinga: str = "usr/share/icinga2/include/plugins-contrib.d"
    nagios: str = "etc/nagios-plugins/config"


DEBIAN13 = Layout()
DEBIAN12 = Layout(units="lib/systemd/system")
REDHAT = Layout(
    plugins="usr/lib64/nagios/plugins", zsh="usr/share/zsh/site-functions", nagios="etc/nagios/objects"
)


def native(folder: Path) -> None:
    """Lay out the native packages: ``check-imap4`` and ``imap4-monitor``."""
    check, monitor = folder / "check-imap4", folder / "imap4-monitor"
    _copy(ROOT / "check_imap4.py", check / PRIVATE)
    shutil.copytree(ROOT / "imap4", check / PRIVATE / "imap4", ignore=_left_out)
    write_commit(check / PRIVATE / "imap4" / "__init__.py", commit_of(ROOT))
    _program(check / DEBIAN13.plugins / "check_imap4", starter("/usr/bin/python3", f"/{PRIVATE}"))
    for room in ROOMS:
        shutil.copytree(ROOT / "imap4" / room, monitor / PRIVATE / "imap4" / room, ignore=_NO_CODE)
    shutil.copytree(ROOT / "recovery", monitor / PRIVATE / "recovery", ignore=_NO_CODE)
    for name, entry in PROGRAMS.items():
        module, function = entry.split(":")
        _program(
            monitor / "usr/bin" / name,
            f'#!/usr/bin/python3 -I\nimport sys\n\nsys.path.insert(0, "/{PRIVATE}")\n'
            f"from {module} import {function}\n\nsys.exit({function}())\n",
        )
    # By which the worker knows this very plugin: imap4/worker/jobs/ours.py.
    (monitor / PRIVATE / "check_imap4").symlink_to(f"/{DEBIAN13.plugins}/check_imap4")
    _share(check, monitor, DEBIAN13, UNITS)


def bundle(folder: Path, name: str = "check-imap4-bundle", layout: Layout | None = None) -> None:
    """Lay out the one package with everything, Kerberos apart, which is compiled."""
    layout = layout or _debian()
    top = folder / name
    _environment(top / ENVIRONMENT)
    _program(top / layout.plugins / "check_imap4", starter(f"/{ENVIRONMENT}/bin/python3"))
    (top / ENVIRONMENT / "bin" / "check_imap4").symlink_to(f"/{layout.plugins}/check_imap4")
    (top / "usr/bin").mkdir(parents=True)
    for program in PROGRAMS:
        (top / "usr/bin" / program).symlink_to(f"/{ENVIRONMENT}/bin/{program}")
    _share(top, top, layout, (*UNITS, *REPORTS))
    _copy(ROOT / "contrib" / "mail-report", top / ENVIRONMENT)
    (top / ENVIRONMENT / "mail-report").chmod(0o755)


def _debian() -> Layout:
    """Of the Debian that this runs on; what has no number is newer than all that have one."""
    number = platform.freedesktop_os_release().get("VERSION_ID", "99")
    return DEBIAN12 if int(number.partition(".")[0]) < 13 else DEBIAN13


def starter(python: str, modules: str = "") -> str:
    """The plugin's program: scripts/check_imap4 with a Python and a folder of modules that need no search.

    A search needs a PATH, which an engine's may be without.
    """
    text = (ROOT / "scripts" / "check_imap4").read_text()
    head, rest = text.split("self=$0\n")
    trap = re.search(r"^# Where exec fails.*?(?=^python=)", rest, re.DOTALL | re.MULTILINE)
    run = re.search(r'^ +(exec "\$python" -I.*)$', rest, re.MULTILINE)
    start = re.search(r"^start='\n.*?^'$", rest, re.DOTALL | re.MULTILINE)
    assert trap
    assert run
    assert start
    first = "try:\n    if sys.version_info < (3, 11):\n"
    assert first in start[0]
    code = start[0].replace(first, f'sys.path.insert(0, "{modules}")\n{first}') if modules else start[0]
    return (
        f"{head}{code}\npython={python}\n"
        f'[ -x "$python" ] || unknown "there is no $python"\n{trap[0]}{run[1]}\neval "$failed"\n'
    )


def system_python() -> Path:
    """The Python that the bundle is for: the system's own, by the name that no later one has."""
    return Path("/usr/bin/python3").resolve()


def _left_out(folder: str, names: list[str]) -> set[str]:
    rooms = set(ROOMS) if Path(folder) == ROOT / "imap4" else set()
    return set(_NO_CODE(folder, names)) | rooms & set(names)


def _environment(folder: Path) -> None:
    """An environment whose Python is the system's, with the pinned libraries and this checkout."""
    shutil.rmtree(folder, ignore_errors=True)
    python = str(system_python())
    run = [python, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(run, check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", f"{folder}/bin/python"]
    quiet = ["install", "--quiet", "--no-compile", "--no-warn-script-location"]
    pinned = ["--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *quiet, *pinned], check=True)
    subprocess.run([*pip, *quiet, "--no-deps", str(ROOT)], check=True)
    _make_movable(folder, python)


def _make_movable(folder: Path, python: str) -> None:
    """Take out where it was built: what is left is the same wherever that was, and fits where it will be."""
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    binaries = folder / "bin"
    for path in binaries.iterdir():
        path.unlink()
    for name in ("python", "python3"):
        (binaries / name).symlink_to(python)
    for name, entry in PROGRAMS.items():
        module, function = entry.split(":")
        _program(
            binaries / name,
            f"#!/{ENVIRONMENT}/bin/python3 -I\nimport sys\n\nfrom {module} import {function}\n\n"
            f"sys.exit({function}())\n",
        )
    for left in ("include", "share", "lib64"):
        path = folder / left
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
    (site,) = (folder / "lib").glob("python3.*/site-packages")
    for tests in site.glob("*/tests"):
        shutil.rmtree(tests)
    for record in site.glob("*.dist-info"):
        # What pip needs to uninstall, and where it got it: neither is of use in a package.
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
            (record / name).unlink(missing_ok=True)


def _share(check: Path, monitor: Path, layout: Layout, units: tuple[str, ...]) -> None:
    """What no Python is: units, definitions for engines, completion, pages and documents."""
    _engines(check, layout)
    for unit in units:
        path = monitor / layout.units / unit
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_unit(ROOT / "contrib" / "systemd" / unit))
    (monitor / "etc" / "imap4-monitor").mkdir(parents=True, exist_ok=True)
    folders = {
        "bash": "usr/share/bash-completion/completions",
        "zsh": layout.zsh,
        "fish": "usr/share/fish/vendor_completions.d",
    }
    for shell, name in completion.SHELLS.items():
        for program in completion.PROGRAMS:
            top = check if program == "check_imap4" else monitor
            path = top / folders[shell] / name.format(program)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(completion.complete(program, shell))
    for name, text in manpages.pages().items():
        path = (check if name == "check_imap4" else monitor) / "usr/share/man/man1" / f"{name}.1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _engines(check: Path, layout: Layout) -> None:
    """The check's command for Nagios (without contrib's services, which are examples) and for Icinga 2."""
    text = (ROOT / "contrib" / "nagios" / "check_imap4.cfg").read_text()
    commands = re.findall(r"(?:^#.*\n)*^define command \{\n.*?^\}\n", text, re.DOTALL | re.MULTILINE)
    path = check / layout.nagios / "check_imap4.cfg"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(commands).replace("/usr/lib/nagios/plugins", f"/{layout.plugins}"))
    _copy(ROOT / "contrib" / "icinga2" / "check_imap4.conf", check / layout.icinga)


def _unit(path: Path) -> str:
    """A unit with the packages' paths. It is not started, so its beginning says what is left to do."""
    text = re.sub(r"\A(?:#.*\n)*", "", path.read_text())
    text = text.replace("/usr/local/bin/mail-report", f"/{ENVIRONMENT}/mail-report")
    text = text.replace("/usr/local/bin/", "/usr/bin/")
    program = re.search(r"^ExecStart=/usr/bin/(\S+)((?: [a-z]+)*)", text, re.MULTILINE)
    page = f"{program[1]}{program[2]}".strip().replace(" ", "-") if program else "imap4-monitor-report"
    # All definitions are in one folder where the packages' programs look; a unit's command knows no patterns.
    text = text.replace(
        "ExecStart=/usr/bin/imap4-recovery rehearse --save /etc/check_imap4/monitors.toml",
        "ExecStart=/bin/sh -c 'exec /usr/bin/imap4-recovery rehearse --save /etc/imap4-monitor/*.toml'",
    )
    if path.suffix == ".service":
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^(Description=.*\n)", rf"\1Documentation=man:{page}(1)\n", text, flags=re.MULTILINE)
    return f"# Settings of your own: systemctl edit {path.name}\n{text}"


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, folder)


if __name__ == "__main__":
    target = Path(sys.argv[2])
    if sys.argv[1] == "native":
        native(target)
    elif sys.argv[1] == "bundle":
        bundle(target)
    else:
        bundle(target, "check-imap4", REDHAT)
