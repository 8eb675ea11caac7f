"""`tiltwatch map`: another platform's messages as events, by a mapping file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from detector.cli.options import OwnCurrencies, read_currencies
from detector.cli.outputs import distinct, writer
from detector.drivers.letters import dead_letter
from detector.drivers.lines import LogReader
from detector.errors import InputError
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.money import Currencies
from detector.events.vocabulary import Tick
from detector.mapping.catalogue import check_mappings, find_mapping, mapping_files, packaged_mappings
from detector.mapping.feed import FeedMapping, Taken, translate


def command(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Foreign messages, one a line; - for standard input. With --check: mapping files or "
            "folders of them; tiltwatch's own if left out."
        ),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--with", help="The mapping: a file, or the name of a packaged one.")
    ] = None,
    out: Annotated[str, typer.Option(help="Write the events here as JSON lines; - for stdout.")] = "-",
    dead: Annotated[str | None, typer.Option(help="Write refused messages here, with why.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check mapping files and run their examples instead.")
    ] = False,
    own: OwnCurrencies = "",
) -> None:
    """Show what a mapping makes of foreign messages, and what it refuses: exit 1 if it refuses any."""
    currencies = read_currencies(own)
    if check:
        if mapping is not None:
            raise typer.BadParameter("name the files to check without it", param_hint="--with")
        _check(files or [], currencies)
        return
    if mapping is None:
        raise typer.BadParameter("name a mapping, or --check mapping files", param_hint="--with")
    if files is None or len(files) != 1:
        raise typer.BadParameter("one file of messages, or -", param_hint="FILES")
    _map(files[0], find_mapping(mapping, currencies), Decoder(currencies), out, dead)


def _check(names: list[str], currencies: Currencies) -> None:
    paths = [Path(name) for name in names] or [_packaged()]
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such mapping file or folder")
    findings = check_mappings(paths, currencies)
    for finding in findings:
        typer.echo(str(finding))
    if findings:
        raise typer.Exit(1)
    count = len({file for path in paths for file in mapping_files(path)})
    typer.echo(f"{count} mapping{'' if count == 1 else 's'} checked, every example comes out as it says")


def _packaged() -> Path:
    folder = packaged_mappings()
    # Findings are read by people and editors: a path from where they stand is shorter and clickable.
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


IDS = 1_000_000
"""Ids of events that are remembered, to tell those that come twice."""

TOLD = 20
"""Refusals that are told on stderr; a feed by the wrong mapping would fill the terminal otherwise."""


@dataclass(slots=True)
class _Counts:
    messages: int = 0
    repeated: int = 0
    told: int = 0
    contents: dict[int, int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def _map(source: str, mapping: FeedMapping, decoder: Decoder, out: str, dead: str | None) -> None:
    distinct(source, out, dead)
    counts = _Counts()
    with ExitStack() as stack:
        log = stack.enter_context(LogReader(source))
        tell = writer(out, stack)
        bury = writer(dead, stack)
        number = 0
        for lines in log.chunks():
            for raw in lines:
                number += 1
                if raw.strip():
                    _line(number, raw, mapping, decoder, counts, tell, bury)
    sys.stdout.flush()
    if counts.told > TOLD:
        print(f"… and {counts.told - TOLD:,} more; --dead FILE keeps all, with why", file=sys.stderr)
    _show(mapping, counts, Console(stderr=True, markup=False, emoji=False, highlight=False))
    if counts.refused:
        raise typer.Exit(1)


def _line(
    number: int,
    raw: bytes,
    mapping: FeedMapping,
    decoder: Decoder,
    counts: _Counts,
    tell: Callable[[bytes], None],
    bury: Callable[[bytes], None] | None,
) -> None:
    found = translate(mapping, decoder, raw)
    counts.messages += 1
    counts.dropped.update(found.dropped)
    refusals = [] if found.refusal is None else [found.refusal]
    is_conflict = False
    for taken in found.taken:
        if _is_other(taken, counts):
            is_conflict = True
            continue
        counts.events[taken.event.type] += 1
        tell(taken.raw)
    if is_conflict:  # the message is kept once, however many of its events are refused
        refusals.append(Refusal("conflict", CONFLICT, raw))
    for refusal in refusals:
        counts.refused[refusal.reason] += 1
        if bury is None:
            counts.told += 1
            if counts.told <= TOLD:
                print(f"line {number}: {refusal.reason}: {refusal.detail}", file=sys.stderr)
        else:
            bury(dead_letter(number, refusal).text)


def _is_other(taken: Taken, counts: _Counts) -> bool:
    """Whether an event's id was there with other content, which mostly means an id put together wrongly."""
    event = taken.event
    if isinstance(event, Tick):
        return False
    key = hash((event.player, event.source, event.id))
    known = counts.contents.get(key)
    if known is None and len(counts.contents) < IDS:
        counts.contents[key] = taken.content
    counts.repeated += known == taken.content
    return known is not None and known != taken.content


def _show(mapping: FeedMapping, counts: _Counts, console: Console) -> None:
    # As a title of the table it would be broken to the table's width.
    console.print(f"{mapping.id}: {mapping.title}")
    table = Table("what", "", show_header=False)
    rows = {"messages": counts.messages, "events": sum(counts.events.values())}
    rows |= {f"  {name}": n for name, n in sorted(counts.events.items())}
    rows["repeated (the same again)"] = counts.repeated
    rows["dropped"] = sum(counts.dropped.values())
    rows |= {f"  {why}": n for why, n in sorted(counts.dropped.items())}
    rows["refused"] = sum(counts.refused.values())
    rows |= {f"  {reason}": n for reason, n in sorted(counts.refused.items())}
    for name, n in rows.items():
        if n or name in ("messages", "events", "dropped", "refused"):
            table.add_row(name, f"{n:,}")
    console.print(table)
