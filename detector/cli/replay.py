"""`tiltwatch replay`: the detector over a log of events."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from detector.cli.options import (
    DefaultJurisdiction,
    OwnCurrencies,
    PlacesFile,
    RatesFile,
    read_currencies,
)
from detector.cli.outputs import distinct, line_writer, writer
from detector.cli.progress import progress_of
from detector.drivers.checkpoints import open_folder
from detector.drivers.crew import MOST_JOBS, processors
from detector.drivers.detection import Detection
from detector.drivers.files import replaced
from detector.drivers.foreign import ForeignLog
from detector.drivers.lines import LogReader
from detector.drivers.replay import SAVE_EVERY_S, Found, replay_log
from detector.engine.places import read_places
from detector.errors import InputError
from detector.events.money import Rates
from detector.language.pack import default_pack, load_pack
from detector.language.rule import SEVERITIES
from detector.mapping.catalogue import find_mapping


def command(
    events: Annotated[
        str, typer.Argument(help="A log of events, one JSON object a line; - for standard input.")
    ],
    rules: Annotated[
        Path | None, typer.Option(help="Run every rule under this folder, whatever its status.")
    ] = None,
    alerts: Annotated[
        str | None, typer.Option(help="Write the alerts here as JSON lines; - for stdout.")
    ] = None,
    dead: Annotated[str | None, typer.Option(help="Write refused lines here, with why.")] = None,
    risk: Annotated[
        str | None,
        typer.Option(help="Write each noticed player's score at the end of the log here, and its reasons."),
    ] = None,
    rates: RatesFile = None,
    own: OwnCurrencies = "",
    places: PlacesFile = None,
    jurisdiction: DefaultJurisdiction = None,
    jobs: Annotated[
        int, typer.Option(min=0, max=MOST_JOBS, help="Processes to share the players; 0: one a processor.")
    ] = 1,
    mapping: Annotated[
        str | None,
        typer.Option("--with", help="Read another platform's messages by this mapping, a file or a name."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Leave checkpoints in this folder, and go on from there when run again."),
    ] = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds between checkpoints.")] = SAVE_EVERY_S,
) -> None:
    """Run the detector over a log of events and show what it would have alerted."""
    currencies = read_currencies(own)
    pack = load_pack(_folder(rules), currencies)
    for finding in pack.findings:
        print(finding, file=sys.stderr)
    if not pack.rules:
        print(f"tiltwatch: no rule under {_folder(rules)} can run", file=sys.stderr)
    chosen = pack.rules if rules is not None else [r for r in pack.rules if r.status in ("live", "shadow")]
    distinct(events, alerts, dead, risk)
    feed = None if mapping is None else find_mapping(mapping, currencies)
    table = Rates.read(rates, currencies) if rates is not None else None
    detection = Detection.of_folder(
        _folder(rules), chosen, currencies, table, read_places(places, jurisdiction)
    )
    # Whoever names the rules wants to see what each would do, the shadow ones too.
    named = rules is not None
    with ExitStack() as stack:
        log = stack.enter_context(LogReader(events))
        if resume is None:
            folder, tell, bury = None, writer(alerts, stack), writer(dead, stack)
        else:
            terms = detection.terms() | {"--rules": str(named)}
            if feed is not None:
                terms["--with"] = sha256(feed.path.read_bytes()).hexdigest()
            folder = stack.enter_context(open_folder(resume, terms))
            tell, bury = None, folder.bury
        progress = progress_of("replay", log, stack)
        began = time.perf_counter()
        found = stack.enter_context(
            replay_log(
                log,
                detection,
                jobs=jobs or processors(),
                all_alerts=named,
                risks=risk is not None,
                folder=folder,
                foreign=None if feed is None else ForeignLog(feed, currencies),
                every_s=every,
                dead=bury,
                progress=progress,
            )
        )
        took = time.perf_counter() - began
        if tell is not None:
            for line in found.alerts():
                tell(line)
        _deliver(risk, found.risks())
        if folder is not None:
            _deliver(alerts, found.alerts())
            _deliver(dead, folder.buried())
    show(found, took, Console(stderr="-" in (alerts, dead, risk)))


def _folder(rules: Path | None) -> Path:
    if rules is None:
        return default_pack()
    if not rules.exists():
        raise InputError(f"{rules}: no such rules")
    return rules


def _deliver(target: str | None, lines: Iterable[bytes]) -> None:
    """Write a file that appears when all is in it: what a killed replay leaves must not look whole."""
    with ExitStack() as stack:
        if target is None or target == "-" or (Path(target).exists() and not Path(target).is_file()):
            write = writer(target, stack)
        else:
            write = line_writer(stack.enter_context(replaced(Path(target))))
        if write is not None:
            for line in lines:
                write(line)


def show(found: Found, took_s: float, console: Console) -> None:
    """Print the summary of a replay."""
    tally = found.tally
    counts = Counter(tally.counts)
    summary = Table("events", "", title="Replay", show_header=False, title_justify="left")
    rows = {
        "lines": found.lines,
        "accepted": counts["accepted"],
        "repeated (no effect)": counts["repeated"],
        "refused": sum(tally.refused.values()),
        **{f"  {reason}": n for reason, n in sorted(tally.refused.items())},
        "left out by the mapping": sum(tally.dropped.values()),
        "late": counts["late"],
        "undone by corrections": counts["undone"],
        "cancelled before they came": counts["cancelled"],
        "money without a rate": counts["unrated"],
        "fields ignored": sum(tally.unknown_fields.values()),
        "players": found.players,
        "alerts": sum(tally.alerts.values()),
        "alerts of shadow rules": tally.shadow,
        "alerts with a note": tally.notes,
    }
    always = ("lines", "accepted", "refused", "players", "alerts")
    for name, n in rows.items():
        if n or name in always:
            summary.add_row(name, f"{n:,}")
    summary.add_row("seconds", f"{took_s:.2f}")
    if took_s > 0:
        summary.add_row("events a second", f"{found.lines / took_s:,.0f}")
    console.print(summary)
    if tally.alerts:
        alerts = Counter(tally.alerts)
        table = Table("rule", "severity", "open", "escalate", "remind", title="Alerts", title_justify="left")
        for rule in sorted({rule for rule, _, _ in alerts}):
            for severity in reversed(SEVERITIES):
                kinds = [alerts[rule, severity, kind] for kind in ("open", "escalate", "remind")]
                if any(kinds):
                    table.add_row(rule, severity, *(f"{n:,}" if n else "" for n in kinds))
        console.print(table)
