"""Runs a rule's own tests: each timeline through a fresh engine, as a replay would take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from detector.cohorts.tables import LEAST_PLAYERS, Cohort, Cohorts, Measured, Table
from detector.engine.alerts import Evidence
from detector.engine.engine import Engine, Outcome
from detector.engine.places import Places
from detector.engine.plan import is_closing
from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros, rfc3339_ms
from detector.events.money import Currencies, Rates
from detector.language.features import FEATURES
from detector.language.rule import ExpectedAlert, Rule, Timeline
from detector.players.player import LONG_AGO

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """What a timeline brought: its alerts in order of time, how far time passed, what was seen on the way.

    `seen` has, for each event at which the rule was judged, the values of what `when` asks for, as text.
    """

    alerts: list[ExpectedAlert]
    passed_us: int
    seen: dict[int, str]


def run_timeline(
    rule: Rule,
    timeline: Timeline,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    places: Places | None = None,
) -> Run:
    """Take a timeline through an engine of its own; ValueError for an event that it refuses."""
    currencies = currencies or Currencies()
    catalogue = FEATURES.packaged if timeline.scores else None
    scorers = () if catalogue is None else ((LONG_AGO, _Said(catalogue.id, dict(timeline.scores))),)
    engine = Engine(
        [rule],
        places,
        rates,
        currencies,
        cohorts=_cohorts(timeline),
        catalogue=catalogue,
        scorers=scorers,
        keep_records=False,
    )
    decoder = Decoder(currencies)
    seen = {}
    for number, raw in enumerate(timeline.events, 1):
        event = decoder.decode(raw)
        if isinstance(event, Refusal):
            raise ValueError(f"event {number} is refused: {event.reason}: {event.detail}")
        if engine.apply(event) is Outcome.CONFLICT:
            raise ValueError(f"event {number} bears the id of an earlier one with other content")
        if event.type in rule.trigger.events:
            at_us, evidence = engine.evidence(event, rule.id)
            seen[at_us] = ", ".join(_spoken(each) for each in evidence)
    engine.finish()
    effects = engine.take()
    alerts = sorted(
        ExpectedAlert(micros(datetime.fromisoformat(alert.opened_at)), alert.severity, alert.kind)
        for alert in (*effects.alerts, *effects.shadow)
    )
    return Run(alerts, engine.ticked_us, seen)


def _cohorts(timeline: Timeline) -> Cohorts | None:
    """The tables that a test brings along, in force at all times."""
    if not timeline.cohorts:
        return None
    quantities = {
        key: Measured(
            text=own[0].text,
            cohorts=[
                Cohort(currency=each.currency, players=LEAST_PLAYERS, edges=list(each.edges)) for each in own
            ],
        )
        for key in dict.fromkeys(each.key for each in timeline.cohorts)
        if (own := [each for each in timeline.cohorts if each.key == key])
    }
    return Cohorts([Table(effective_from=_EVER, quantities=quantities)])


@dataclass(frozen=True, slots=True)
class _Said:
    """Models that say what a test has them say, whatever happens."""

    catalogue: str
    scores: dict[str, float | None]
    id: str = "said"
    habit: list[float] | None = None

    def judge(
        self,
        player: str,
        at_us: int,
        values: Sequence[float | None],
        habit: list[float] | None,
        ends_session: bool,
    ) -> _Said:
        return self

    def reasons(self, name: str, values: Sequence[float | None], habit: list[float] | None) -> tuple[()]:
        return ()


def check_timeline(
    rule: Rule,
    timeline: Timeline,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    places: Places | None = None,
) -> list[str]:
    """What a timeline expects and does not get, or gets and does not expect; empty when all is well."""
    try:
        run = run_timeline(rule, timeline, currencies, rates, places)
    except ValueError as error:
        return [f"{timeline.name}: {error}"]
    missing, extra = list(timeline.expect), []
    for alert in run.alerts:
        # The exact one first: an expectation of any kind is left for what nothing else asks for.
        fitting = [each for each in (alert, replace(alert, kind=None)) if each in missing]
        if fitting:
            missing.remove(fitting[0])
        else:
            extra.append(alert)
    return [
        *(
            f"{timeline.name}: expected {_told(alert)}, which did not come{_why_not(rule, run, alert.at_us)}"
            for alert in missing
        ),
        *(f"{timeline.name}: got {_told(alert)}, which is not expected" for alert in extra),
    ]


def _why_not(rule: Rule, run: Run, at_us: int) -> str:
    """What can be told of an alert that did not come."""
    if at_us in run.seen:
        return f"; there was {run.seen[at_us]}"
    if rule.trigger.events and not is_closing(rule):
        return "; no event judged the rule then"
    if at_us > run.passed_us:
        return f"; time passes only to {rfc3339_ms(run.passed_us)} here: end with a later `tick`"
    return ""


def _spoken(evidence: Evidence) -> str:
    value = "unknown" if evidence.value is None else f"{evidence.value} {evidence.unit}".strip()
    return f"{evidence.name or evidence.quantity} {value}"


def _told(alert: ExpectedAlert) -> str:
    return f"{alert.kind or 'alert'} {alert.severity} at {rfc3339_ms(alert.at_us)}"
