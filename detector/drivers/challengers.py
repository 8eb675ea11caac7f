"""What is trained, and registered for people to look at: a scorecard a kind of classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from detector.language.features import Catalogue
from models.harm import Kind

if TYPE_CHECKING:  # River, on which these stand, takes seconds to import
    from models.book import Entry
    from models.registry import Registry
    from models.report import ScoreReport
    from models.trainer import Trainer

KINDS: tuple[Kind, ...] = ("logistic", "forest")
BASELINES = {
    "net loss alone": "net_loss_30d",
    "deposits alone": "deposits_7d",
    "sessions alone": "sessions_30d",
}
"""What any model has to beat: each is one feature."""
REVIEWED = 0.001
"""The share of players and days that the random review looks at, as random-review.yml has it."""


def new_trainer(catalogue: Catalogue, seed: int = 0) -> Trainer:
    """A trainer that has learned nothing yet."""
    from models.trainer import Trainer

    return Trainer(catalogue.names, catalogue.id, seed=seed, kinds=KINDS, baselines=BASELINES)


def register(
    book: Registry,
    trainer: Trainer,
    catalogue: Catalogue,
    metrics: Callable[[Kind], Mapping[str, float | None]],
    *,
    by: str,
    at_us: int,
) -> list[Entry]:
    """Register what each kind of a trainer has learned so far; what is there already is not added again.

    Parameters
    ----------
    catalogue
        The one that the trainer learns on.
    at_us
        The wall clock, µs since the epoch.

    Raises
    ------
    RegistryError
        It cannot be written.
    """
    state = trainer.state()
    own_habit = [feature.name for feature in catalogue.features if feature.own]
    return [
        book.register(
            trainer.scorecard(kind, own_habit, REVIEWED).to_json(),
            state,
            kind=kind,
            features=catalogue.names,
            catalogue=catalogue.id,
            at_us=at_us,
            by=by,
            trained_from_us=trainer.first_at,
            trained_until_us=trainer.last_at,
            metrics=metrics(kind),
        )
        for kind in KINDS
    ]


def metrics_of(score: ScoreReport) -> dict[str, float | None]:
    """What a registry keeps of a report."""
    return {
        "roc_auc": score.roc_auc.value,
        "pr_auc": score.pr_auc.value,
        "precision": score.precision.value,
        "lead_time_days": score.lead.median,
        "calibration_error": score.calibration_error,
    }
