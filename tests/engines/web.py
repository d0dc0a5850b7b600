"""Nagios' own web pages on loopback: its CGI programs behind a small server, and a browser for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PROGRAMS = Path("/usr/lib/cgi-bin/nagios4")
PAGES = Path("/usr/share/nagios4/htdocs")
STYLES = Path("/etc/nagios4/stylesheets")
BROWSER = shutil.which("chromium")

CGI = """\
main_config_file={folder}/nagios.cfg
physical_html_path={pages}
url_html_path=/nagios4
use_authentication=0
use_ssl_authentication=0
escape_html_tags=1
"""


class Handler(BaseHTTPRequestHandler):
    """Runs the CGI programs, and hands out the files that their pages need."""

    config: Path

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        program = PROGRAMS / parts.path.rsplit("/", 1)[-1]
        if parts.path.startswith("/cgi-bin/") and program.is_file():
            self._run(program, parts.query)
        else:
            self._file(parts.path)

    def _run(self, program: Path, query: str) -> None:
        environment = {
            **os.environ,
            "NAGIOS_CGI_CONFIG": str(self.config),
            "REQUEST_METHOD": "GET",
            "QUERY_STRING": query,
            "SCRIPT_NAME": f"/cgi-bin/{program.name}",
            "SERVER_NAME": "localhost",
        }
        ended = subprocess.run([program], env=environment, capture_output=True, timeout=30)
        head, _, body = ended.stdout.replace(b"\r\n", b"\n").partition(b"\n\n")
        kind = [line for line in head.decode().splitlines() if line.lower().startswith("content-type:")]
        self._answer(200, kind[0].split(":", 1)[1].strip() if kind else "text/html", body)

    def _file(self, path: str) -> None:
        name = path.removeprefix("/nagios4/")
        styles = name.startswith("stylesheets/")
        file = (STYLES / name.removeprefix("stylesheets/")) if styles else (PAGES / name)
        if ".." in name or not file.is_file():
            self._answer(404, "text/plain", b"")
            return
        kinds = {
            ".css": "text/css",
            ".js": "text/javascript",
            ".png": "image/png",
            ".gif": "image/gif",
        }
        self._answer(200, kinds.get(file.suffix, "text/html"), file.read_bytes())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Pages:
    """A server for the pages of one engine."""

    def __init__(self, folder: Path) -> None:
        config = folder / "cgi.cfg"
        config.write_text(CGI.format(folder=folder, pages=PAGES))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"config": config}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def browse(url: str, profile: Path, *options: str) -> str:
    """What a browser makes of a page; its standard output comes back."""
    assert BROWSER is not None
    quiet = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
        *("--window-size=1100,1000", "--virtual-time-budget=5000"),
    )
    ended = subprocess.run(
        [BROWSER, *quiet, f"--user-data-dir={profile}", *options, url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        errors="replace",
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout
