"""`tiltwatch models`: learn from a log, look at what was measured, put a model in force or take it back."""

from __future__ import annotations

import csv
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from detector.cli.options import (
    DefaultJurisdiction,
    OwnCurrencies,
    PlacesFile,
    RatesFile,
    read_currencies,
)
from detector.drivers.challengers import metrics_of, new_trainer, register
from detector.drivers.detection import Detection
from detector.drivers.files import replaced
from detector.drivers.learning import heard_of
from detector.drivers.lines import LogReader
from detector.drivers.scorecards import check_fileable, file_scorecard, whole
from detector.drivers.trainer import alone
from detector.engine.places import read_places
from detector.errors import InputError, SettingsError
from detector.events.instants import micros, rfc3339_ms
from detector.events.money import Rates
from detector.language.pack import default_pack, load_pack
from models.errors import ModelError
from models.sample import SOURCES, Label, is_sound

if TYPE_CHECKING:
    from models.registry import Registry
    from models.report import Interval, Report
    from models.trainer import Trainer

app = typer.Typer(
    name="models", help="Learn from players, measure, promote, roll back.", no_args_is_help=True
)

# What learns is imported by the commands that need it: River takes seconds, and every command would wait.

RegistryFolder = Annotated[
    Path, typer.Option("--registry", help="The folder of the models; made if it is not there.")
]
RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="The folder of rules that models lie beside.")
]
EffectiveFrom = Annotated[
    datetime | None, typer.Option(help="From which event time on, UTC; now if left out.")
]
Why = Annotated[str, typer.Argument(help="The reason, kept for good.")]


@app.command()
def train(
    events: Annotated[
        str, typer.Argument(help="A log of events, one JSON object a line; - for standard input.")
    ],
    registry: RegistryFolder,
    rules: RulesFolder = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="What people found: JSON lines of labels, as docs/models.md says; heard beside the log."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that draws.")] = 0,
    go_on: Annotated[
        bool,
        typer.Option("--continue", help="Go on from where the last training ended: the same log, grown."),
    ] = False,
    rates: RatesFile = None,
    own: OwnCurrencies = "",
    places: PlacesFile = None,
    jurisdiction: DefaultJurisdiction = None,
) -> None:
    """Learn from a log in the order of its time, testing each prediction before learning from it."""
    currencies = read_currencies(own)
    folder = rules or default_pack()
    detection = Detection.of_folder(
        folder,
        [rule for rule in load_pack(folder, currencies).rules if rule.status == "live"],
        currencies,
        Rates.read(rates, currencies) if rates is not None else None,
        read_places(places, jurisdiction),
    )
    catalogue = detection.catalogue
    assert catalogue is not None
    book = _opened(registry)
    with alone(book.folder):
        trainer = _restored(book) if go_on else None
        if trainer is None:
            trainer = new_trainer(catalogue, seed)
        elif trainer.catalogue != catalogue.id:
            raise SettingsError("the last training saw other features; train anew, without --continue")
        known_us = trainer.hear_again()
        for label in _labels(verdicts):
            if label.at > known_us:
                trainer.hear(label)
        with LogReader(events) as log:
            for each in heard_of(log, detection):
                if each.at > known_us:  # else it was learned from already
                    trainer.hear(each)
        # Whoever learns live after this begins at the first sample that the log did not have.
        trainer.place = {}
        # Before the end: a log that goes on has things to say of its last minutes that are not heard yet.
        kept = trainer.state()
        trainer.finish()
        if trainer.last_at is None:
            raise InputError(
                f"{events}: no deposit and no end of a session in it, so that nothing is learned or kept; "
                "`tiltwatch replay --dead FILE` writes what of a log is refused, and why"
            )
        now_us = micros(datetime.now(UTC))
        book.checkpoint(kept, now_us)
        report = trainer.report()
        for entry in register(
            book,
            trainer,
            catalogue,
            lambda kind: metrics_of(report.score(kind)),
            by=_user(),
            at_us=now_us,
        ):
            typer.echo(f"{entry.id}  {entry.kind}  {entry.role}")
    show(report, Console())


@app.command()
def evaluate(
    registry: RegistryFolder,
    gender: Annotated[
        Path | None, typer.Option(help="A CSV of player,gender: gaps are then told by it too.")
    ] = None,
    capacity: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Players agents can look at a day, of 1,000.")
    ] = 20.0,
    out: Annotated[Path | None, typer.Option(help="Write the whole report here, as JSON.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw it into this folder, as PNG.")] = None,
) -> None:
    """Show what was measured of the models in training, and of plain baselines beside them."""
    report = _trainer(registry).report(capacity=capacity, gender=_gender(gender))
    if out is not None:
        with replaced(out) as file:
            file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if plots is not None:
        _draw(report, plots)
    show(report, Console())


@app.command()
def card(
    registry: RegistryFolder,
    model: Annotated[str | None, typer.Option(help="Whose card; the champion's if left out.")] = None,
    gender: Annotated[Path | None, typer.Option(help="A CSV of player,gender.")] = None,
    out: Annotated[str, typer.Option(help="Write it here; - for standard output.")] = "-",
) -> None:
    """Write a model's card: what it is for, what was measured, and where it must not be trusted."""
    from models.card import card as model_card

    book = _opened(registry)
    entry = book.champion() if model is None else book.entry(model)
    if entry is None:
        raise InputError(f"{registry}: no model has been promoted; name one with --model")
    trainer = _restored(book, entry.id)
    assert trainer is not None
    text = model_card(entry, trainer.report(gender=_gender(gender)))
    if out == "-":
        typer.echo(text)
    else:
        with replaced(Path(out)) as file:
            file.write(text.encode())


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="The id of a challenger, as `train` and `list` tell it.")],
    registry: RegistryFolder,
    rules: RulesFolder = None,
    effective_from: EffectiveFrom = None,
    force: Annotated[
        str | None, typer.Option(help="Promote it although it is not shown to be better, for this reason.")
    ] = None,
) -> None:
    """Put a model in force, beside the rules, if it is shown to be better than the champion.

    The champion itself is laid beside the rules anew.
    """
    book, now_us, since_us = _from_then_on(registry, rules, effective_from)
    entry, champion = book.entry(model), book.champion()
    if champion is not None and champion.id == model and rules is not None:
        _file(book, model, rules, since_us)
        return
    gain, rival = None, "the champion"
    trainer = None
    if champion is not None and champion.id != model:
        try:
            trainer = _restored(book, model)
        except ModelError as error:
            if force is None:
                raise
            typer.echo(f"not compared with the champion: {error}")
    if champion is not None and trainer is not None:
        # What it was trained on it has seen: dated back, it would look better than it is.
        own_us = max(champion.effective_from or 0, champion.trained_until or 0)
        other = trainer.rival(entry.kind, champion.kind, own_us)
        gain = trainer.gain(entry.kind, other, since_us=own_us)
        rival = (
            f"the champion's kind ({other}) as it went on learning"
            if other in trainer.kinds
            else "what was in force"
        )
    made = book.promote(
        model, gain, by=_user(), at_us=now_us, effective_from_us=since_us, forced=force, rival=rival
    )
    _file(book, made.id, rules, since_us)
    if gain is not None:
        typer.echo(f"gain in PR AUC over {rival}: {_interval(gain)}")


@app.command()
def rollback(
    why: Why,
    registry: RegistryFolder,
    rules: RulesFolder = None,
    effective_from: EffectiveFrom = None,
) -> None:
    """Put the model before the champion back in force."""
    book, now_us, since_us = _from_then_on(registry, rules, effective_from)
    made = book.rollback(why, by=_user(), at_us=now_us, effective_from_us=since_us)
    _file(book, made.id, rules, since_us)


@app.command()
def freeze(why: Why, registry: RegistryFolder) -> None:
    """Let no model be promoted until `unfreeze`; rolling back stays possible."""
    _opened(registry).freeze(why, by=_user(), at_us=micros(datetime.now(UTC)))


@app.command()
def unfreeze(why: Why, registry: RegistryFolder) -> None:
    """Let models be promoted again."""
    _opened(registry).unfreeze(why, by=_user(), at_us=micros(datetime.now(UTC)))


