"""The options of an event and of the rules, and how they become both."""

from __future__ import annotations

import argparse
import os

from imap4.durations import seconds, spell
from recovery.commands.parsing import kind, number
from recovery.decision.causes import CauseSet
from recovery.decision.event import FIELDS, STATES, Event, read_event
from recovery.decision.policy import (
    DEFAULT_AT_MOST,
    DEFAULT_COOLDOWN,
    DEFAULT_FLEET_AT_MOST,
    DEFAULT_STATES,
    Rules,
)
from recovery.decision.ranges import Range, Rate
from recovery.errors import UsageError

_OPTIONS = (
    ("state", "STATE", "OK, WARNING, CRITICAL, UNKNOWN, UP, DOWN or UNREACHABLE"),
    ("state-type", "TYPE", "SOFT or HARD"),
    ("attempt", "N", "the check's attempt"),
    ("notification-type", "TYPE", "PROBLEM, RECOVERY, ACKNOWLEDGEMENT ..."),
    ("notification-number", "N", "the notification's number"),
    ("alert", "N", "the alert's number, where it is not that of the notification"),
    ("output", "TEXT", "the check's status line, with its [cause]; write --output=TEXT"),
    ("problem-id", "ID", "the problem's number"),
    ("host-name", "NAME", "the host's name"),
    ("host-address", "ADDRESS", "the host's address"),
    ("service-description", "TEXT", "the service's name"),
)
_FIELD_OF = {"host-name": "host", "host-address": "address", "service-description": "service"}


def add_event(parser: argparse.ArgumentParser) -> None:
    """The options of ``when to act``."""
    event = parser.add_argument_group(
        "event", "what the monitoring system says; with none of these the command acts at once, by hand"
    )
    event.add_argument(
        "--event", choices=("nagios", "icinga"), help="read the engine's NAGIOS_* or ICINGA_* variables"
    )
    for name, value, text in _OPTIONS:
        # Kept apart by their prefix: --state is the event's, --states is a rule.
        event.add_argument(f"--{name}", dest=f"event_{_field(name)}", metavar=value, help=text)
    for name, text in (
        ("downtime", "in downtime (a depth, yes or no)"),
        ("acknowledged", "acknowledged (a type, yes or no)"),
    ):
        event.add_argument(
            # A bare --downtime means yes; an engine's macro gives a depth, often 0.
            f"--{name}",
            dest=f"event_{name}",
            nargs="?",
            const="yes",
            metavar="N",
            help=f"it is {text}",
        )
    event.add_argument(
        "--failures-per-alert",
        type=number,
        default=1,
        metavar="N",
        help="notifications that make one alert, where each failing test sends one (1)",
    )


def add_rules(parser: argparse.ArgumentParser, action: str) -> None:
    """The options of the rules."""
    rules = parser.add_argument_group("rules for events", "none takes a limit away")
    states = ",".join(sorted(DEFAULT_STATES))
    rules.add_argument("--states", type=kind(_states), metavar="LIST", help=f"states to act on ({states})")
    rules.add_argument(
        "--alerts", type=kind(Range.parse), metavar="RANGE", help="alerts to act on: 2, 1-2, 4-"
    )
    rules.add_argument(
        "--soft-attempts",
        type=kind(Range.parse),
        metavar="RANGE",
        help="act on SOFT states at these attempts too",
    )
    rules.add_argument(
        "--causes",
        type=kind(lambda text: CauseSet.parse(text, action)),
        default=CauseSet.default(action),
        metavar="LIST",
        help="causes to act on; +CAUSE and --causes=-CAUSE change the default "
        f"({', '.join(str(CauseSet.default(action)).split(','))})",
    )
    rules.add_argument(
        "--at-most",
        type=kind(_rate),
        default=DEFAULT_AT_MOST,
        metavar="N/TIME",
        help=f"for this action on this machine ({DEFAULT_AT_MOST})",
    )
    rules.add_argument(
        "--cooldown",
        type=kind(_cooldown),
        default=DEFAULT_COOLDOWN,
        metavar="TIME",
        help=f"since this action on this machine ended ({spell(DEFAULT_COOLDOWN)})",
    )
    rules.add_argument(
        "--fleet-at-most",
        type=kind(_rate),
        default=DEFAULT_FLEET_AT_MOST,
        metavar="N/TIME",
        help=f"for all actions on all machines together ({DEFAULT_FLEET_AT_MOST})",
    )


def event_of(options: argparse.Namespace) -> Event | None:
    """The event, or None for a person at work; see :func:`recovery.decision.event.read_event`."""
    said = {name: getattr(options, f"event_{name}") for name in FIELDS}
    return read_event(options.event, said, os.environ, options.failures_per_alert)


def rules_of(options: argparse.Namespace) -> Rules:
    """The rules."""
    return Rules(
        states=options.states or DEFAULT_STATES,
        alerts=options.alerts,
        soft_attempts=options.soft_attempts,
        causes=options.causes,
        at_most=options.at_most,
        cooldown=options.cooldown,
        fleet_at_most=options.fleet_at_most,
    )


def _field(option: str) -> str:
    return _FIELD_OF.get(option, option.replace("-", "_"))


def _states(text: str) -> frozenset[str]:
    states = frozenset(word.strip().upper() for word in text.split(",") if word.strip())
    problems = [state for state in STATES if state not in ("OK", "UP")]
    if not states or not states <= set(problems):
        raise UsageError(f"{text!r} is no list of problem states, which are {', '.join(problems)}")
    return states


def _rate(text: str) -> Rate | None:
    return None if text == "none" else Rate.parse(text)


def _cooldown(text: str) -> float | None:
    return None if text == "none" else seconds(text)
