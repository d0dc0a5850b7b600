"""The texts that the set-up writes: those of ``contrib``, with this machine's programs and users."""

from __future__ import annotations

import re
import secrets
from importlib import resources

from imap4.monitor.engines import facts
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2.objects import quoted
from imap4.monitor.engines.rendered_files import MARK
from imap4.monitor.setup.disk import group_of
from imap4.monitor.setup.engines import Engine

API_USER = "imap4-recovery"
_PLUGIN = "/usr/lib/nagios/plugins/check_imap4"
_MONITOR = "/usr/local/bin/imap4-monitor"
_RECOVERY = "/usr/local/bin/imap4-recovery"


def _contrib(name: str) -> str:
    return resources.files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def _swapped(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"contrib has changed: {old!r} is not there"
        text = text.replace(old, new)
    return text


def _mark(sign: str) -> str:
    return f"{sign} {MARK} setup: it is taken away by imap4-monitor setup --remove.\n"


def plugin_command(engine: Engine, programs: Programs) -> tuple[str, str]:
    """The file's name and text: the plugin as a command for a site's own services."""
    if engine.name == facts.ICINGA2:
        text = _contrib("check_imap4.conf")
        return "check_imap4.conf", _mark("//") + _swapped(
            text, ('PluginDir + "/check_imap4"', quoted(programs.check))
        )
    # A "$" begins a macro there, and a ";" a comment.
    path = programs.check.replace("$", "$$").replace(";", "\\;")
    return "check_imap4.cfg", _mark("#") + _swapped(_contrib("check_imap4.cfg"), (_PLUGIN, path))


def collect_units(engine: Engine, programs: Programs) -> dict[str, str]:
    """What makes columnar files of records every hour."""
    service = _swapped(_contrib("imap4-collect.service"), (_MONITOR, programs.monitor), *_as_user(engine))
    return {
        "imap4-collect.service": _mark("#") + service,
        "imap4-collect.timer": _mark("#") + _contrib("imap4-collect.timer"),
    }


def rehearse_units(engine: Engine, programs: Programs, definitions: list[str]) -> dict[str, str]:
    """What rehearses the definitions' repairs every night."""
    files = " ".join(definitions)
    service = _swapped(
        _contrib("imap4-rehearse.service"),
        (f"{_RECOVERY} rehearse --save /etc/check_imap4/monitors.toml",
         f"{programs.recovery} rehearse --save {files}"),
        *_as_user(engine),
    )  # fmt: skip
    return {
        "imap4-rehearse.service": _mark("#") + service,
        "imap4-rehearse.timer": _mark("#") + _contrib("imap4-rehearse.timer"),
    }


def _as_user(engine: Engine) -> tuple[tuple[str, str], ...]:
    return ("User=nagios", f"User={engine.user.pw_name}"), ("Group=nagios", f"Group={group_of(engine.user)}")


def drop_in(variables: dict[str, str]) -> str:
    """The engine's environment: where a repair's end becomes a comment."""
    lines = "".join(f'Environment="{name}={value}"\n' for name, value in variables.items())
    return f"{_mark('#')}# Where a repair's end becomes a comment on the service.\n[Service]\n{lines}"


def api_user(password: str) -> str:
    """Icinga 2's user for comments, with what it needs and nothing else."""
    return (
        f"{_mark('//')}"
        f'object ApiUser "{API_USER}" {{\n'
        f"  password = {quoted(password)}\n"
        '  permissions = [ "actions/add-comment", "actions/process-check-result" ]\n'
        "}\n"
    )


def new_password() -> str:
    """One that nobody has to remember."""
    return secrets.token_urlsafe(24)


def plain(path: str) -> bool:
    """Whether a path or an address may stand in a unit: systemd gives spaces, quotes, % and $ a meaning."""
    return bool(re.fullmatch(r"[\w./+@:,~=-]+", path, re.ASCII))
