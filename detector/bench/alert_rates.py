"""How often each rule of the pack alerts, on simulated players: the table of `docs/alert-rates.md`.

    python -m detector.bench.alert_rates --write docs/alert-rates.md

Each run simulates players with a seed of its own and replays their log with the packaged rules and score, as
`tiltwatch replay` would. The same options give the same page, whatever the number of processes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer
from rich.console import Console

from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.events.instants import DAY_US
from detector.language.pack import default_pack, load_pack
from detector.language.rule import Rule
from detector.simulator import Config, arrivals, truths

BANDS: Final = ("low", "medium", "high", "critical")
EVENTS_A_PLAYER: Final = 1200
"""With which the simulated players' logs are about ninety days long."""
MOST: Final = 0.5
"""A rule that alerts for more than this share of the players fires for most."""

_MARK: Final = b'"player":"'


@dataclass(slots=True)
class Found:
    """What one run found, or several together.

    Attributes
    ----------
    player_days
        Days begun (of 24 h) between a player's first and last event, summed over the players.
    harmed
        Players whose level of harm was moderate or worse on some day.
    alerts
        (rule id, the score's band when the alert opened, or "none") → alerts of any kind.
    flagged, flagged_harmed
        Rule id → players with at least one alert; of those, the harmed.
    status, audience
        Rule id → its status and whom it speaks to.
    """

    events: int = 0
    players: int = 0
    player_days: int = 0
    harmed: int = 0
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    flagged_harmed: Counter[str] = field(default_factory=Counter)
    status: dict[str, str] = field(default_factory=dict)
    audience: dict[str, str] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Take in another run."""
        self.events += other.events
        self.players += other.players
        self.player_days += other.player_days
        self.harmed += other.harmed
        self.alerts += other.alerts
        self.flagged += other.flagged
        self.flagged_harmed += other.flagged_harmed
        self.status |= other.status
        self.audience |= other.audience

    def of(self, rule: str) -> int:
        """Alerts of a rule in any band."""
        return sum(count for (each, _), count in self.alerts.items() if each == rule)


def run(config: Config, rules: Sequence[Rule]) -> Found:
    """Simulate one log and replay it."""
    found = Found(
        status={rule.id: rule.status for rule in rules}, audience={rule.id: rule.audience for rule in rules}
    )
    with TemporaryDirectory(prefix="tiltwatch-rates-") as folder:
        path = Path(folder, "events.jsonl")
        spans, last_us = _written(config, path)
        with LogReader(str(path)) as log:
            replayed = replay(log, [rule for rule in rules if rule.status in ("live", "shadow")])
    found.events = replayed.lines
    found.players = len(spans)
    found.player_days = sum(ceil((last - first + 1) / DAY_US) for first, last in spans.values())
    harmed = {truth.player for truth in truths(config, last_us + 1) if truth.harmed is not None}
    found.harmed = len(harmed & {player.decode() for player in spans})
    flagged: defaultdict[str, set[str]] = defaultdict(set)
    for alert in (*replayed.alerts, *replayed.shadow):
        rule = alert.rule.partition("@")[0]
        found.alerts[rule, alert.band or "none"] += 1
        flagged[rule].add(alert.player)
    found.flagged.update({rule: len(players) for rule, players in flagged.items()})
    found.flagged_harmed.update({rule: len(players & harmed) for rule, players in flagged.items()})
    return found


def _written(config: Config, path: Path) -> tuple[dict[bytes, tuple[int, int]], int]:
    """Write the log; returns each player's first and last event and the last of all, in microseconds."""
    spans: dict[bytes, tuple[int, int]] = {}
    ts_us = 0
    with path.open("wb") as file:
        for ts_us, line in arrivals(config):
            file.write(line + b"\n")
            start = line.index(_MARK) + len(_MARK)
            player = line[start : line.index(b'"', start)]
            spans[player] = (spans[player][0] if player in spans else ts_us, ts_us)
    return spans, ts_us


def several(configs: Iterable[Config], processes: int) -> Iterator[Found]:
    """Runs of the packaged rules, in the order asked for, in as many processes."""
    # Read once: somebody may edit a rule while this goes on.
    one = partial(run, rules=load_pack(default_pack()).rules)
    if processes == 1:
        yield from map(one, configs)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from pool.map(one, configs)


# -- the page ------------------------------------------------------------------------------------------


