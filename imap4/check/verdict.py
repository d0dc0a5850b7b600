"""ProbeResult -> status line, perfdata and exit code, in nagiosplugin's words.

Acquisition is the Resource, evaluation the Contexts, presentation the Summary. nagiosplugin's own
runtime is left out: its time-out reports UNKNOWN and needs the main thread, its runtime is a singleton
that never forgets, and its output sorts perfdata and knows only one state's name in capitals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nagiosplugin import (
    Check,
    Context,
    Critical,
    Metric,
    Ok,
    Performance,
    Resource,
    Result,
    Results,
    ScalarContext,
    Summary,
    Unknown,
    Warn,
)
from nagiosplugin.state import ServiceState

from imap4.causes import CAUSES
from imap4.check.options import Options, endpoint
from imap4.check.probe import Failure, ProbeResult
from imap4.text import clean

STATES = {"ok": Ok, "warning": Warn, "critical": Critical, "unknown": Unknown}

# The worst first. nagiosplugin ranks UNKNOWN above CRITICAL; a server that is down is worse than one
# of which nothing is known.
_RANK = (Critical, Unknown, Warn, Ok)

PERFDATA_PHASES = ("resolve", "connect", "tls", "greeting", "capability", "login", "logout")

# The ways in which LOGOUT can fail that --logout decides on.
_LOGOUT_FAILED = ("logout.closed", "logout.protocol")


class Verdict(NamedTuple):
    """What the plugin prints and exits with."""

    exit_code: int
    output: str
    """One line, or more; ends with a newline."""


def check(options: Options, results: Sequence[ProbeResult]) -> Verdict:
    """Judge what the probe found.

    Args:
        results: at least one.
    """
    controller = Check(
        Imap4Test(options, results),
        VerdictContext(options),
        DurationContext("time", options.warning, options.critical),
        DurationContext("phase"),
        CertificateContext(options.certificate),
        StatusLine(options),
    )
    controller()
    state = worst(controller.results)
    lines = [f"{options.name} {str(state).upper()} - {_summary(controller, state)}"]
    perfdata = " ".join(_perfdata(controller.results))
    if perfdata:
        lines[0] += f" | {perfdata}"
    lines += controller.summary.verbose(controller.results)
    return Verdict(int(state), "\n".join(lines) + "\n")


def judge(options: Options, result: ProbeResult) -> ServiceState:
    """The state that a test's result means, thresholds apart."""
    failure = result.failure
    if failure is None:
        return Warn if result.greeting == "PREAUTH" and not options.preauth else Ok
    if failure.out_of_time:
        return STATES[options.timeout_state]
    if failure.cause in _LOGOUT_FAILED:
        return STATES["ok" if options.logout == "ignore" else options.logout]
    return Critical


def worst(results: Results) -> ServiceState:
    """The worst state of all."""
    return min((result.state for result in results), key=_RANK.index)


class Imap4Test(Resource):  # type: ignore[misc]
    """The tested server: its verdicts, the whole time, the phases' times, the certificate's days."""

    def __init__(self, options: Options, results: Sequence[ProbeResult]) -> None:
        self.options = options
        self.results = results

    def probe(self) -> Iterator[Metric]:
        """One verdict for every address, then the figures."""
        for result in self.results:
            yield Metric("verdict", result, context="verdict")
        yield self._seconds("time", max(result.seconds for result in self.results), "time")
        if len(self.results) == 1:
            yield from self._phases(self.results[0], PERFDATA_PHASES)
        else:
            yield from self._phases(self.results[0], ("resolve",))
            for result in self.results:
                # Icinga 2 takes "::" in a label for the plugin's name before it (check_multi's way).
                label = f"time_{result.address.replace(':', '-')}"
                yield self._seconds(label, result.seconds, "phase")
        days = [result.days_left for result in self.results if result.days_left is not None]
        if days:
            yield Metric("certificate", min(days), context="certificate")

    def _phases(self, result: ProbeResult, names: Sequence[str]) -> Iterator[Metric]:
        for name, seconds in result.phases:
            if name in names:
                yield self._seconds(name, seconds, "phase")

    def _seconds(self, name: str, value: float, context: str) -> Metric:
        return Metric(name, value, "s", min=0, max=self.options.timeout, context=context)


class VerdictContext(Context):  # type: ignore[misc]
    """Passed, or failed with a cause; no perfdata."""

    def __init__(self, options: Options) -> None:
        super().__init__("verdict")
        self.options = options

    def evaluate(self, metric: Metric, resource: Imap4Test) -> Result:
        return Result(judge(self.options, metric.value), None, metric)


class DurationContext(ScalarContext):  # type: ignore[misc]
    """A time in seconds against ranges, printed without an exponent."""

    def __init__(self, name: str, warning: str = "", critical: str = "") -> None:
        super().__init__(name, warning, critical)
        self.specs = (warning, critical)

    def evaluate(self, metric: Metric, resource: Imap4Test) -> Result:
        # Where time ran out, the time was cut off, not measured; -t says what that means.
        if any(result.failure is not None and result.failure.out_of_time for result in resource.results):
            return Result(Ok, None, metric)
        result = super().evaluate(metric, resource)
        hint = result.hint and f"{metric.name} {metric.value:.3f} s is {result.hint}"
        return Result(result.state, hint, metric)

    def performance(self, metric: Metric, resource: Imap4Test) -> Performance:
        value, maximum = f"{metric.value:.6f}", _plain(metric.max)
        return Performance(metric.name, value, "s", *self.specs, metric.min, maximum)


