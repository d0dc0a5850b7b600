"""What the monitoring system said when it called: one frozen event, from variables or from options. Pure.

Nagios sets ``NAGIOS_*`` variables with ``enable_environment_macros=1``, Naemon never does; Icinga 2 sets the
variables that a command's ``env`` names, here ``ICINGA_*`` with the same endings. An option always
wins over a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from recovery.errors import UsageError

SERVICE_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
HOST_STATES = ("UP", "DOWN", "UNREACHABLE")
STATES = SERVICE_STATES + HOST_STATES
STATE_TYPES = ("SOFT", "HARD")

# Field -> the ends of the variables that may carry it; the first that is set and not empty counts.
# Macros of the service come first: a notification about a service carries its host's macros too.
_VARIABLES: dict[str, tuple[str, ...]] = {
    "host": ("HOSTNAME",),
    "address": ("HOSTADDRESS",),
    "service": ("SERVICEDESC",),
    "state": ("SERVICESTATE", "HOSTSTATE"),
    "state_type": ("SERVICESTATETYPE", "HOSTSTATETYPE"),
    "attempt": ("SERVICEATTEMPT", "HOSTATTEMPT"),
    "notification_type": ("NOTIFICATIONTYPE",),
    "notification_number": ("SERVICENOTIFICATIONNUMBER", "HOSTNOTIFICATIONNUMBER", "NOTIFICATIONNUMBER"),
    "alert": ("ALERT",),
    "output": ("SERVICEOUTPUT", "HOSTOUTPUT"),
    "problem_id": ("SERVICEPROBLEMID", "HOSTPROBLEMID"),
    "acknowledged": ("SERVICEACKNOWLEDGEMENT", "ACKNOWLEDGED"),
}
# A service is in downtime where it or its host is.
_DOWNTIMES = ("SERVICEDOWNTIME", "HOSTDOWNTIME", "DOWNTIME")
FIELDS = (*_VARIABLES, "downtime")


@dataclass(frozen=True)
class Event:
    """A state, or a notification of one, as the engine told it. What it did not tell is empty or None."""

    host: str = ""
    address: str = ""
    service: str = ""
    state: str = ""
    """One of :data:`STATES`."""
    state_type: str = ""
    """``SOFT`` or ``HARD``."""
    attempt: int | None = None
    notification_type: str = ""
    """``PROBLEM``, ``RECOVERY``, ``ACKNOWLEDGEMENT``, ``DOWNTIMESTART`` ... in capitals."""
    notification_number: int | None = None
    alert: int | None = None
    """The alert's number in ipMonitor's sense, from 1."""
    downtime: bool = False
    acknowledged: bool = False
    output: str = ""
    problem_id: str = ""
    source: str = "options"
    """``nagios``, ``icinga`` or ``options``."""

    def __str__(self) -> str:
        what = "/".join(part for part in (self.host, self.service) if part) or "an unnamed service"
        words = (
            self.state,
            self.state_type,
            self.notification_type,
            f"alert {self.alert}" if self.alert is not None else "",
            f"problem {self.problem_id}" if self.problem_id else "",
        )
        return f"{self.source} event for {what}: {', '.join(word for word in words if word)}"

    def as_dict(self) -> dict[str, object]:
        """Every field by name, for the history."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> Event:
        """The event that :meth:`as_dict` wrote."""
        return cls(**fields)  # type: ignore[arg-type]


