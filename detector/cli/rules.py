"""`tiltwatch rules`: check, test, show, lock and compare the rules that analysts write."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from detector.cli.options import OwnCurrencies, read_currencies
from detector.cohorts import check as cohorts
from detector.drivers.scorecards import read_scorecards
from detector.errors import Finding, InputError, RuleErrors
from detector.events.money import Currencies, Rates
from detector.ladder.load import LADDERS
from detector.language.features import FEATURES
from detector.language.load import RuleReading, read_rule
from detector.language.pack import check as check_rules
from detector.language.pack import packs_dir, rule_files, write_lock
from detector.language.rule import Rule
from detector.language.source import Mapping, Node, Scalar, read_file, read_source
from detector.score import check as score
from detector.score.load import SCORES

app = typer.Typer(name="rules", help="Check, test, show and compare rules.", no_args_is_help=True)

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Rule files or folders of them; tiltwatch's own packs if left out.", exists=True),
]


@app.command()
def check(paths: Paths = None, own: OwnCurrencies = "") -> None:
    """Find what keeps rules from going live: one finding a line, exit 1 on any."""
    wanted = _some(paths, or_beside=True)
    currencies = read_currencies(own)
    findings = [*check_rules(wanted, currencies), *score.check(wanted), *cohorts.check(wanted, currencies)]
    findings += [finding for each in (LADDERS, FEATURES) for finding in each.check(wanted)]
    for path in wanted:
        read_scorecards(path)
    _stop_on(sorted(findings))
    rules = [_count(wanted)] if any(rule_files(path) for path in wanted) else []
    named = [*rules, *sorted({file.name for path in wanted for file in _beside(path)})]
    told = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    typer.echo(f"{told} checked, nothing found")


@app.command("test")
def run_tests(
    paths: Paths = None,
    own: OwnCurrencies = "",
    # No variable of the environment: what a rule's own tests say must not hang on where they are run.
    rates: Annotated[Path | None, typer.Option(help="Dated exchange rates: CSV date,from,to,rate.")] = None,
    places: Annotated[
        Path | None, typer.Option(help="Brands and jurisdictions with their zones: YAML.")
    ] = None,
) -> None:
    """Run the timelines of rules through the engine: one finding a line, exit 1 on any."""
    from detector.engine.places import read_places  # the engine is needed by this command alone
    from detector.timelines import check_timeline

    wanted = _some(paths)
    findings: list[Finding] = []
    timelines = 0
    currencies = read_currencies(own)
    table = None if rates is None else Rates.read(rates, currencies)
    where = read_places(places)
    for reading in _readings(wanted, currencies):
        findings += reading.findings
        if reading.found is None:
            continue
        for timeline in reading.found.tests:
            timelines += 1
            findings += [
                Finding(reading.path, timeline.line, 1, message)
                for message in check_timeline(reading.found, timeline, currencies, table, where)
            ]
    _stop_on(findings)
    typer.echo(f"{_count(wanted)}, {timelines} timelines: all alert as expected")


def _beside(path: Path) -> list[Path]:
    """What is checked as rules are and is none."""
    beside = (SCORES, LADDERS, FEATURES)
    return [*(file for each in beside for file in each.files(path)), *cohorts.files(path)]


def _some(paths: list[Path] | None, *, or_beside: bool = False) -> list[Path]:
    """The paths, or the packs; InputError where one holds no rule, for nothing found there says nothing."""
    wanted = paths or [_packs()]
    for path in wanted:
        if not (rule_files(path) or (or_beside and _beside(path))):
            raise InputError(f"{path}: no rule file (*.yml) in there")
    return wanted


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="A rule's id, or its file.")],
    own: OwnCurrencies = "",
) -> None:
    """Show one rule: what it asks for, what can be tuned, what it says."""
    named = Path(rule_id)
    found = [named] if named.is_file() else [file for file in rule_files(_packs()) if file.stem == rule_id]
    if not found:
        known = ", ".join(file.stem for file in rule_files(_packs()))
        raise typer.BadParameter(f'no rule "{rule_id}"; there are: {known}', param_hint="ID")
    reading = read_rule(found[0], read_currencies(own))
    _stop_on(reading.findings)
    if reading.found is not None:
        _print(reading.found, _written(found[0]))


@app.command()
def lock(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of rules; tiltwatch's own if left out.", exists=True, file_okay=False),
    ] = None,
    own: OwnCurrencies = "",
) -> None:
    """Write lock.json, which remembers what each version of a rule does."""
    try:
        chosen = folder or _packs()
        beside = SCORES.to_lock(chosen) | LADDERS.to_lock(chosen) | FEATURES.to_lock(chosen)
        typer.echo(f"wrote {write_lock(chosen, read_currencies(own), beside=beside)}")
    except RuleErrors as error:
        _stop_on(error.findings)


@app.command()
def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="A rule file or a folder of them.", exists=True)
    ],
    after: Annotated[Path, typer.Argument(metavar="B", help="What to compare it with.", exists=True)],
    own: OwnCurrencies = "",
) -> None:
    """Compare two sets of rules, rule by rule: added, removed, changed in behaviour or in texts."""
    currencies = read_currencies(own)
    old, new = _loaded(before, currencies), _loaded(after, currencies)
    for rule_id in sorted(old.keys() | new.keys()):
        if rule_id not in new:
            typer.echo(f"- {old[rule_id].name} removed")
        elif rule_id not in old:
            typer.echo(f"+ {new[rule_id].name} added")
        else:
            _print_changes(old[rule_id], new[rule_id])


def _packs() -> Path:
    folder = packs_dir()
    # Findings are read by people and editors: a path from where they stand is shorter and clickable.
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _readings(paths: list[Path], currencies: Currencies) -> list[RuleReading]:
    files = dict.fromkeys(file for path in paths for file in rule_files(path))
    return [read_rule(file, currencies) for file in files]


def _loaded(path: Path, currencies: Currencies) -> dict[str, Rule]:
    readings = _readings([path], currencies)
    _stop_on([finding for reading in readings for finding in reading.findings])
    return {reading.found.id: reading.found for reading in readings if reading.found is not None}


def _count(paths: list[Path]) -> str:
    count = len({file for path in paths for file in rule_files(path)})
    return "1 rule" if count == 1 else f"{count} rules"


def _stop_on(findings: list[Finding]) -> None:
    if findings:
        for finding in findings:
            typer.echo(str(finding))
        raise typer.Exit(1)


def _written(path: Path) -> dict[str, str]:
    """Return every value of a rule file as it is written, by its dotted key, tests left out."""
    written: dict[str, str] = {}

    def walk(key: str, node: Node) -> None:
        if isinstance(node, Scalar):
            written[key] = " ".join(node.text.split())
        elif isinstance(node, Mapping):
            for name, value in node:
                walk(f"{key}.{name.text}" if key else name.text, value)
        else:
            for number, item in enumerate(node.items, 1):
                walk(f"{key}.{number}", item)

    walk("", read_source(read_file(path)))
    return {key: text for key, text in written.items() if not key.startswith("tests.")}


def _print_changes(old: Rule, new: Rule) -> None:
    before, after = _written(Path(old.path)), _written(Path(new.path))
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    tests = old.tests != new.tests
    if not (changed or tests or old.behaviour != new.behaviour):
        return
    alike = "behaves as before" if old.behaviour == new.behaviour else "behaves otherwise"
    names = old.name if old.version == new.version else f"{old.name} -> {new.name}"
    typer.echo(f"~ {names} {alike}")
    for key in changed:
        typer.echo(f"    {key}: {before.get(key, '(none)')} -> {after.get(key, '(none)')}")
    if tests:
        typer.echo("    tests changed")


def _print(rule: Rule, written: dict[str, str]) -> None:
    table = Table(title=f"{rule.name}: {rule.title}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    tests = (
        f"{sum(bool(t.expect) for t in rule.tests)} firing, {sum(not t.expect for t in rule.tests)} silent"
    )
    for key, text in {**written, "currency": rule.currency or "the player's first", "tests": tests}.items():
        # The id, version and title stand above; a list's items belong to one row.
        if key not in ("id", "version", "title"):
            table.add_row(key, text)
    table.add_row("behaviour", rule.behaviour)
    Console(markup=False, emoji=False, highlight=False).print(table)