class CertificateContext(Context):  # type: ignore[misc]
    """Days until the certificate ends, against the limits of --certificate."""

    def __init__(self, limits: tuple[float, float | None] | None) -> None:
        super().__init__("certificate")
        self.warning: float | None = None
        self.critical: float | None = None
        if limits is not None:
            self.warning, self.critical = limits

    def evaluate(self, metric: Metric, resource: Imap4Test) -> Result:
        days = metric.value
        whose = next((each.certificate_of for each in resource.results if each.days_left == days), "")
        hint = f"certificate of {whose}" if whose else "certificate"
        hint += f" ends in {days:.1f} days" if days >= 0 else f" ended {-days:.1f} days ago"
        if self.critical is not None and days < self.critical:
            return Result(Critical, hint, metric)
        if self.warning is not None and days < self.warning:
            return Result(Warn, hint, metric)
        return Result(Ok, None, metric)

    def performance(self, metric: Metric, resource: Imap4Test) -> Performance:
        limits = ("" if limit is None else f"{_plain(limit)}:" for limit in (self.warning, self.critical))
        return Performance("certificate", f"{metric.value:.2f}", "", *limits)


class StatusLine(Summary):  # type: ignore[misc]
    """Words the first line, and the lines for -v."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def ok(self, results: Results) -> str:
        return self._line(results)

    def problem(self, results: Results) -> str:
        return self._line(results)

    def verbose(self, results: Results) -> list[str]:
        tests = _tests(results)
        lines: list[str] = []
        for result in tests:
            if len(tests) > 1:
                state = str(judge(self.options, result)).upper()
                lines.append(f"{_where(self.options, result)}: {state}, {_story(result)}{_cause(result)}")
            lines += _more(self.options, result)
        return lines

    def _line(self, results: Results) -> str:
        tests = _tests(results)
        told = min(tests, key=lambda result: _RANK.index(judge(self.options, result)))
        text = f"{self.options.target} "
        if len(tests) > 1:
            text += self._about_all(tests, told)
        else:
            text += _story(told)
        # Thresholds have hints, verdicts have not.
        hints = [result.hint for result in results if result.hint]
        remarks = ", ".join((*hints, *told.remarks, *(_notices(told) if worst(results) is not Ok else ())))
        return text + (f", {remarks}" if remarks else "") + _cause(told)

    def _about_all(self, tests: Sequence[ProbeResult], told: ProbeResult) -> str:
        good = sum(judge(self.options, result) is Ok for result in tests)
        count = f"{good} of {len(tests)} addresses OK"
        return count if good == len(tests) else f"{_where(self.options, told)} {_story(told)}, {count}"


def _summary(controller: Check, state: ServiceState) -> str:
    summary = controller.summary
    return str(summary.ok(controller.results) if state is Ok else summary.problem(controller.results))


def _tests(results: Results) -> list[ProbeResult]:
    """The verdicts, in the addresses' order (Results itself iterates by state)."""
    return [result.metric.value for result in results.results if result.metric.context == "verdict"]


def _perfdata(results: Results) -> Iterator[str]:
    for result in results.results:
        performance = result.metric.performance()
        if performance is not None:
            yield str(performance)


def _story(result: ProbeResult) -> str:
    """What happened, in one phrase."""
    greeting = next((seconds for name, seconds in result.phases if name == "greeting"), None)
    failure = result.failure
    if failure is not None:
        passed = greeting is not None and failure.cause.startswith("logout.")
        return f"greeting in {greeting:.3f} s, {failure.text}" if passed else failure.text
    return f"greeting in {greeting:.3f} s, {'logged out' if result.logged_out else 'LOGOUT sent'}"


def _notices(result: ProbeResult) -> Iterator[str]:
    """What the server wants known, for the first line, where that does not say it already."""
    said = result.failure.text if result.failure is not None else ""
    for kind, text in result.notices:
        if text not in said:
            yield f"{kind}: {text}"


def _cause(result: ProbeResult) -> str:
    return f" [{result.failure.cause}]" if result.failure is not None else ""


def _where(options: Options, result: ProbeResult) -> str:
    return endpoint(result.address, options.port) if result.address else options.target


def _more(options: Options, result: ProbeResult) -> Iterator[str]:
    """The lines of -v, -vv and -vvv for one address."""
    if options.verbose >= 1:
        yield from (clean(detail, 400) for detail in result.details)
        yield from (f"{kind}: {text}" for kind, text in result.notices)
        yield from _advice(result.failure)
    if options.verbose >= 2:
        yield from (f"phase {name}: {seconds:.6f} s" for name, seconds in result.phases)
    if options.verbose >= 3:
        yield from (f"{who}: {clean(line, 300)}" for who, line in result.dialogue)


def _advice(failure: Failure | None) -> Iterator[str]:
    if failure is not None and failure.cause in CAUSES:
        yield f"hint: {failure.hint or CAUSES[failure.cause].hint}"


def _plain(number: float) -> str:
    """A number without an exponent and without needless zeros."""
    return f"{number:.9f}".rstrip("0").rstrip(".")
