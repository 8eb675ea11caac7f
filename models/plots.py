"""The report in pictures: PNG bytes, drawn without any global state of matplotlib."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.report import Report

_GREY = "#999999"


def reliability(report: Report) -> bytes:
    """Draw what was said against what happened, a line for each score that is a probability."""
    figure, (axes,) = _figure(1)
    top = 0.0
    for each in report.scores:
        if each.reliability:
            said = [point.predicted for point in each.reliability]
            happened = [point.observed for point in each.reliability]
            axes.plot(said, happened, marker="o", label=_plain(each.name))
            top = max(top, *said, *happened)
    axes.plot([0, top or 1], [0, top or 1], color=_GREY, linestyle=":", label="perfect")
    return _drawn(figure, axes, "said", "happened")


def curves(report: Report) -> bytes:
    """Draw ROC and precision-recall curves of all scores, baselines dashed."""
    figure, (roc, precision) = _figure(2)
    for each in report.scores:
        style = "--" if each.role == "baseline" else "-"
        points, name = each.curves, _plain(each.name)
        roc.plot([0.0, *points.false_positive_rate], [0.0, *points.recall], linestyle=style, label=name)
        precision.plot(points.recall, points.precision, linestyle=style, label=name)
    roc.plot([0, 1], [0, 1], color=_GREY, linestyle=":", label="chance")
    _named(roc, "flagged without harm", "reached")
    return _drawn(figure, precision, "reached", "precision")


def weekly(report: Report) -> bytes:
    """Draw each week's ROC AUC, and the share of player-days at or above the first weeks' capacity."""
    figure, (auc, alerts) = _figure(2)
    for each in report.scores:
        style = "--" if each.role == "baseline" else "-"
        days = _days([week.first_day for week in each.weeks])
        name = _plain(each.name)
        auc.plot(days, [_gap(week.roc_auc) for week in each.weeks], linestyle=style, label=name)
        alerts.plot(days, [_gap(week.alert_rate) for week in each.weeks], linestyle=style, label=name)
    _named(auc, "week", "ROC AUC")
    figure.autofmt_xdate()
    return _drawn(figure, alerts, "week", "alert rate")


def drift(report: Report, most: int = 8) -> bytes:
    """Draw the stability index by week, of the `most` features that moved most."""
    figure, (axes,) = _figure(1)
    moved = sorted(report.drift, key=lambda each: -max((index for _, index in each.weeks), default=0.0))
    for each in moved[:most]:
        days = _days([day for day, _ in each.weeks])
        axes.plot(days, [index for _, index in each.weeks], label=_plain(each.feature))
    axes.axhline(0.25, color=_GREY, linestyle=":", label="a shift")
    figure.autofmt_xdate()
    return _drawn(figure, axes, "week", "population stability index")


def _figure(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.5 * count, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, count, place + 1) for place in range(count)]


def _drawn(figure: Figure, axes: Axes, x: str, y: str) -> bytes:
    _named(axes, x, y)
    axes.legend(fontsize="small")
    made = BytesIO()
    # Nothing of the machine or the library in the file: the same report gives the same bytes.
    figure.savefig(made, format="png", dpi=110, metadata={"Software": None})
    return made.getvalue()


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _days(since_epoch: list[int]) -> NDArray[np.datetime64]:
    return np.array(since_epoch, dtype="datetime64[D]")


def _gap(value: float | None) -> float:
    return float("nan") if value is None else value


def _plain(name: str) -> str:
    # A dollar would begin mathematics, a leading underscore would hide the line from the legend.
    return name.lstrip("_").replace("$", r"\$")
