"""`tiltwatch simulate`: a log of simulated players, and the truth about who of them comes to harm."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import msgspec
import typer
import zstandard

from detector.drivers.files import replaced
from detector.errors import InputError, SettingsError
from detector.events.instants import micros
from detector.simulator import Config, arrivals, truths

_USUAL = Config()
_CHUNK = 4096  # lines written at a time


def command(
    players: Annotated[int, typer.Option(help="How many players join.")] = _USUAL.players,
    days: Annotated[int, typer.Option(help="Span of the log, in days.")] = _USUAL.days,
    start: Annotated[str, typer.Option(help="Its beginning, RFC 3339; UTC unless it says.")] = "2026-01-01",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = _USUAL.seed,
    events: Annotated[
        int | None, typer.Option(help="Stop after exactly so many lines, however many days it takes.")
    ] = None,
    troubled: Annotated[
        float, typer.Option(help="Share of players who come to harm in the span.")
    ] = _USUAL.troubled,
    jurisdiction: Annotated[str, typer.Option(help="Where they play.")] = _USUAL.jurisdiction,
    out: Annotated[
        str, typer.Option(help="Write the log here; .gz and .zst are compressed, - is standard output.")
    ] = "-",
    truth: Annotated[
        Path | None,
        typer.Option(help="Write each player's cohort and course of harm, day by day; JSON lines."),
    ] = None,
    repeats: Annotated[float, typer.Option(help="Exact repeats, as a share of the events.")] = 0.0,
    late: Annotated[float, typer.Option(help="Share of the events that arrive late.")] = 0.0,
    late_by: Annotated[
        float, typer.Option(help="The longest lateness, in minutes; the usual grace is 15.")
    ] = _USUAL.late_by / timedelta(minutes=1),
    corrupt: Annotated[
        float, typer.Option(help="Broken lines beside the good ones, as a share of the events.")
    ] = 0.0,
    corrections: Annotated[
        float, typer.Option(help="Share of bets and deposits that are voided or replaced.")
    ] = 0.0,
) -> None:
    """Write a log of simulated players: seeded, and calibrated on real ones as far as figures go."""
    config = Config(
        players=players,
        days=days,
        start=_instant(start),
        seed=seed,
        events=events,
        troubled=troubled,
        jurisdiction=jurisdiction,
        repeats=repeats,
        late=late,
        late_by=_minutes(late_by),
        corrupt=corrupt,
        corrections=corrections,
    )
    try:
        until_us = _write_log(config, out)
        if truth is not None:
            with truth.open("wb") as target:
                target.writelines(msgspec.json.encode(each) + b"\n" for each in truths(config, until_us + 1))
    except BrokenPipeError:
        # Whoever reads has had enough, as `head` does; without this Python would complain on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise InputError(f"{error.filename or out}: {error.strerror or error}") from error


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"start: {text!r} is no date or time such as 2026-01-01") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _minutes(number: float) -> timedelta:
    try:
        return timedelta(minutes=number)
    except (OverflowError, ValueError) as error:
        raise SettingsError("late-by: this is no number of minutes to wait") from error


def _write_log(config: Config, out: str) -> int:
    """Write the lines; returns the arrival of the last one, microseconds since the epoch."""
    until_us = micros(config.start)
    stream = arrivals(config)
    with _opened(out) as target:
        while chunk := list(islice(stream, _CHUNK)):
            until_us = chunk[-1][0]
            target.write(b"\n".join([line for _, line in chunk]) + b"\n")
        target.flush()
    return until_us


@contextmanager
def _opened(out: str) -> Iterator[BinaryIO]:
    if out == "-":
        yield sys.stdout.buffer
        return
    path = Path(out)
    # A log that was broken off must not look like a whole one; what is no file can only be written to.
    is_file = path.is_file() or not path.exists()
    with replaced(path) if is_file else path.open("wb") as raw:
        if out.endswith(".gz"):
            # Neither name nor time in the header: the same log is the same file.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        elif out.endswith(".zst"):
            with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield raw
