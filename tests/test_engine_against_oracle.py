"""The engine against the oracle: the same alerts, and the same values in their evidence, from random logs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from detector.engine.alerts import Alert
from detector.engine.engine import Engine
from detector.engine.places import Places
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies, Rates
from detector.ladder.load import LADDERS
from detector.language.pack import load_rules, packs_dir
from detector.language.rule import Rule
from detector.score.load import SCORES
from detector.score.scoring import Scoring
from tests.oracle import Books, run
from tests.oracle.history import SECOND, instant
from tests.oracle.random_logs import IN_GRACE, ROUGH, ZONES, Shape, random_log, rates, settled, within_grace
from tests.oracle.sample_rules import TIMED, RuleFile, behaviour_rules, quantity_rules, timed_rules
from tests.oracle.sample_scores import scoring, scoring_rules
from tests.oracle.sample_sessions import (
    AT_MOMENTS,
    closing_rules,
    habit_rules,
    session_behaviour_rules,
    summary_rules,
)
from tests.oracle.scores import Score
from tests.oracle.shrinking import shrunk
from tests.oracle.values import Known

CURRENCIES = Currencies()
PLACES = Places(ZONES.brands, ZONES.jurisdictions)
RATES = Rates(CURRENCIES, [(*pair, Decimal(str(rate))) for pair, rate in rates().table.items()])

PACKS: Mapping[str, Sequence[RuleFile]] = {
    "behaviour": behaviour_rules(),
    "time": timed_rules(),
    "sessions": session_behaviour_rules(),
    "closings": closing_rules(),
    "quantities": quantity_rules(),
    "quantities in time": quantity_rules(TIMED),
    "summaries": summary_rules(),
    "summaries in time": summary_rules(AT_MOMENTS),
    "habits": habit_rules(),
    "habits in time": habit_rules(AT_MOMENTS),
    "scores": scoring_rules(),
}

yaml = YAML(typ="safe")
yaml.width = 10_000
yaml.default_flow_style = False
BOOKS = Books(
    scoring(yaml.load(packs_dir() / "score.yml")),
    yaml.load(packs_dir() / "ladder.yml"),
)

# player, rule, kind, severity, opened_at, id: what an alert is, whatever it tells
Told = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Pack:
    """The same rules for either side."""

    files: Sequence[RuleFile]
    rules: Sequence[Rule]

    def only(self, name: str) -> Pack:
        return Pack([f for f in self.files if f["id"] == name], [r for r in self.rules if r.id == name])


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pack]:
    """Every set of rules by its name, written to files and read by the detector."""

    def loaded(files: Iterable[RuleFile]) -> Pack:
        folder: Path = tmp_path_factory.mktemp("rules")
        for file in files:
            yaml.dump(file, folder / f"{file['id']}.yml")
        return Pack(list(files), load_rules(folder))

    return {name: loaded(files) for name, files in PACKS.items()}


@cache
def own_scoring() -> Scoring:
    """The detector's reading of the same score.yml."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "score.yml"
        yaml.dump(BOOKS.scoring, path)
        return SCORES.load(path)


def replayed(rules: Sequence[Rule], lines: Iterable[bytes], seed: int) -> dict[Told, Alert]:
    """The engine's alerts; it is ticked never, at random or always, and at the end."""
    engine = Engine(rules, PLACES, RATES, CURRENCIES, scoring=own_scoring(), ladder=LADDERS.packaged)
    decoder = Decoder(CURRENCIES)
    ticks, often = Random(seed), (0, 0.1, 1)[seed % 3]
    for line in lines:
        event = decoder.decode(line)
        assert not isinstance(event, Refusal), (event, line)
        engine.apply(event)
        if ticks.random() < often:
            engine.tick(engine.watermark_us)
    engine.finish()
    effects = engine.take()
    alerts = effects.alerts + effects.shadow
    found = {told(alert): alert for alert in alerts}
    assert len(found) == len(alerts), "an alert came twice"
    return found


def told(alert: Alert) -> Told:
    return alert.player, alert.rule, alert.kind, alert.severity, alert.opened_at, alert.id


