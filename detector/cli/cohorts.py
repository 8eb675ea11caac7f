"""`tiltwatch cohorts`: the tables that `percentile` is looked up in."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from detector.cli.options import (
    DefaultJurisdiction,
    OwnCurrencies,
    PlacesFile,
    RatesFile,
    read_currencies,
)
from detector.cli.outputs import distinct
from detector.cli.progress import progress_of
from detector.cohorts.load import MAX_BYTES, read_cohorts, written
from detector.cohorts.tables import LEAST_PLAYERS, Table
from detector.drivers.cohorts import Built, asking, build_table
from detector.drivers.detection import Detection
from detector.drivers.files import replaced
from detector.drivers.lines import LogReader
from detector.engine.places import read_places
from detector.errors import InputError
from detector.events.instants import micros
from detector.events.money import Rates
from detector.language.pack import default_pack, load_pack
from detector.players.player import LONG_AGO

KEPT = 12
"""How many tables `--add` leaves in a file, the new one among them."""

app = typer.Typer(name="cohorts", help="Tables of what other players do.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Tables of what other players do."""


@app.command()
def build(
    events: Annotated[
        str,
        typer.Argument(
            metavar="LOG",
            help="A log of events; - for standard input; an archive's folder: its days but the latest.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the table goes: cohorts.json beside the rules.")],
    rules: Annotated[
        Path | None,
        typer.Option(help="The rules that ask for it; the default pack if none.", exists=True),
    ] = None,
    effective_from: Annotated[
        str | None,
        typer.Option(
            help="From which event time the table is in force (RFC 3339); the day after the log if none."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Leave out judgements before this time (RFC 3339): windows have to fill first."),
    ] = None,
    min_players: Annotated[
        int, typer.Option(min=LEAST_PLAYERS, help="Leave out cohorts of fewer players.")
    ] = 100,
    add: Annotated[
        bool, typer.Option("--add", help=f"Keep the tables that the file holds, the latest {KEPT} in all.")
    ] = False,
    rates: RatesFile = None,
    own: OwnCurrencies = "",
    places: PlacesFile = None,
    jurisdiction: DefaultJurisdiction = None,
) -> None:
    """Build the table that `percentile` is looked up in from what players did."""
    currencies = read_currencies(own)
    folder = rules or default_pack()
    pack = load_pack(folder, currencies)
    for finding in pack.findings:
        print(finding, file=sys.stderr)
    chosen = asking(pack.rules)
    if not chosen:
        raise InputError(f"{folder}: no rule there asks for a percentile")
    distinct(events, str(out))
    starts, from_us = _instant("--effective-from", effective_from), _instant("--since", since)
    before = read_cohorts(out).tables if add and out.exists() else []
    table_of_rates = Rates.read(rates, currencies) if rates is not None else None
    # Of nothing beside the rules: what has a place hangs on no model and on no other table.
    detection = Detection(chosen, currencies, table_of_rates, read_places(places, jurisdiction))
    with ExitStack() as stack:
        log = stack.enter_context(LogReader(events))
        built = build_table(
            log,
            detection,
            least=min_players,
            effective_from=starts,
            from_us=LONG_AGO if from_us is None else micros(from_us),
            progress=progress_of("cohorts", log, stack),
        )
    kept = [table for table in before if table.effective_from != built.table.effective_from]
    tables = sorted([*kept, built.table], key=lambda table: table.from_us)[-KEPT:]
    data = written(tables)
    if len(data) > MAX_BYTES:
        raise InputError(f"{out}: would be over {MAX_BYTES >> 20} MiB; raise --min-players or drop --add")
    with replaced(out) as file:
        file.write(data)
    _show(built, Console())


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter("a time with its zone, such as 2026-01-01T00:00:00Z", param_hint=option)
    return found.astimezone(UTC)


def _show(built: Built, console: Console) -> None:
    table: Table = built.table
    grid = Grid("percentile of", "currency", "product", "players", title_justify="left")
    grid.title = f"In force from {table.effective_from.isoformat()}"
    for measured in table.quantities.values():
        for cohort in measured.cohorts:
            name = cohort.product or "all together"
            grid.add_row(measured.text, cohort.currency or "", name, f"{cohort.players:,}")
        if not measured.cohorts:
            grid.add_row(measured.text, "", "no cohort is large enough", "")
    console.print(grid)
    if built.refused:
        console.print(f"{built.refused:,} lines were refused")
