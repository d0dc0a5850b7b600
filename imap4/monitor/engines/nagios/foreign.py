"""Finds escalations of a site's own that reach a monitor's service.

To the core every failing test of a monitor is a notification; an escalation for all services is sent at each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imap4.monitor.engines.command_lines import slugs
from imap4.monitor.engines.nagios.escalations import notified
from imap4.monitor.engines.nagios.object_cache import Escalation, ObjectCache
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor


def _rendered(monitor: Monitor, slug: str) -> set[Escalation]:
    """The escalations that ``render`` has written for a monitor."""
    own = [f"imap4-recovery-{slug}-{number}" for number, _ in enumerate(monitor.recovery.actions, 1)]
    return {
        Escalation(
            monitor.host, monitor.service, band.first, band.last, frozenset({*band.contacts, *band.groups})
        )
        for band in notified(monitor, own)[1:]
    }


def examine(cache: ObjectCache, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """A finding for every monitor that other escalations reach, and for each that misses some of its own."""
    for monitor, slug in slugs(monitors).items():
        its = {
            each for each in cache.escalations if (each.host, each.service) == (monitor.host, monitor.service)
        }
        rendered = _rendered(monitor, slug)
        label = f"the service {monitor.service} on the host {monitor.host}"
        if rendered - its and (monitor.host, monitor.service) in cache.services:
            yield Finding(
                False,
                f"{label} has not the escalations of its definition",
                "alerts and recovery notifications would go to others, or to nobody",
                "render again, and restart the engine",
            )
            continue
        members = sorted({name for each in its - rendered for name in each.members})
        if members:
            yield Finding(
                False,
                f"an escalation of the site's own sends {label} to {', '.join(members)}",
                "it is sent at every failing test, in Lost for ever",
                f"in that serviceescalation, leave the service out: service_description *,!{monitor.service}",
            )
