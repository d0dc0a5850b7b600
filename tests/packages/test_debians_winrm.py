"""WinRM with Debian 13's own libraries, as the native packages use them, against the stand-in endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.listeners import Site, make_site
from tests.machines.winrm.windows import mail_server
from tests.packages.roots import Root, bare

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Accounts and certificates."""
    return make_site(tmp_path_factory.mktemp("winrm"))


@pytest.fixture(scope="module")
def root(native: dict[str, Path], site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with the packages, and with a credential for each way to log in that Debian has."""
    with Root(tmp_path_factory.mktemp("winrm-root"), bare("trixie")) as root:
        for name, path in native.items():
            root.put(path, f"/{name}.deb")
        root.apt("install", "/check-imap4.deb", "/imap4-monitor.deb")
        root.put(site.ca_file, "/etc/check_imap4/winrm-ca.pem")
        root.put(site.client_pem, "/root/client.pem")
        root.shell("chmod 600 /root/client.pem")
        for method in ("winrm-ntlm", "winrm-basic", "winrm-credssp"):
            add(root, site, method, "--password-stdin", stdin=site.password + "\n")
        add(root, site, "winrm-certificate", "--private-key-import", "/root/client.pem")
        yield root


def add(root: Root, site: Site, method: str, *secret: str, stdin: str = "") -> None:
    """Store a credential that bears its method's name."""
    words = ("--method", method, "--account", site.account, "--machines", HOST, "--actions", "all", *secret)
    added = root.says("imap4-recovery", "credentials", "add", method, *words, stdin=stdin)
    assert added == (0, f"Added {method}.\n", ""), added


def restart(root: Root, endpoint: Endpoint, method: str, scheme: str) -> tuple[int, str, str]:
    """A restart of the mail server's IMAP4 service."""
    words = ("--machine", HOST, "--port", str(endpoint.port), "--scheme", scheme, "--credential", method)
    return root.says("imap4-recovery", "restart-service", *words, "--service", "IMAP4")


def test_ntlm_seals_what_it_sends_over_http(root: Root, site: Site) -> None:
    windows = mail_server()
    with site.http(windows) as endpoint:
        code, output, errors = restart(root, endpoint, "winrm-ntlm", "http")
    assert (code, errors) == (0, ""), output
    assert output.startswith(f"OK - restart-service IMAP4 on {HOST}: "), output
    assert endpoint.unencrypted == 0
    assert endpoint.accounts.refused == 0


@pytest.mark.parametrize("method", ["winrm-ntlm", "winrm-basic", "winrm-certificate"])
def test_over_https(root: Root, site: Site, method: str) -> None:
    with site.https(mail_server(), HOST) as endpoint:
        code, output, errors = restart(root, endpoint, method, "https")
    assert (code, errors) == (0, ""), output
    assert output.startswith(f"OK - restart-service IMAP4 on {HOST}: "), output


def test_credssp_is_missing_in_one_line(root: Root, site: Site) -> None:
    with site.http(mail_server()) as endpoint:
        code, output, errors = restart(root, endpoint, "winrm-credssp", "http")
    assert (code, errors) == (3, "")
    told = "winrm-credssp needs the library requests-credssp, which Debian has no package of: "
    assert output.startswith(f"UNKNOWN - restart-service IMAP4 on {HOST}: {told}")
    assert output.count("\n") == 1
