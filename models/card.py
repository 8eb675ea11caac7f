"""The model card: what a model is for, what it was measured to do, and what it cannot, for whoever decides.

After Mitchell et al. 2019 (Model cards for model reporting). Every number comes from the report; nothing is
claimed that was not measured, and what could not be measured says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from models.bias import Share
from models.book import Entry
from models.report import Gaps, Interval, Report, ScoreReport

UNKNOWN = "not measured"
UNSET = "never"


def card(entry: Entry, report: Report) -> str:
    """Return the card of one entry, as Markdown.

    Parameters
    ----------
    entry
        The registry's entry; its `kind` names the score of the report that it is about.
    report
        What was measured. KeyError if the kind is not in it.
    """
    own = report.score(entry.kind)
    parts = [
        f"# Model card: harm, {entry.kind} `{entry.id}`",
        _PURPOSE,
        _data(report),
        _features(entry, report),
        _metrics(own, report),
        _calibration(own),
        *(_gaps(each) for each in own.gaps),
        _drift(report),
        _bias(report),
        _limits(own, report),
        _artefact(entry, report),
    ]
    return "\n\n".join(parts) + "\n"


_PURPOSE = """## What it is for

It says how likely it is that a label of harm (a self-exclusion of six months or more, words of distress, an
agent's verdict) comes within 30 days of a deposit or the end of a session. It ranks whom people look at
first, beside the rules and never instead of them.

## What it must not be used for

- To find players who can be got to spend more, or to withhold winnings; for credit, insurance or work.
- As a diagnosis: it knows of labels, not of people.
- To restrict anybody by itself: a person reviews, and the player can contest.
- For players, products or countries that it has not learned from."""


def _data(report: Report) -> str:
    data = report.data
    span = (
        f"from {_day(data.first_at)} to {_day(data.last_at)}"
        if data.first_at is not None and data.last_at is not None
        else "of no time"
    )
    lines = [
        "## Data",
        f"{data.samples:,} samples {span}; {data.waiting:,} still wait for their answer. Measured on "
        f"{data.player_days:,} player-days of {data.players:,} players, {data.harmed:,} of them followed by "
        f"harm ({_percent(data.weighted_harmed)} by inverse propensity).",
    ]
    if data.kept_players < 1:
        lines.append(f"{data.kept_players:.1%} of the players are in the report, drawn by lot.")
    lines.append(_table(("labels by source", "count"), [(name, f"{n:,}") for name, n in data.labels.items()]))
    lines.append(f"Labels of players of whom no sample waited: {data.labels_unknown_player:,}.")
    lines.append(_table(("answers", "samples"), [(name, f"{n:,}") for name, n in data.answered.items()]))
    lines.append(_table(("left out", "samples"), [(name, f"{n:,}") for name, n in data.dropped.items()]))
    return "\n\n".join(lines)


def _features(entry: Entry, report: Report) -> str:
    unknown = {each.feature: each.unknown for each in report.drift}
    rows = [(f"`{name}`", _percent(unknown.get(name))) for name in entry.features]
    return "\n\n".join(
        ["## Features", f"Of catalogue `{entry.catalogue}`.", _table(("feature", "unknown"), rows)]
    )


def _metrics(own: ScoreReport, report: Report) -> str:
    rows = [
        (
            f"**{each.name}**" if each is own else each.name,
            _interval(each.roc_auc),
            _interval(each.pr_auc),
            _number(each.roc_auc_without_verdicts),
            _interval(each.precision),
            _number(each.lead.median, 1),
            _percent(each.lead.reached),
            _number(each.alerts_per_1000, 1),
        )
        for each in (own, *(other for other in report.scores if other is not own))
    ]
    head = (
        "score",
        "ROC AUC",
        "PR AUC",
        "ROC AUC without verdicts",
        "precision at capacity",
        "lead, days (median)",
        "reached",
        "alerts per 1,000 player-days",
    )
    lead = own.lead
    text = (
        f"Capacity: {report.capacity_per_1000:g} players a day of 1,000. Lead time over {lead.cases:,} "
        f"cases; quartiles {_number(lead.lower_quartile, 1)} and {_number(lead.upper_quartile, 1)} days."
    )
    method = "\n".join(f"- {sentence}" for sentence in report.method)
    return "\n\n".join(["## How well it does, beside plain baselines", _table(head, rows), text, method])


def _calibration(own: ScoreReport) -> str:
    if own.brier is None or not own.reliability:
        return f"## Calibration\n\n{UNKNOWN.capitalize()}."
    rows = [
        (f"{each.predicted:.4f}", f"{each.observed:.4f}", f"{each.count:,.0f}") for each in own.reliability
    ]
    text = (
        f"Brier score {_interval(own.brier)}, expected calibration error {_number(own.calibration_error, 4)}."
    )
    return "\n\n".join(["## Calibration", text, _table(("said", "happened", "player-days, by weight"), rows)])


def _gaps(gaps: Gaps) -> str:
    rows = [
        (
            each.group,
            f"{each.rows:,}",
            f"{each.harmed:,}",
            _number(each.roc_auc),
            _percent(each.alert_rate),
            _percent(each.false_alert_rate),
            _percent(each.reached),
        )
        for each in gaps.groups
    ]
    head = ("group", "player-days", "harmed", "ROC AUC", "flagged", "flagged without harm", "reached")
    text = (
        f"Largest gaps: ROC AUC {_number(gaps.roc_auc)}, flagged without harm "
        f"{_percent(gaps.false_alert_rate)}, reached {_percent(gaps.reached)}. Groups with fewer than ten "
        f"harmed player-days are not compared."
    )
    return "\n\n".join([f"## Gaps by {gaps.by}", _table(head, rows), text])


def _drift(report: Report) -> str:
    rows = []
    for each in report.drift:
        largest = max((index for _, index in each.weeks), default=None)
        latest = each.weeks[-1][1] if each.weeks else None
        changes = f"{len(each.changes)}, the last on {_day(each.changes[-1])}" if each.changes else "none"
        rows.append((f"`{each.feature}`", _number(latest), _number(largest), changes))
    seen = [
        (name, ", ".join(_day(at) for at in changes[-3:]) or "none")
        for name, changes in report.data.changes.items()
    ]
    return "\n\n".join(
        [
            "## Drift",
            "Population stability index of each week against the first four; 0.25 and above is a shift.",
            _table(("feature", "latest week", "largest", "changes of its mean"), rows),
            _table(("what else moved", "last changes"), seen),
        ]
    )


def _bias(report: Report) -> str:
    bias = report.bias
    rows = [
        ("on alerts", f"{bias.on_alerts.verdicts:,}", _share(bias.on_alerts)),
        ("random review", f"{bias.reviewed.verdicts:,}", _share(bias.reviewed)),
    ]
    believed = (
        f"A model taught by verdicts on alerts alone would have believed {_percent(bias.believed)} of "
        f"{bias.believed_from:,} reviewed players harmed, on average; {_percent(bias.believed_truth)} were."
        if bias.believed is not None
        else "There are too few verdicts to say what a model taught by those on alerts alone would believe."
    )
    weights = (
        f"Of samples under an alert {_percent(bias.looked_at)} are estimated to be spoken of by a verdict. "
        f"One verdict stands for {bias.cap:g} at most; {bias.capped:,} would have stood for more."
    )
    return "\n\n".join(
        ["## Bias of labels", _table(("verdicts", "count", "share harmed"), rows), believed, weights]
    )


def _limits(own: ScoreReport, report: Report) -> str:
    limits = [
        "A player who comes to harm in silence counts as not harmed, unless the random review finds them.",
        "Self-exclusion is a noisy label: some use it as a plain way to close an account.",
        "Harm before the first sample of a player, and on other platforms, is not seen.",
    ]
    if not report.bias.reviewed.verdicts:
        limits.append("**No random review took place**: nothing corrects what alerts make agents see.")
    if report.data.harmed < 100:
        limits.append(
            f"**Only {report.data.harmed:,} player-days were followed by harm**: intervals are wide."
        )
    better = [
        each.name
        for each in report.scores
        if each.role == "baseline" and _more(each.pr_auc.value, own.pr_auc.value)
    ]
    if better:
        limits.append(f"**It ranks no better than {', '.join(better)}** (PR AUC).")
    if own.roc_auc.value is not None and own.roc_auc.value > 0.9:
        limits.append(
            "**A ROC AUC above 0.90**: published models on real players reach 0.72 to 0.88, so that this "
            "says more of the data than of the model."
        )
    return "## Limits\n\n" + "\n".join(f"- {each}" for each in limits)


def _artefact(entry: Entry, report: Report) -> str:
    rows = [
        ("scorecard, SHA-256", f"`{entry.card_sha256}`"),
        ("trainer's state, SHA-256", f"`{entry.state_sha256}`"),
        ("catalogue", f"`{entry.catalogue}`"),
        ("river", entry.river),
        ("seed", str(report.seed)),
        ("role", entry.role),
        ("registered", _day(entry.created)),
        ("in force from", UNSET if entry.effective_from is None else _day(entry.effective_from)),
    ]
    return "\n\n".join(["## Artefact", _table(("what", "value"), rows)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"{head[0].capitalize()}: none."
    return "\n".join([_line(head), f"|{'---|' * len(head)}", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    # Names of features and groups come from elsewhere, and may not break out of their cell.
    return text.replace("|", "\\|").replace("\n", " ")


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return UNKNOWN
    return f"{interval.value:.3f} ({_number(interval.low)} to {_number(interval.high)})"


def _share(share: Share) -> str:
    if share.share is None:
        return UNKNOWN
    return f"{_percent(share.share)} ({_percent(share.low)} to {_percent(share.high)})"


def _number(value: float | None, digits: int = 3) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def _more(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one >= other


def _day(at_us: int) -> str:
    """The UTC day of an instant."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).date().isoformat()
