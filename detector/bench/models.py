"""What models cost: rules and models against rules alone, on the same log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.bench.logs import log_file, population
from detector.bench.rounds import Plan, Row, cpu_seconds, interleaved
from detector.drivers.detection import Detection
from detector.drivers.learning import heard_of
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay_log
from detector.errors import StateError
from detector.events.money import Currencies
from detector.language.features import FEATURES
from detector.language.pack import default_pack, load_pack
from detector.players.player import LONG_AGO
from models.scorecard import Scorecard

OURS = "rules and models"
ALONE = "rules alone"


def measure(plan: Plan) -> list[Row]:
    """One row: a replay that scores at deposits and session ends, and one that does not."""
    rules, currencies = load_pack(default_pack()).rules, Currencies()
    config = population(plan.events)
    plan.tell(f"simulating {config.events:,} events")
    with log_file(config) as path:
        plan.tell("learning from them")
        card, samples = _learned(path, Detection(rules, currencies, catalogue=FEATURES.packaged))
        scored = Detection(rules, currencies, catalogue=FEATURES.packaged, scorecards=((LONG_AGO, card),))
        found: dict[str, int] = {}

        def replayed(name: str, detection: Detection) -> Callable[[], float]:
            def work() -> None:
                with LogReader(path) as log, replay_log(log, detection, all_alerts=True) as all_found:
                    found[name] = sum(all_found.tally.alerts.values())

            return lambda: (config.events or 0) / cpu_seconds(work)

        figures = interleaved(
            {OURS: replayed(OURS, scored), ALONE: replayed(ALONE, Detection(rules, currencies))}, plan
        )
    if found[OURS] <= found[ALONE]:
        raise StateError("models found nothing: the figures would compare the same work")
    return [
        Row(
            name="models/rules-alone",
            what="replay, Ontario pack, scores at deposits and session ends",
            unit="events/s",
            ours=figures[OURS],
            peer=ALONE,
            peers=figures[ALONE],
            first=0.5,
            then=0.7,
            notes=[
                f"{config.events:,} events of {config.players:,} players, {samples:,} moments scored; "
                "processor time"
            ],
        )
    ]


def _learned(path: str | Path, detection: Detection) -> tuple[Scorecard, int]:
    """A scorecard learned from the log that it will score, and how many samples there were.

    What it is worth does not matter here, only that it is as large as any.
    """
    # River takes seconds to import, and whoever measures something else does not need it.
    from models.trainer import Trainer

    catalogue = FEATURES.packaged
    trainer = Trainer(catalogue.names, catalogue.id, kinds=("logistic",))
    with LogReader(str(path)) as log:
        for each in heard_of(log, detection):
            trainer.hear(each)
    trainer.finish()
    own = [feature.name for feature in catalogue.features if feature.own]
    card = trainer.scorecard("logistic", own, 0.01)
    return card, trainer.room.counts.taken
