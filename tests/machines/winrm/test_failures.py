"""The matrix of failures: each is one sentence to act on, and exit code 2 (or 3: nothing was tried)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import trustme

from tests.machines.winrm import soap, trouble
from tests.machines.winrm.endpoint import Endpoint
from tests.machines.winrm.host import MACHINE, Host
from tests.machines.winrm.listeners import Site
from tests.machines.winrm.windows import Windows

Arrange = Callable[[Endpoint], None]


@dataclass(frozen=True)
class Case:
    """What goes wrong, and the sentence after ``127.0.0.1 (127.0.0.1 port N): ``."""

    sentence: str
    arrange: Arrange = lambda _: None
    methods: tuple[str, ...] = ("winrm-ntlm",)
    tls: bool = False
    password: str | None = None
    more: tuple[str, ...] = ()


def put(where: str, what: trouble.Trouble) -> Arrange:
    def arrange(endpoint: Endpoint) -> None:
        endpoint.troubles[where] = what

    return arrange


def fault(action: str, code: int, subcode: str = "w:InternalError", reason: str = "No.") -> Arrange:
    def arrange(endpoint: Endpoint) -> None:
        endpoint.faults[action] = soap.Fault(code, subcode, reason)

    return arrange


def no_administrator(endpoint: Endpoint) -> None:
    endpoint.shells.administrators = set()


def offers(*methods: str) -> Arrange:
    def arrange(endpoint: Endpoint) -> None:
        endpoint.accounts.methods = methods

    return arrange


PAGE = trouble.answer(200, "<html><body>Welcome to nginx!</body></html>", ("Content-Type", "text/html"))
BASIC = ("winrm-basic",)
SEALED = ("winrm-ntlm", "winrm-credssp")
CASES = {
    "wrong password": Case(
        r"account svc-\w+ or its password was refused; it was tried once, so that the account is not "
        r"locked\. "
        r"Correct it with: imap4-recovery credentials set winrm-\w+"
        r"(\. Where both are right, a policy may restrict NTLM there)?",
        methods=SEALED,
        password="wrong",  # noqa: S106 - it is meant to be wrong
    ),
    "wrong password, Basic": Case(
        r"account svc-\w+ or its password was refused; it was tried once, .*",
        methods=BASIC,
        tls=True,
        password="wrong",  # noqa: S106
    ),
    "certificate mapped to nobody": Case(
        r"the client certificate of credential winrm-certificate is not mapped to an account there "
        r"\(winrm enumerate winrm/config/service/certmapping\)",
        lambda endpoint: endpoint.accounts.__dict__.update(certificates={}),
        methods=("winrm-certificate",),
        tls=True,
    ),
    "method not allowed": Case(
        r"it does not allow winrm-\w+; it offers Kerberos\. Allow it there .*",
        offers("Kerberos"),
        methods=SEALED,
    ),
    "not an administrator": Case(
        r"logged in as svc-\w+, but it may not open a remote shell; make it a member of "
        r"Administrators, or grant "
        r"it Read and Execute \(winrm configSDDL default; see docs/windows\.md\)\. A local administrator "
        r"other than the built-in one has no administrator's rights over the network unless "
        r"LocalAccountTokenFilterPolicy is set",
        no_administrator,
        methods=SEALED,
    ),
    "quota": Case(
        r"svc-\w+ has too many remote shells open there \(quota, code 2150859173\); wait until they "
        r"time out, or "
        r"end them \(winrm enumerate shell\)",
        fault("Create", soap.QUOTA, "w:QuotaLimit"),
    ),
    "WinRM stopping": Case(
        r"WinRM is stopping \(code 995\); the machine goes down, or its service restarts",
        fault("Create", soap.ABORTED),
    ),
    "another fault": Case(
        r"WinRM refused \(code 1460: The wheel\.\)", fault("Create", 1460, reason="The\nwheel.")
    ),
    "reset": Case(
        r"the machine closed the connection \(connection reset by peer\)",
        put("Create", trouble.reset),
        SEALED,
    ),
    "closed": Case(
        r"the machine closed the connection \(remote end closed connection without response\)",
        put("Create", trouble.close),
        SEALED,
    ),
    "closed at once": Case(
        r"the machine closed the connection \(.*\); is this a listener of HTTPS\? Then use --scheme https",
        put("Accept", trouble.close),
        (*SEALED, "winrm-kerberos")[:2],
    ),
    "silent": Case(
        r"connected, but no whole answer came in time",
        put("Logon", trouble.silence),
        more=("--timeout", "1s"),
    ),
    "trickling": Case(
        r"connected, but no whole answer came in time",
        put("Create", trouble.trickle),
        more=("--timeout", "1s"),
    ),
    "truncated": Case(
        r"the connection ended in the middle of an answer", put("Create", trouble.truncate), SEALED
    ),
    "endless": Case(r"an answer of more than 4 MiB; this is not WinRM", put("Create", trouble.flood)),
    "web server": Case(
        r"something answers, but it is not WinRM \(.*\); is the port right\? WinRM listens on 5986 "
        r"\(HTTPS\) or 5985",
        put("Logon", PAGE),
        SEALED,
    ),
    "web server, Basic": Case(
        r"something answers, but it is not WinRM \(.*\); .*", put("Logon", PAGE), BASIC, tls=True
    ),
    "no listener path": Case(
        r"nothing at /wsman; this is a web server, not WinRM, or WinRM has no listener on this port",
        put("Logon", trouble.answer(404, "no")),
        SEALED,
    ),
    "busy": Case(r"WinRM is not ready, or too busy \(HTTP 503\); .*", put("Logon", trouble.answer(503))),
    "proxy": Case(
        r"a proxy asks for a password; WinRM is never spoken through a proxy",
        put("Logon", trouble.answer(407, "", ("Proxy-Authenticate", "Digest"))),
        BASIC,
        tls=True,
    ),
    "teapot": Case(
        r"HTTP status 418 instead of an answer of WinRM", put("Logon", trouble.answer(418)), BASIC, tls=True
    ),
    "redirect": Case(
        r"it redirects elsewhere, which is not followed; this is not WinRM",
        put("Logon", trouble.answer(307, "", ("Location", "http://127.0.0.1:1/wsman"))),
        BASIC,
        tls=True,
    ),
    "forged": Case(
        r"an answer came unencrypted where it had to be sealed; it may be forged and was not "
        r"believed\. Use HTTPS "
        r"\(port 5986\), and look for a proxy in between",
        lambda endpoint: endpoint.__dict__.update(answer_unsealed=True),
        SEALED,
    ),
    "locked down": Case(
        r"PowerShell runs in ConstrainedLanguage mode for this account, and the repair's scripts "
        r"cannot run in it; "
        r"exempt the account in AppLocker or WDAC, or use another one",
        lambda endpoint: endpoint.shells.__dict__["_program"].__dict__.update(language="ConstrainedLanguage"),
    ),
    "HTTPS to an HTTP port": Case(
        r"it does not speak TLS; HTTPS is on 5986\. For sealed messages over HTTP .* use --port 5985",
        more=("--scheme", "https"),
    ),
    "HTTP to an HTTPS port": Case(
        r"the machine closed the connection \(.*\); is this a listener of HTTPS\? Then use --scheme https",
        tls=True,
        more=("--scheme", "http"),
    ),
}


@pytest.mark.parametrize(
    ("case", "method"),
    [
        pytest.param(case, method, id=f"{name}, {method}")
        for name, case in CASES.items()
        for method in case.methods
    ],
)
def test_failure_is_told_in_one_sentence(
    site: Site, host: Host, windows: Windows, case: Case, method: str
) -> None:
    host.add(method, password=case.password)
    with site.https(windows, MACHINE) if case.tls else site.http(windows) as endpoint:
        case.arrange(endpoint)
        ran = host.act("restart-service", method, endpoint, "--service", "IMAP4", *case.more)
        where = rf"127\.0\.0\.1 \(127\.0\.0\.1 port {endpoint.port}\)"
        assert re.fullmatch(
            rf"CRITICAL - restart-service IMAP4 on 127\.0\.0\.1: {where}: {case.sentence}", ran.last
        ), ran
        assert ran.code == 2
        assert endpoint.accounts.refused <= 1
        assert endpoint.unencrypted == 0
    assert "Traceback" not in ran.out + ran.err
    assert windows.calls == []


def failure(host: Host, port: int, *more: str, method: str = "winrm-ntlm") -> str:
    """What is said of a machine that is not the endpoint."""
    host.add(method)
    ran = host.run("restart-service", "--service", "IMAP4", "--machine", MACHINE, "--credential", method,
                   "--port", str(port), "--timeout", "5s", *more)  # fmt: skip
    assert ran.code in (2, 3)
    return ran.last


def test_refused_connection(host: Host) -> None:
    with socket.create_server((MACHINE, 0)) as server:
        port = server.getsockname()[1]
    assert failure(host, port).endswith(
        f"port {port}): connection refused; nothing listens there. Set WinRM up with: "
        "winrm quickconfig -transport:https"
    )


def test_filtered_port(host: Host) -> None:
    # A listener whose queue is full drops new connections, as a firewall would.
    with socket.create_server((MACHINE, 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((MACHINE, port))
        try:
            said = failure(host, port, "--timeout", "1s")
        finally:
            for filler in fillers:
                filler.close()
    assert re.search(
        rf"no connection within 1 s; the machine is down, or a firewall drops port {port} "
        r"\(Windows allows it with: winrm quickconfig -transport:https\)$",
        said,
    ), said


@contextmanager
def certified(site: Site, windows: Windows, name: str = MACHINE) -> Iterator[int]:
    with site.https(windows, name) as endpoint:
        yield endpoint.port
        assert endpoint.accounts.accepted == 0


def test_certificate_for_another_name(site: Site, host: Host, windows: Windows) -> None:
    with certified(site, windows, "other.example.org") as port:
        assert re.search(
            r"the machine's certificate is not trusted: .* mismatch, .*; use the name that it was "
            r"made out to with "
            r"--machine$",
            failure(host, port),
        )


def test_certificate_of_an_unknown_authority(site: Site, host: Host, windows: Windows) -> None:
    with certified(replace(site, authority=trustme.CA()), windows) as port:
        assert re.search(
            r"the machine's certificate is not trusted: .*certificate.*; trust "
            r"its authority, "
            r"or the certificate itself, with --ca-file$",
            failure(host, port),
        )


def test_missing_ca_file(host: Host) -> None:
    said = failure(host, 5986, "--ca-file", "/nowhere/ca.pem")
    assert said.endswith("--ca-file /nowhere/ca.pem: no such file or directory")


@pytest.mark.parametrize("method", ["winrm-basic", "winrm-certificate"])
def test_plaintext_is_refused_before_anything_is_sent(host: Host, method: str) -> None:
    said = failure(host, 5985, method=method)
    assert said.endswith(
        f"credential {method}: {method} would cross the network unencrypted over HTTP; use HTTPS "
        f"(port 5986), or "
        "winrm-ntlm, winrm-kerberos, winrm-credssp"
    )
