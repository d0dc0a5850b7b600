"""Sees what an Icinga has, and acts on it, through its API, as a person with its web page does."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
import urllib.request
from typing import Any

from imap4 import trust
from tests.engines import icinga

PERMISSIONS = ("objects/query/*", "objects/modify/*", "actions/*", "status/query")
"""What the API user needs."""
SWITCHES = {
    "notifications": "enable_notifications",
    "handlers": "enable_event_handler",
    "checks": "enable_active_checks",
    "flapping": "enable_flapping",
}
"""Switches of a service: the attribute, by the word for it."""

Seen = dict[tuple[str, str], dict[str, Any]]


class IcingaEyes:
    """Asks an Icinga through its API."""

    def __init__(self, api: icinga.Api, user: str) -> None:
        self._url = f"https://localhost:{api.port}/v1"
        self._context = trust.context(str(api.ca_file))
        password = api.passwords[user].read_text().strip()
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}", "Accept": "application/json"}

    def attributes(self, kind: str, name: str) -> dict[str, Any]:
        """An object's attributes."""
        found: dict[str, Any] = self._ask(self._object(kind, name), None)["results"][0]["attrs"]
        return found

    def act(self, action: str, told: dict[str, Any]) -> None:
        """One of the API's actions."""
        self._ask(f"{self._url}/actions/{action}", told)

    def modify(self, kind: str, name: str, **values: object) -> None:
        """Set attributes of an object."""
        self._ask(self._object(kind, name), {"attrs": values})

    def make(self, what: str, host: str, service: str) -> None:
        """Make it so: a word of ``situations``."""
        name = f"{host}!{service}"
        now = int(time.time())
        of = {"type": "Service", "service": name, "author": "tests", "comment": "planned"}
        if what == "downtime":
            self.act("schedule-downtime", {**of, "start_time": now, "end_time": now + 3600, "fixed": True})
        elif what == "downtime ends":
            self.act("remove-downtime", of)
        elif what == "acknowledge":
            self.act("acknowledge-problem", {**of, "sticky": True, "notify": True})
        elif what == "acknowledgement goes":
            self.act("remove-acknowledgement", of)
        elif what.endswith("the period"):
            self._set_period(name, "never" if what.startswith("outside") else "imap4-always")
        else:
            word, _, value = what.rpartition(" ")
            if word in SWITCHES:
                self.modify("services", name, **{SWITCHES[word]: value == "on"})
            else:
                its = host if word == "host" else host.replace("host", "parent")
                result = {"type": "Host", "host": its, "exit_status": int(value == "down")}
                self.act("process-check-result", {**result, "plugin_output": value})

    def force(self, host: str, service: str) -> None:
        """Have a service tested now."""
        self.act("reschedule-check", {"type": "Service", "service": f"{host}!{service}", "force": True})

    def all(self) -> Seen:
        """All services, hosts and notifications, by kind and full name, in three questions."""
        wanted = {
            "services": [*SWITCHES.values(), "downtime_depth", "acknowledgement"],
            "hosts": ["last_check", "state"],
            "notifications": ["period"],
        }
        found = {}
        for kind, attributes in wanted.items():
            query = urllib.parse.urlencode({"attrs": attributes}, doseq=True)
            for each in self._ask(f"{self._url}/objects/{kind}?{query}", None)["results"]:
                found[kind, each["name"]] = each["attrs"]
        return found

    def _object(self, kind: str, name: str) -> str:
        return f"{self._url}/objects/{kind}/{urllib.parse.quote(name, safe='')}"

    def _set_period(self, service: str, period: str) -> None:
        """What CHANGE_SVC_NOTIFICATION_TIMEPERIOD does in Nagios, in all of a service's notifications."""
        for name in ("imap4-recovery-1", "imap4-user_groups-admins", "imap4-users-boss"):
            self.modify("notifications", f"{service}!{name}", period=period)

    def _ask(self, url: str, told: dict[str, Any] | None) -> dict[str, Any]:
        data = None if told is None else json.dumps(told).encode()
        request = urllib.request.Request(url, data, self._headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
        return found


def see(seen: Seen, host: str, service: str) -> dict[str, Any]:
    """What the engine has of a service."""
    its = seen["services", f"{host}!{service}"]
    period = seen["notifications", f"{host}!{service}!imap4-users-boss"]["period"]
    return {
        **{word: its[name] for word, name in SWITCHES.items()},
        "downtime": its["downtime_depth"] > 0,
        "acknowledged": its["acknowledgement"] != 0,
        "outside": period == "never",
        "settled": True,
        "host down": _down(seen["hosts", host]),
        "parent down": _down(seen["hosts", host.replace("host", "parent")]),
    }


def _down(its: dict[str, Any]) -> bool:
    """Whether a host is down; one without a result shows that state too, and counts as up."""
    return bool(its["last_check"] > 0 and its["state"] != 0)
