"""The Director's basket before a real Icinga Director, with a PostgreSQL of its own on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines import icinga

CONTRIB = Path(__file__).parents[2] / "contrib"
BASKET = CONTRIB / "icinga-director" / "basket.json"
MODULES = Path("/usr/share/icingaweb2/modules")
DATABASE = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
Director = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_baskets_command_is_that_of_icingas_file(tmp_path: Path) -> None:
    config = icinga.make(tmp_path)
    shutil.copy(CONTRIB / "icinga2" / "check_imap4.conf", tmp_path / "objects")
    assert icinga.verify(config).returncode == 0
    command = icinga.objects(tmp_path, "CheckCommand")["imap4"]
    assert json.loads(BASKET.read_text())["Command"]["imap4"]["arguments"] == command["arguments"]


# PostgreSQL refuses to be root.
OWNER = "postgres" if os.geteuid() == 0 else None


def database(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs."""
    assert DATABASE is not None
    subprocess.run(
        [DATABASE / name, *arguments],
        user=OWNER,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        timeout=60,
    )


@pytest.fixture
def director() -> Iterator[Director]:
    """Runs ``icingacli director`` against an empty database."""
    if not (shutil.which("icingacli") and DATABASE and (MODULES / "director").exists()):
        pytest.skip("there is no Icinga Director with PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="imap4-director-"))
    data = folder / "database"
    data.mkdir()
    if OWNER:
        shutil.chown(data, OWNER)
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["icingacli", "director", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", "ICINGAWEB_CONFIGDIR": str(folder / "web"), "LC_ALL": "C.UTF-8"},
        )

    _configure(folder / "web", port)
    cluster = str(data / "cluster")
    connect = ("-h", "127.0.0.1", "-p", str(port))
    database("initdb", "-D", cluster, "-A", "trust", "-U", "director", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        database("pg_ctl", "-D", cluster, "-o", options, "-l", str(data / "log"), "-w", "start")
        database("createdb", *connect, "-U", "director", "director")
        database("psql", *connect, "-U", "director", "-c", "CREATE EXTENSION pgcrypto", "director")
        ended = run("migration", "run")
        assert ended.returncode == 0, ended.stderr
        yield run
    finally:
        database("pg_ctl", "-D", cluster, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, port: int) -> None:
    """Icinga Web's configuration: the modules, and the database."""
    (folder / "modules" / "director").mkdir(parents=True)
    (folder / "enabledModules").mkdir()
    for name in ("director", "incubator", "reactbundle"):
        (folder / "enabledModules" / name).symlink_to(MODULES / name)
    (folder / "config.ini").write_text(f'[global]\nmodule_path = "{MODULES}"\n[logging]\nlog = "none"\n')
    (folder / "modules" / "director" / "config.ini").write_text('[db]\nresource = "director"\n')
    (folder / "resources.ini").write_text(
        '[director]\ntype = "db"\ndb = "pgsql"\nhost = "127.0.0.1"\ncharset = "utf8"\n'
        f'port = "{port}"\ndbname = "director"\nusername = "director"\npassword = "-"\n'
    )


def test_the_director_restores_the_basket_and_icinga_takes_what_it_makes_of_it(
    director: Director, tmp_path: Path
) -> None:
    ended = director("basket", "restore", stdin=BASKET.read_text())
    assert ended.stdout.strip() == "Objects from Basket Snapshot have been restored", ended.stderr
    template = json.loads(director("service", "show", "imap4", "--json").stdout)
    assert (template["object_type"], template["check_command"]) == ("template", "imap4")
    config = icinga.make(tmp_path)
    (tmp_path / "objects" / "director.conf").write_text(director("command", "show", "imap4").stdout)
    ended = icinga.verify(config)
    assert ended.returncode == 0, ended.stdout
    made = icinga.objects(tmp_path, "CheckCommand")["imap4"]
    assert made["arguments"] == json.loads(BASKET.read_text())["Command"]["imap4"]["arguments"]
