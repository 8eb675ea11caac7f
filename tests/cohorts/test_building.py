"""Tables built from logs: what is sampled, of whom, and that nothing else has a say in it."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from typer.testing import CliRunner

from api.cli import app
from detector.cohorts.load import COHORTS_FILE, cohorts_beside, read_cohorts
from detector.cohorts.tables import EDGES, Cohort, Table
from detector.drivers.cohorts import build_table
from detector.drivers.detection import Detection
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay_log
from detector.errors import InputError
from detector.language.pack import load_rules
from detector.language.rule import Rule
from detector.simulator import Config, events
from tests.cohorts.tables import write_rule, written

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def line(type_: str, at: timedelta, player: str, **more: object) -> dict[str, object]:
    return {"type": type_, "source": "s", "player": player, "ts": (START + at).isoformat(), **more}


def deposit(at: timedelta, player: str, amount: int, currency: str = "CAD") -> dict[str, object]:
    return line("deposit", at, player, amount=amount, currency=currency)


def bets(at: timedelta, player: str, count: int, product: str | None = None) -> Iterator[dict[str, object]]:
    more = {} if product is None else {"product": product}
    for n in range(count):
        yield line("bet", at + n * timedelta(seconds=1), player, stake=10, payout=0, currency="CAD", **more)


def write(path: Path, lines: Iterable[dict[str, object]]) -> Path:
    ordered = sorted(lines, key=lambda each: str(each["ts"]))
    text = "".join(json.dumps({"id": f"e{n}", **each}) + "\n" for n, each in enumerate(ordered))
    path.write_text(text)
    return path


def built(log: Path, rules: list[Rule], *, least: int = 10, **more: Any) -> Table:
    with LogReader(str(log)) as reader:
        return build_table(reader, Detection(rules), least=least, **more).table


def cohorts_of(table: Table, rule: Rule) -> list[Cohort]:
    return table.quantities[rule.percentiles[0].key].cohorts


def quantiles(values: Iterable[float]) -> list[float]:
    return list(np.quantile(list(values), np.linspace(0, 1, EDGES)))


class TestSamples:
    def test_the_last_value_of_each_player_and_week_counts(self, tmp_path: Path) -> None:
        rule = written(tmp_path, lets=["paid: sum(deposit.amount) over 300d"])
        lines = [deposit(n * DAY, f"p{n % 12}", 100 + n) for n in range(60)]
        lines += [deposit(2 * DAY + n * HOUR / 4, "p2", 1) for n in range(1, 40)]  # busy, and no more for it
        (cohort,) = cohorts_of(built(write(tmp_path / "log", lines), [rule]), rule)
        totals: dict[str, int] = defaultdict(int)
        last: dict[tuple[str, int], int] = {}
        for each in sorted(lines, key=lambda each: str(each["ts"])):
            player = str(each["player"])
            totals[player] += int(str(each["amount"]))
            last[player, (datetime.fromisoformat(str(each["ts"])) - START).days // 7] = totals[player]
        assert (cohort.currency, cohort.product, cohort.players) == ("CAD", None, 12)
        assert cohort.edges == pytest.approx(quantiles(last.values()))

    def test_every_currency_has_its_own_and_a_small_one_none(self, tmp_path: Path) -> None:
        rule = written(tmp_path)
        lines = [deposit(DAY, f"c{n}", n) for n in range(11)]
        lines += [deposit(DAY, f"u{n}", 1000 * n, "USD") for n in range(10)]
        lines += [deposit(DAY, f"e{n}", 7, "EUR") for n in range(9)]
        log = write(tmp_path / "log", lines)
        found = cohorts_of(built(log, [rule]), rule)
        assert [(each.currency, each.players) for each in found] == [("CAD", 11), ("USD", 10)]
        assert found[1].edges == pytest.approx(quantiles(1000 * n for n in range(10)))
        assert [each.currency for each in cohorts_of(built(log, [rule], least=11), rule)] == ["CAD"]
        # What nobody has is written all the same, so that it is known to have been asked.
        assert cohorts_of(built(log, [rule], least=12), rule) == []

    def test_products_stand_by_themselves_and_together(self, tmp_path: Path) -> None:
        rule = self.per_product(tmp_path, "n: count(bet) over 7d")
        lines = [*self.play(12, "poker", 3), *self.play(11, "bingo", 20), *self.play(4, "slot", 50)]
        found = cohorts_of(built(write(tmp_path / "log", lines), [rule]), rule)
        assert [(each.product, each.players) for each in found] == [(None, 27), ("bingo", 11), ("poker", 12)]
        assert set(found[1].edges) == {20.0}
        assert set(found[2].edges) == {3.0}
        assert found[0].edges == pytest.approx(quantiles([3] * 12 + [20] * 11 + [50] * 4))

    def test_a_named_product_is_compared_among_those_who_play_it(self, tmp_path: Path) -> None:
        rule = self.per_product(tmp_path, 'n: count(bet) where product == "poker" over 7d')
        lines = [*self.play(12, "poker", 3), *self.play(30, "bingo", 20)]
        found = cohorts_of(built(write(tmp_path / "log", lines), [rule]), rule)
        assert [(each.product, each.players, set(each.edges)) for each in found] == [("poker", 12, {3.0})]

    def test_who_does_not_meet_the_condition_is_left_out(self, tmp_path: Path) -> None:
        rule = written(tmp_path, when="percentile(paid, age < 7d) >= 90%")
        lines = [deposit(DAY, f"p{n}", 10 + n) for n in range(10)]
        lines += [deposit(20 * DAY, f"p{n}", 10_000) for n in range(10)]  # grown old
        (cohort,) = cohorts_of(built(write(tmp_path / "log", lines), [rule]), rule)
        assert cohort.edges == pytest.approx(quantiles(range(10, 20)))

    def test_what_is_before_since_fills_windows_only(self, tmp_path: Path) -> None:
        rule = written(tmp_path)
        lines = [deposit(day * DAY, f"p{n}", 100) for n in range(10) for day in (1, 8, 9)]
        log = write(tmp_path / "log", lines)
        from_us = int((START + 7 * DAY).timestamp()) * 1_000_000
        (cohort,) = cohorts_of(built(log, [rule], from_us=from_us), rule)
        assert set(cohort.edges) == {200.0}, "the first is a week old by then, and out"
        (cohort,) = cohorts_of(built(log, [rule]), rule)
        assert (cohort.edges[0], cohort.edges[-1]) == (100.0, 200.0)

    def test_closed_sessions_are_seen_by_rules_on_events(self, tmp_path: Path) -> None:
        rule = self.on_losses(tmp_path)
        lines: list[dict[str, object]] = []
        for n in range(10):
            player = f"p{n}"
            lines += [{**each, "session": "a"} for each in bets(HOUR, player, n + 1)]
            lines += [line("session_end", 2 * HOUR, player, session="a"), deposit(3 * HOUR, player, 5)]
        (cohort,) = cohorts_of(built(write(tmp_path / "log", lines), [rule]), rule)
        assert cohort.edges == pytest.approx(quantiles(10 * (n + 1) for n in range(10)))

    @staticmethod
    def play(players: int, product: str, count: int) -> Iterator[dict[str, object]]:
        for n in range(players):
            yield from bets(HOUR, f"{product}{n}", count, product)
            yield deposit(2 * HOUR, f"{product}{n}", 5)

    @staticmethod
    def per_product(folder: Path, let: str) -> Rule:
        path = write_rule(folder, lets=[let], when="percentile(n) >= 90%", cohorts="n: [0, 1]")
        return load_rules(path.parent)[0]

    @staticmethod
    def on_losses(folder: Path) -> Rule:
        lets = ["lost: sum(session_summary.net_loss) over 7d"]
        # The first operand is False at once: what is sampled must not hang on what the rule looks at.
        when = "count(deposit) over 7d >= 99 and percentile(lost) >= 90%"
        write_rule(folder, lets=lets, when=when, cohorts="lost: [0 CAD, 1 CAD]")
        return load_rules(folder)[0]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(b"".join(each + b"\n" for each in events(Config(events=30_000, players=300, seed=4))))
    return path


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    write_rule(folder)
    lets = ["n: count(bet) over 30d", "days: distinct(bet.local_date) over 30d", "pace: n / days"]
    write_rule(folder, "pace", lets, "percentile(pace, days >= 2) >= 80%", cohorts="pace: [0, 1]")
    lets = ["spread: std(session_summary.staked) over 30d"]
    when = "percentile(spread) >= 80%"
    write_rule(folder, "spread", lets, when, "session_summary", cohorts="spread: [0 CAD, 1 CAD]")
    return folder


class TestSameBytes:
    def build(self, log: str, rules: Path, out: Path, *more: str) -> bytes:
        arguments = [
            "cohorts",
            "build",
            log,
            "--rules",
            str(rules),
            "--out",
            str(out),
            "--min-players",
            "10",
            *more,
        ]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return out.read_bytes()

    def test_however_the_log_is_brought(self, log: Path, rules: Path, tmp_path: Path) -> None:
        plain = self.build(str(log), rules, tmp_path / "a.json")
        assert (
            sum(
                map(
                    len,
                    (
                        each.cohorts
                        for each in read_cohorts(tmp_path / "a.json").tables[0].quantities.values()
                    ),
                )
            )
            >= 3
        )
        assert self.build(str(log), rules, tmp_path / "a.json") == plain
        packed = tmp_path / "log.gz"
        packed.write_bytes(gzip.compress(log.read_bytes()))
        assert self.build(str(packed), rules, tmp_path / "b.json") == plain
        archive = tmp_path / "archive"
        archive.mkdir()
        lines = log.read_bytes().splitlines(keepends=True)
        names = ["2026-01-01", "2026-01-02", "2026-01-02.2", "2026-01-03"]
        for n, name in enumerate(names):
            part = lines[n * len(lines) // 4 : (n + 1) * len(lines) // 4]
            (archive / f"{name}.jsonl.zst").write_bytes(zstandard.compress(b"".join(part)))
            (archive / f"{name}.jsonl.idx").write_bytes(b"index")
        # The latest day may still be written to.
        (archive / "2026-01-04.jsonl.zst").write_bytes(zstandard.compress(b"half a frame" * 99)[:-3])
        assert self.build(str(archive), rules, tmp_path / "c.json") == plain

    def test_however_long_the_chunks_are(
        self, log: Path, rules: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = built(log, load_rules(rules))
        monkeypatch.setattr("detector.drivers.lines.CHUNK", 10_000)
        assert built(log, load_rules(rules)).quantities == whole.quantities

    def test_alerts_are_the_same_whoever_shares_the_players(
        self, log: Path, rules: Path, tmp_path: Path
    ) -> None:
        self.build(str(log), rules, rules / COHORTS_FILE, "--effective-from", "2026-01-04T00:00:00Z")
        detection = Detection(load_rules(rules), cohorts=cohorts_beside(rules))
        found = []
        for jobs in (1, 2):
            with LogReader(str(log)) as reader, replay_log(reader, detection, jobs=jobs) as outcome:
                found.append((list(outcome.alerts()), outcome.tally.suppressed))
        assert found[0] == found[1]
        artefacts = {
            each for alert in found[0][0] for each in alert.split(b'"') if each.startswith(b"cohorts ")
        }
        assert artefacts
        assert any(why == "no cohort" for _, why in found[0][1])

    def test_a_table_is_in_force_after_its_log_and_others_may_be_kept(
        self, log: Path, rules: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "own.json"
        self.build(str(log), rules, out)
        (table,) = read_cohorts(out).tables
        assert table.built_from is not None
        until = datetime.fromisoformat(table.built_from.until)
        assert timedelta() < table.effective_from - until <= DAY
        assert (table.effective_from.hour, table.effective_from.minute) == (0, 0)
        self.build(str(log), rules, out, "--add", "--effective-from", "2025-01-01T01:00:00+01:00")
        again = self.build(str(log), rules, out, "--add", "--effective-from", "2025-01-01T00:00:00Z")
        starts = [each.effective_from for each in read_cohorts(out).tables]
        assert starts == [datetime(2025, 1, 1, tzinfo=UTC), table.effective_from]
        assert out.read_bytes() == again


class TestRefusals:
    @pytest.mark.parametrize(
        ("more", "told"),
        [
            (["--min-players", "9"], "10"),
            (["--effective-from", "2026-01-01T00:00:00"], "with its zone"),
            (["--since", "yesterday"], "with its zone"),
        ],
    )
    def test_options_that_make_no_sense(self, tmp_path: Path, more: list[str], told: str) -> None:
        write_rule(tmp_path)
        log = write(tmp_path / "log", [deposit(DAY, "p", 5)])
        arguments = [
            "cohorts",
            "build",
            str(log),
            "--rules",
            str(tmp_path),
            "--out",
            str(tmp_path / "o"),
            *more,
        ]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert told in result.output
        assert not (tmp_path / "o").exists()

    def test_rules_that_ask_for_no_place(self, tmp_path: Path) -> None:
        write_rule(tmp_path, when="paid >= 0").write_text(
            (tmp_path / "much.yml").read_text().partition("tests:")[0]
        )
        log = write(tmp_path / "log", [deposit(DAY, "p", 5)])
        arguments = ["cohorts", "build", str(log), "--rules", str(tmp_path), "--out", str(tmp_path / "o")]
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, InputError)
        assert "asks for a percentile" in str(result.exception)

    def test_a_log_without_events(self, tmp_path: Path) -> None:
        rule = written(tmp_path)
        (tmp_path / "log").write_text("nothing\n")
        with pytest.raises(InputError, match="no event"):
            built(tmp_path / "log", [rule])

    def test_a_folder_that_is_no_archive(self, tmp_path: Path) -> None:
        (tmp_path / "2026-01-01.jsonl.zst").write_bytes(b"")
        with pytest.raises(InputError, match="no day of an archive"), LogReader(str(tmp_path)):
            pass


def test_refused_lines_are_counted(tmp_path: Path) -> None:
    rule = written(tmp_path)
    log = write(tmp_path / "log", [deposit(DAY, f"p{n}", 5) for n in range(10)])
    log.write_text(log.read_text() + "broken\n")
    with LogReader(str(log)) as reader:
        assert build_table(reader, Detection([rule]), least=10).refused == 1