_PAGE: Final = """\
# Alert rates

How often each rule of the Ontario pack alerts on simulated players. Made by `{command}`; do not edit.

{runs} runs (seeds {seeds}) of {events:,} events each: {players:,} players in all,
{player_days:,} player-days. Of the players {harmed:,} ({share:.1%}) had a hidden level of harm that was
moderate or worse on some day.

A **player-day** is a day of 24 hours begun between a player's first and last event, with play or without.
The **band** is that of the risk score when the alert opened, this alert included. A rule whose audience is
not "risk" moves no score; its alerts stand in the band that the other rules gave. Alerts of every kind count
(open, escalate, remind), those of rules in shadow too.

What these numbers are worth is what the simulated players are worth: see [simulator](simulator.md). They show
that a rule can fire and does not fire for everybody, not how it does on a real platform.

## Alerts per 1,000 player-days, by rule and band

{rules}

{sums}

`players` is the share of all players with at least one alert of the rule, `of the harmed` the same among the
players who came to harm; `least–most` are the lowest and the highest rate of a single run.

"""


def page(runs: list[Found], configs: list[Config], command: str) -> str:
    """The whole page, in Markdown."""
    total = Found()
    for each in runs:
        total.add(each)
    columns = [
        "rule",
        "status",
        "audience",
        *BANDS,
        "no band",
        "all",
        "least–most",
        "players",
        "of the harmed",
    ]
    text = _PAGE.format(
        command=command,
        runs=len(runs),
        seeds=", ".join(str(config.seed) for config in configs),
        events=runs[0].events,
        players=total.players,
        player_days=total.player_days,
        harmed=total.harmed,
        share=total.harmed / total.players,
        rules="\n".join(_table(columns, _rows(total, runs))),
        sums="\n".join(_table(["", *BANDS, "no band", "all"], [_sum_row(total)])),
    )
    return text + "\n".join(_verdict(total)) + "\n"


def _rows(total: Found, runs: list[Found]) -> Iterator[list[str]]:
    for rule in sorted(total.status):
        rates = [1000 * each.of(rule) / each.player_days for each in runs]
        yield [
            f"`{rule}`",
            total.status[rule],
            total.audience[rule],
            *(_rate(total.alerts[rule, band], total) for band in (*BANDS, "none")),
            _rate(total.of(rule), total),
            f"{min(rates):.2f}–{max(rates):.2f}",
            f"{total.flagged[rule] / total.players:.1%}",
            f"{total.flagged_harmed[rule] / max(1, total.harmed):.1%}",
        ]


def _sum_row(total: Found) -> list[str]:
    by_band = Counter[str]()
    for (_, band), count in total.alerts.items():
        by_band[band] += count
    return [
        "all rules",
        *(_rate(by_band[band], total) for band in (*BANDS, "none")),
        _rate(by_band.total(), total),
    ]


def _rate(count: int, total: Found) -> str:
    return f"{1000 * count / total.player_days:.2f}" if count else "·"


def silent(total: Found) -> list[str]:
    """Rules that never alert; drafts are not run."""
    return [rule for rule, status in sorted(total.status.items()) if status != "draft" and not total.of(rule)]


def for_most(total: Found) -> list[str]:
    """Rules that alert for most players."""
    return [rule for rule, count in sorted(total.flagged.items()) if count > MOST * total.players]


def _verdict(total: Found) -> Iterator[str]:
    named = {
        "Silent in every run": silent(total),
        f"Alert for more than {MOST:.0%} of the players": for_most(total),
    }
    for what, rules in named.items():
        yield f"- {what}: {', '.join(f'`{rule}`' for rule in rules) or 'none'}."


def _table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for line in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(line)} |"


def main(
    runs: Annotated[int, typer.Option(min=1, help="How many, with seeds from 1 on.")] = 10,
    events: Annotated[int, typer.Option(min=1000, help="Events in each.")] = 1_000_000,
    processes: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 2,
    write: Annotated[Path | None, typer.Option(help="Write the page here instead of showing it.")] = None,
) -> None:
    """Replay simulated logs with the packaged rules; exit with 1 where a rule is silent or fires for most."""
    players = max(10, events // EVENTS_A_PLAYER)
    configs = [Config(events=events, players=players, days=90, seed=seed) for seed in range(1, runs + 1)]
    command = f"python -m detector.bench.alert_rates --runs {runs} --events {events}"
    done: list[Found] = []
    with Console(stderr=True).status("") as status:
        for found in several(configs, processes):
            done.append(found)
            status.update(f"{len(done)} of {runs} runs")
    text = page(done, configs, command)
    if write is None:
        print(text)
    else:
        write.write_text(text, "utf-8")
    total = Found()
    for each in done:
        total.add(each)
    if silent(total) or for_most(total):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
