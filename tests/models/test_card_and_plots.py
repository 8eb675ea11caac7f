"""The model card and the pictures, made from a report that was measured."""

from __future__ import annotations

import pytest

from models import plots
from models.book import Entry
from models.card import card
from models.report import Report
from models.trainer import Trainer
from tests.models.streams import BASELINES, FEATURES, fed, stream

ENTRY = Entry(
    id="ab" * 8,
    kind="logistic",
    created=0,
    trained_from=0,
    trained_until=10**13,
    river="0.26.1",
    features=list(FEATURES),
    catalogue="cat",
    card_sha256="ab" * 32,
    state_sha256="cd" * 32,
    metrics={},
)


def trainer() -> Trainer:
    return Trainer(FEATURES, "cat", kinds=("logistic",), baselines=BASELINES)


@pytest.fixture(scope="module")
def report() -> Report:
    return fed(trainer(), list(stream(players=100, days=90, review=0.05))).report(draws=20)


def test_a_card_tells_what_was_measured_beside_the_baselines(report: Report) -> None:
    told = card(ENTRY, report)
    own = report.score("logistic")
    assert f"| **logistic** | {own.roc_auc.value:.3f} (" in told
    for name in ("net loss alone", "deposits alone", "sessions alone", "rules alone"):
        assert f"| {name} | " in told
    for heading in ("must not be used", "Data", "Features", "Calibration", "Gaps by age", "Drift", "Limits"):
        assert heading in told
    for source, count in report.data.labels.items():
        assert f"| {source} | {count:,} |" in told
    assert report.bias.believed is not None
    assert f"believed {report.bias.believed:.1%}" in told
    assert "ab" * 32 in told
    assert "cd" * 32 in told


def test_a_card_of_nothing_measured_says_so_and_claims_nothing() -> None:
    told = card(ENTRY, trainer().report(draws=5))
    assert "| **logistic** | not measured | not measured |" in told
    assert "No random review took place" in told
    assert "nan" not in told.lower().replace("finance", "")
    assert "None" not in told


def test_a_name_cannot_break_out_of_its_cell(report: Report) -> None:
    told = card(ENTRY, report)
    for line in told.splitlines():
        assert not line.startswith("|") or line.endswith("|")


@pytest.mark.parametrize("draw", [plots.reliability, plots.curves, plots.weekly, plots.drift])
def test_pictures_are_png_and_the_same_report_gives_the_same(draw: object, report: Report) -> None:
    assert callable(draw)
    picture = draw(report)
    assert picture.startswith(b"\x89PNG")
    assert draw(report) == picture
    assert draw(trainer().report(draws=5)).startswith(b"\x89PNG"), "of nothing, too"
