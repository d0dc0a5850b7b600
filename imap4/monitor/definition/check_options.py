"""A monitor's ``options`` before the plugin's own parser: what it refuses would page somebody at night."""

from __future__ import annotations

from dataclasses import replace

from imap4.check.options import HelpWanted, Options, UsageError, parse_arguments
from imap4.monitor.definition.values import WARNS
from imap4.monitor.engines.command_lines import Programs, check_arguments
from imap4.monitor.model import Monitor

# What the definition has keys for, by the plugin's own name.
_KEYS = {
    "host": "address", "port": "port", "unix_path": "address", "timeout": "test_duration", "logout": "logout",
    "tls": "tls.mode", "insecure": "tls.verify", "ca_file": "tls.ca_file", "server_name": "tls.server_name",
    "tls_min": "tls.minimum", "client_cert": "tls.client_cert", "client_key": "tls.client_key",
}  # fmt: skip


def _parsed(monitor: Monitor) -> Options:
    return parse_arguments(check_arguments(monitor, Programs())[1:])


def wrong(monitor: Monitor) -> str | None:
    """What the plugin says of the options, or what they must not do; None where they are right."""
    try:
        found = _parsed(monitor)
    except HelpWanted:
        return "--help and --version test nothing"
    except UsageError as error:
        return str(error).removesuffix(" (see --help)")
    plain = _parsed(replace(monitor, options=()))
    for name, key in _KEYS.items():
        if getattr(found, name) != getattr(plain, name) and not (name == "insecure" and found.login):
            return f"an option sets what has a key of its own: use the key {key}"
    for name, option in (("warning", "-w"), ("certificate", "-D")):
        if getattr(found, name):
            return f"{option} {WARNS}"
    if not found.preauth:
        return f"--no-preauth {WARNS}"
    if found.password_fd is not None:
        return "--password-fd: an engine hands no descriptor on; use --password-file"
    return None