@app.command("list")
def show_registry(registry: RegistryFolder) -> None:
    """Show every model of a registry and what was done with it."""
    book = _opened(registry).book()
    # The id whole, however narrow the terminal is: it is what other commands ask for.
    model = Column("model", no_wrap=True, min_width=16)
    table = Table(model, "kind", "role", "in force from", "trained until", "PR AUC")
    for entry in book.entries:
        table.add_row(
            entry.id,
            entry.kind,
            entry.role,
            _instant(entry.effective_from),
            _instant(entry.trained_until),
            _number(entry.metrics.get("pr_auc")),
        )
    console = Console()
    console.print(table)
    for change in book.history:
        console.print(
            f"{_instant(change.at)}  {change.what}  {change.entry or 'all'}  by {change.by}: {change.why}"
        )
    if book.frozen:
        console.print("models are frozen")


def show(report: Report, console: Console) -> None:
    """Print the measures of every score as a table."""
    data = report.data
    console.print(
        f"{data.player_days} player-days of {data.players} players answered, {data.harmed} followed by harm; "
        f"flagged are {report.capacity_per_1000:g} of 1,000 a day"
    )
    table = Table(
        "score", "ROC AUC", "PR AUC", "precision", "lead time, days", "reached", "calibration error"
    )
    for each in report.scores:
        lead = each.lead
        table.add_row(
            each.name,
            _interval(each.roc_auc),
            _interval(each.pr_auc),
            _interval(each.precision),
            _number(lead.median, 1),
            _number(lead.reached, 2),
            _number(each.calibration_error),
        )
    console.print(table)
    if not data.player_days:
        console.print(
            "nothing is measured yet: a day is once 30 days have passed since, if both what came to harm and "
            "what did not had been learned before it"
        )


def _draw(report: Report, folder: Path) -> None:
    """Draw a report into a folder and say where."""
    from models import plots  # it takes matplotlib, which takes a second

    folder.mkdir(parents=True, exist_ok=True)
    for draw in (plots.reliability, plots.curves, plots.weekly, plots.drift):
        path = folder / f"{draw.__name__}.png"
        with replaced(path) as file:
            file.write(draw(report))
        typer.echo(path)


def _labels(path: Path | None) -> list[Label]:
    """The labels of a file."""
    if path is None:
        return []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            label = msgspec.json.decode(line, type=Label)
        except msgspec.MsgspecError as error:
            raise InputError(f"{path}:{number}: no label: {error}") from None
        if label.source not in SOURCES:
            raise InputError(f"{path}:{number}: no label: its source is none of {', '.join(SOURCES)}")
        if not is_sound(label):
            raise InputError(f"{path}:{number}: no label: `drawn` is a share, `at` and `about` are µs")
        found.append(label)
    return found


def _gender(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if rows and not {"player", "gender"} <= set(rows[0]):
        raise InputError(f"{path}:1: a header `player,gender` is needed")
    return {row["player"]: row["gender"] for row in rows}


def _opened(folder: Path) -> Registry:
    from models.registry import Registry

    return Registry(folder)


def _restored(book: Registry, model: str | None = None) -> Trainer | None:
    """The trainer that made a model, or the latest one."""
    from models.trainer import Trainer

    return book.load_state(Trainer.restore, model)


def _trainer(registry: Path) -> Trainer:
    trainer = _restored(_opened(registry))
    if trainer is None:
        raise InputError(f"{registry}: nothing was trained there; begin with `tiltwatch models train`")
    trainer.finish()  # what was heard last waits for what might come before it
    return trainer


def _file(book: Registry, model: str, rules: Path | None, since_us: int) -> None:
    from models.scorecard import Scorecard

    if rules is None:
        typer.echo(f"{model} is the champion; name the folder of your rules with --rules to have it used")
        return
    path = file_scorecard(rules, Scorecard.read(book.card(model)), since_us)
    typer.echo(f"wrote {path}; activate the rules for it to be used")


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return "–"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _from_then_on(
    registry: Path, rules: Path | None, effective_from: datetime | None
) -> tuple[Registry, int, int]:
    """The registry, the wall clock, and from when on something is to be in force: now unless it is said.

    Raises
    ------
    InputError
        Nothing could be laid beside the rules from then on; the registry must not say that it is in force.
    """
    book = _opened(registry)
    now_us = micros(datetime.now(UTC))
    since_us = whole(now_us if effective_from is None else micros(effective_from.replace(tzinfo=UTC)))
    if rules is not None:
        check_fileable(rules, since_us)
    return book, now_us, since_us


def _instant(at_us: int | None) -> str:
    return "–" if at_us is None else rfc3339_ms(at_us)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in containers
        return "unknown"
