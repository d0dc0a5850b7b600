"""Finds what else in an Icinga 2's configuration reaches a monitor, or keeps its count from a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imap4.monitor.findings import Finding

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


def monitors(objects: Objects) -> dict[str, Mapping[str, Any]]:
    """The services that are monitors, by full name."""
    services = objects.get("Service", {})
    return {name: each for name, each in services.items() if "imap4-monitor" in (each.get("templates") or ())}


def notifications(objects: Objects) -> Iterator[Finding]:
    """A finding for each of the site's own notifications that reaches monitors.

    To Icinga every failing test of a monitor is a notification. Those at which nobody has to be told are kept
    back where one node has the zone for itself; of the others, those with our templates ask whether it is an
    alert of theirs, and foreign ones are sent each time.
    """
    services = monitors(objects)
    found: dict[tuple[str, str], list[str]] = {}
    for each in objects.get("Notification", {}).values():
        service = f"{each.get('host_name')}!{each.get('service_name')}"
        ours = {"imap4-alert", "imap4-recovery"} & set(each.get("templates") or ())
        if service in services and not ours:
            where = each.get("source_location") or {}
            place = f"{where.get('path', 'its file')}:{where.get('first_line', '?')}"
            name = str(each.get("__name", "")).rpartition("!")[2]
            found.setdefault((name, place), []).append(service)
    for (name, place), reached in sorted(found.items()):
        more = f" and {len(reached) - 1} more" if len(reached) > 1 else ""
        yield Finding(
            False,
            f"the notification {name} of the site's own reaches {reached[0]}{more}",
            "it is sent at every alert; where two nodes share the zone, at every failing test, for ever",
            f"{place}: add the line: ignore where service.vars.imap4_rules",
        )


def switches(objects: Objects) -> Iterator[Finding]:
    """A finding for each monitor whose configuration keeps it from counting or from telling."""
    for name, each in monitors(objects).items():
        if not (each.get("volatile") and each.get("event_command") == "imap4-pace"):
            title = f"{name} is not volatile, or has another event command"
            yield Finding(False, title, "its failing tests are not counted", "remove what changes it")
        if not each.get("enable_event_handler", True):
            title = f"{name} has enable_event_handler = false"
            why = "its tests are not paced, and what Icinga once kept back keeps back all that follows"
            yield Finding(False, title, why, "remove what sets it")
        if each.get("enable_flapping"):
            why = "a service that Icinga takes for flapping sends no alerts"
            yield Finding(False, f"{name} has enable_flapping = true", why, "remove what sets it")


def cluster(objects: Objects, node: str) -> Iterator[Finding]:
    """Whether this node takes the counts that another node of its zone has made.

    Args:
        node: this node's name (``NodeName``).
    """
    accepts = any(each.get("accept_config") for each in objects.get("ApiListener", {}).values())
    for name, each in objects.get("Zone", {}).items():
        endpoints = each.get("endpoints") or ()
        if node in endpoints and len(endpoints) > 1:
            others = ", ".join(sorted(set(endpoints) - {node}))
            yield Finding(
                accepts,
                f"the zone {name} is shared with {others}, and accept_config is {str(accepts).lower()}",
                "counts and what was sent do not reach this node: it leaves people untold, and after a "
                "failover alerts and repairs begin again",
                "in the ApiListener of every endpoint of the zone: accept_config = true, and restart",
            )