def expected(files: Sequence[RuleFile], lines: Sequence[bytes]) -> dict[Told, dict[str, Any]]:
    """The oracle's alerts, times written as the engine does: to the millisecond (the id knows the rest)."""
    found = {}
    for each in run(files, lines, zones=ZONES, rates=rates(), books=BOOKS):
        time = instant(each["opened_at"] // 1000 * 1000).removesuffix("Z")
        time = time[:23] if "." in time else f"{time}.000"
        found[each["player"], each["rule"], each["kind"], each["severity"], f"{time}Z", each["id"]] = each
    return found


def same(shown: Any, known: Known) -> bool:
    """Does evidence show this value? Durations are shown in seconds; converted sums may round differently."""
    if known is None or shown is None or isinstance(known.amount, str):
        return bool(shown == (None if known is None else known.amount))
    wanted = known.real / SECOND if known.kind == "duration" else known.real
    return bool(shown == pytest.approx(wanted, rel=1e-9, abs=1e-6))


def differences(pack: Pack, lines: Sequence[bytes], seed: int) -> list[tuple[str, str]]:
    """(rule id, what differs), for everything that one side says and the other does not."""
    theirs, ours = replayed(pack.rules, lines, seed), expected(pack.files, lines)
    found = [(key[1], f"only the engine alerts {key}") for key in theirs if key not in ours]
    found += [(key[1], f"only the oracle alerts {key}") for key in ours if key not in theirs]
    for key, alert in theirs.items():
        if key in ours:
            found += [(key[1], f"{text} in {key}") for text in within(alert, ours[key])]
    return [(name.partition("@")[0], text) for name, text in found]


def within(alert: Alert, ours: Mapping[str, Any]) -> Iterator[str]:
    """What differs inside one alert."""
    evidence = {each.quantity: each.value for each in alert.evidence}
    for quantity, known in ours["evidence"].items():
        if quantity not in evidence:
            yield f"no evidence of {quantity}"
        elif not same(evidence[quantity], known):
            yield f"{quantity}: {evidence[quantity]}, not {known}"
    score: Score = ours["score"]
    if score.close:
        return
    if (alert.score, alert.band, alert.contributions) != (score.score, score.band, score.contributions):
        yield f"score {alert.score} {alert.band} {alert.contributions}, not {score}"
    if alert.response != ours["response"]:
        yield f"response {alert.response}, not {ours['response']}"


def assert_agree(pack: Pack, shape: Shape, lines: list[bytes], seed: int) -> None:
    """Fail with the rule and a log as small as still shows the first difference."""
    found = differences(pack, lines, seed)
    if not found:
        return
    name = found[0][0]
    alone = pack.only(name)
    # A difference that needs the other rules beside it is shared windows gone wrong.
    suspects = alone if differences(alone, lines, seed) else pack

    def fails(smaller: list[bytes]) -> bool:
        if smaller != settled(smaller) or (shape.beyond_grace == 0 and not within_grace(smaller)):
            return False
        return any(rule == name for rule, _ in differences(suspects, smaller, seed))

    small = shrunk(lines, fails)
    (file,) = alone.files
    texts = [text for rule, text in differences(suspects, small, seed) if rule == name]
    log = "\n".join(line.decode() for line in small)
    beside = "" if suspects is alone else " (beside the other rules)"
    pytest.fail(f"{len(found)} differences; {name}{beside}:\n{file}\n{log}\n" + "\n".join(texts[:5]))


@pytest.mark.parametrize("seed", range(24))
def test_rules_judged_by_events(packs: Mapping[str, Pack], seed: int) -> None:
    assert_agree(packs["behaviour"], ROUGH, random_log(Random(seed), ROUGH), seed)


# Each of the single seeds once showed something that no other did.
IN_TIME = [
    *product(("time", "sessions", "closings", "scores"), range(12)),
    *product(("time",), (20, 65, 109, 164, 1205)),
    *product(("sessions",), (23, 50, 219, 228, 241)),
    *product(("closings",), (65, 1112)),
    *product(("scores",), (1041, 1067, 1082, 1232)),
]


@pytest.mark.parametrize(("name", "seed"), IN_TIME)
def test_rules_on_what_time_brings(packs: Mapping[str, Pack], name: str, seed: int) -> None:
    assert_agree(packs[name], IN_GRACE, random_log(Random(seed), IN_GRACE), seed)


@pytest.mark.parametrize("seed", range(6))
def test_quantities_after_each_event(packs: Mapping[str, Pack], seed: int) -> None:
    assert_agree(packs["quantities"], ROUGH, random_log(Random(seed), ROUGH), seed)


@pytest.mark.parametrize("name", ["summaries", "habits"])
@pytest.mark.parametrize("seed", range(4))
def test_sessions_and_habits_after_each_event(packs: Mapping[str, Pack], name: str, seed: int) -> None:
    assert_agree(packs[name], IN_GRACE, random_log(Random(seed), IN_GRACE), seed)


@pytest.mark.parametrize("name", ["quantities in time", "summaries in time", "habits in time"])
@pytest.mark.parametrize("seed", range(3))
def test_quantities_at_moments(packs: Mapping[str, Pack], name: str, seed: int) -> None:
    shape = Shape(events=25, players=2, beyond_grace=0)
    assert_agree(packs[name], shape, random_log(Random(seed), shape), seed)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rng=st.randoms(use_true_random=False),
    events=st.integers(1, 12),
    late=st.booleans(),
    ticks=st.integers(0, 2),
)
def test_small_logs(packs: Mapping[str, Pack], rng: Random, events: int, late: bool, ticks: int) -> None:
    shape = Shape(events=events, players=1, corrected=0.1, beyond_grace=0.5 if late else 0)
    lines = random_log(rng, shape)
    assert differences(packs["behaviour"], lines, ticks) == []
    if not late:
        for name in ("time", "sessions", "closings", "scores"):
            assert differences(packs[name], lines, ticks) == []