def read_event(
    source: str | None,
    options: Mapping[str, str | None],
    environ: Mapping[str, str],
    failures_per_alert: int = 1,
) -> Event | None:
    """The event that called us, or None where nothing says that one did: a person at work.

    Args:
        source: ``nagios`` or ``icinga`` to read that engine's variables, None for options alone.
        options: texts by the names in :data:`FIELDS`; None or empty is "not said".
        environ: the environment.
        failures_per_alert: how many notifications make one alert, where the engine sends one for every
            failing test: the alert's number is ``(notification - 1) // failures_per_alert + 1``.

    Raises:
        UsageError: a value is not of its kind, the variables are missing, or no state is told.
    """
    said = {name: _text(text) for name, text in options.items() if text is not None and text.strip()}
    if source is None and not any(options.get(name) is not None for name in FIELDS):
        return None
    if source is not None:
        said = _variables(source, environ) | said
    _check_texts(said)
    number = _number("notification-number", said.get("notification_number"))
    alert = _number("alert", said.get("alert"))
    if alert is None and number:
        alert = (number - 1) // failures_per_alert + 1
    return Event(
        host=said.get("host", ""),
        address=said.get("address", ""),
        service=said.get("service", ""),
        state=said["state"].upper(),
        state_type=said.get("state_type", "").upper(),
        attempt=_number("attempt", said.get("attempt")),
        notification_type=said.get("notification_type", "").upper(),
        notification_number=number,
        alert=alert,
        downtime=_flag("downtime", said.get("downtime")),
        acknowledged=_flag("acknowledged", said.get("acknowledged")),
        output=said.get("output", ""),
        problem_id=said.get("problem_id", ""),
        source=source or "options",
    )


def _check_texts(said: Mapping[str, str]) -> None:
    for name, text in said.items():
        # An engine that does not know a macro leaves it as it stands.
        if name != "output" and len(text) > 2 and text.startswith("$") and text.endswith("$"):
            raise UsageError(
                f"the event's {name} is the unfilled macro {text}; correct the command definition"
            )
    if "state" not in said:
        raise UsageError(
            "the event has no state: give --state, or --event nagios with the engine's variables"
        )
    if said["state"].upper() not in STATES:
        raise UsageError(f"--state {said['state']!r} is none of {', '.join(STATES)}")
    if said.get("state_type", "SOFT").upper() not in STATE_TYPES:
        raise UsageError(f"--state-type {said['state_type']!r} is neither SOFT nor HARD")


def _variables(source: str, environ: Mapping[str, str]) -> dict[str, str]:
    prefix = source.upper() + "_"
    if not any(prefix + end in environ for ends in _VARIABLES.values() for end in ends):
        mend = {
            "nagios": "Nagios sets them with enable_environment_macros=1 in nagios.cfg, Naemon never; "
            "write NAGIOS_SERVICESTATE='$SERVICESTATE$' and the others before the program",
            "icinga": "name them in the command's env",
        }[source]
        raise UsageError(
            f"--event {source}: there is no {prefix}* variable; {mend}, "
            "or give --state and the other event options"
        )
    said = {}
    for name, ends in _VARIABLES.items():
        texts = (_text(environ.get(prefix + end, "")) for end in ends)
        said[name] = next((text for text in texts if text), "")
    depths = [environ.get(prefix + end, "").strip() for end in _DOWNTIMES]
    said["downtime"] = "1" if any(_flag("downtime", depth) for depth in depths) else ""
    return {name: text for name, text in said.items() if text}


def _text(text: str) -> str:
    """``text`` without blanks around it, and with ``?`` for bytes that are no UTF-8: a server may greet in
    Latin-1, and nothing could store that."""
    return text.strip().encode(errors="replace").decode()


def _number(name: str, text: str | None) -> int | None:
    if not text:
        return None
    # Icinga's numbers are floating: "3.000000" in some macros.
    whole, _, fraction = text.partition(".")
    if not whole.isascii() or not whole.isdigit() or fraction.strip("0"):
        raise UsageError(f"--{name} {text!r} is not a whole number")
    return int(whole)


def _flag(name: str, text: str | None) -> bool:
    """True for a downtime depth or acknowledgement type above 0, and for yes and true."""
    lowered = (text or "").lower()
    if lowered in ("", "no", "false"):
        return False
    if lowered in ("yes", "true"):
        return True
    try:
        return float(lowered) > 0
    except ValueError:
        raise UsageError(f"--{name} {text!r} is neither a number nor yes or no") from None
