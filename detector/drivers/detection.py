"""What a detector works by, in one thing that can travel to other processes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from detector.cohorts.load import cohorts_beside
from detector.cohorts.tables import Cohorts
from detector.drivers.rulesets import RuleSet
from detector.drivers.scorecards import Scorecards, read_scorecards
from detector.engine.engine import GRACE_US, Engine
from detector.engine.places import Places
from detector.events.money import Currencies, Rates
from detector.ladder.ladder import Ladder
from detector.ladder.load import LADDERS
from detector.language.features import FEATURES, Catalogue
from detector.language.rule import Rule
from detector.score.load import SCORES
from detector.score.scoring import Scoring


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector works by; the same in every worker."""

    rules: Sequence[Rule]
    currencies: Currencies = field(default_factory=Currencies)
    rates: Rates | None = None
    places: Places | None = None
    scoring: Scoring | None = None  # the packaged one
    ladder: Ladder | None = None  # the packaged one
    catalogue: Catalogue | None = None  # without one no model is asked
    scorecards: Scorecards = ()
    keep_samples: bool = False  # for who learns
    cohorts: Cohorts | None = None  # without any, every place is unknown

    @classmethod
    def of(
        cls,
        found: RuleSet,
        currencies: Currencies,
        rates: Rates | None,
        places: Places | None,
        *,
        keep_samples: bool = False,
    ) -> Detection:
        """What a set of rules makes a detector work by, with what the deployment adds."""
        return cls(
            found.rules,
            currencies,
            rates,
            places,
            found.scoring,
            found.ladder,
            found.catalogue,
            found.scorecards,
            keep_samples,
            found.cohorts,
        )

    @classmethod
    def of_folder(
        cls,
        folder: Path,
        rules: Sequence[Rule],
        currencies: Currencies,
        rates: Rates | None,
        places: Places | None,
    ) -> Detection:
        """What some of a folder's rules make a detector work by, with what lies beside them.

        Raises
        ------
        TiltwatchError
            A file there cannot be used.
        """
        return cls(
            rules,
            currencies,
            rates,
            places,
            SCORES.of(folder),
            LADDERS.of(folder),
            FEATURES.of(folder),
            read_scorecards(folder),
            cohorts=cohorts_beside(folder),
        )

    def engine(
        self,
        *,
        keep_records: bool,
        grace_us: int = GRACE_US,
        stored: Callable[[str], bytes | None] | None = None,
    ) -> Engine:
        """An engine without any player; `grace_us` and `stored` as the engine has them."""
        return Engine(
            self.rules,
            places=self.places,
            rates=self.rates,
            currencies=self.currencies,
            grace_us=grace_us,
            scoring=self.scoring,
            ladder=self.ladder,
            cohorts=self.cohorts,
            catalogue=self.catalogue,
            scorers=self.scorecards,
            keep_samples=self.keep_samples,
            keep_records=keep_records,
            stored=stored,
        )

    def terms(self) -> dict[str, str]:
        """A hash of each thing that the outcome depends on, by what its user calls it."""
        rules = [dataclasses.replace(rule, path="", tests=()) for rule in self.rules]
        parts: dict[str, object] = {
            "rules": rules,
            "currencies": vars(self.currencies),
            "rates": None if self.rates is None else vars(self.rates),
            "places": None if self.places is None else vars(self.places),
            "score.yml": (self.scoring or SCORES.packaged).behaviour,
            "ladder.yml": (self.ladder or LADDERS.packaged).behaviour,
            "cohorts.json": None if self.cohorts is None else self.cohorts.ids,
            "features.yml": None if self.catalogue is None else self.catalogue.behaviour,
            "scorecards": [(since, card.id) for since, card in self.scorecards],
            "version": version("tiltwatch"),
        }
        return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}
