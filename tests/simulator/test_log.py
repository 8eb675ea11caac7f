"""The undisturbed log: its bytes, its order, its size, its mix and its sums."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import msgspec
import pytest

from detector.errors import SettingsError
from detector.events.decode import Decoder
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.events.vocabulary import EVENT_TYPES, Event
from detector.simulator import Config, arrivals, events
from detector.simulator.games import PRODUCTS

SMALL = Config(players=60, days=30, troubled=0.3, seed=5)


@pytest.fixture(scope="module")
def log() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in events(SMALL)]


def test_the_seed_decides_every_byte() -> None:
    again = Config(players=60, days=30, troubled=0.3, seed=5)
    assert list(events(SMALL)) == list(events(again))
    other = Config(players=60, days=30, troubled=0.3, seed=6)
    assert list(islice(events(SMALL), 100)) != list(islice(events(other), 100))


def test_other_players_change_nothing_in_a_players_life() -> None:
    def of(player: str, config: Config) -> list[bytes]:
        mark = f'"player":"{player}"'.encode()
        return [line for line in events(config) if mark in line]

    for player in ("p00002", "p00003"):
        alone = of(player, Config(players=3, days=20, seed=4))
        assert len(alone) > 20
        assert alone == of(player, Config(players=30, days=20, seed=4))


@pytest.mark.parametrize("jurisdiction", ["CA-ON", "DE", "ES", "GB", "NL"])
def test_every_line_is_an_event_of_the_vocabulary(jurisdiction: str) -> None:
    decoder = Decoder(Currencies())
    config = Config(players=100, days=40, troubled=0.5, jurisdiction=jurisdiction, events=15_000)
    decoded = [decoder.decode(line) for line in events(config)]
    assert [each for each in decoded if not isinstance(each, Event)] == []
    assert not decoder.unknown_fields


def test_every_type_a_player_can_leave_is_there() -> None:
    config = Config(players=300, days=60, troubled=0.5, events=250_000)
    seen = Counter(msgspec.json.decode(line, type=_Typed).type for line in events(config))
    assert EVENT_TYPES.keys() - seen.keys() == {"void", "tick"}
    assert 0.92 <= seen["bet"] / seen.total() <= 0.98


class _Typed(msgspec.Struct):
    type: str


def test_times_never_fall_and_stay_within_the_span() -> None:
    stamped = list(arrivals(SMALL))
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(stamped))
    first, last = stamped[0][0], stamped[-1][0]
    assert micros(SMALL.start) <= first
    assert last < micros(SMALL.start + timedelta(days=SMALL.days))


def test_the_time_beside_a_line_is_the_events(log: list[dict[str, Any]]) -> None:
    told = [micros(datetime.fromisoformat(event["ts"])) for event in log]
    assert told == [ts_us for ts_us, _ in arrivals(SMALL)]


@pytest.mark.parametrize("wanted", [0, 1, 777, 30_000])
def test_as_many_lines_as_asked_for(wanted: int) -> None:
    disturbed = Config(
        players=5, days=1, events=wanted, repeats=0.05, late=0.05, corrupt=0.05, corrections=0.05
    )
    assert sum(1 for _ in events(Config(players=5, days=1, events=wanted))) == wanted
    assert sum(1 for _ in events(disturbed)) == wanted


def test_ids_are_short_and_unique_and_keys_in_order(log: list[dict[str, Any]]) -> None:
    assert len({(event["player"], event["id"]) for event in log}) == len(log)
    common = ["id", "type", "source", "player", "ts", "brand", "jurisdiction"]
    for event in log:
        assert list(event)[:7] == common
        assert list(event).index("session") == 7 if "session" in event else True
        assert len(event["id"]) <= 8


def test_bets_are_compact() -> None:
    bets = [line for line in events(SMALL) if b'"type":"bet"' in line]
    assert 200 <= sum(map(len, bets)) / len(bets) <= 280


def test_balances_add_up_and_never_fall_below_nothing(log: list[dict[str, Any]]) -> None:
    # A wager is taken from the balance when it is placed, which leaves no event: those players are left out.
    wagering = {event["player"] for event in log if "placed_at" in event}
    checked = 0
    balances: dict[str, int] = defaultdict(int)
    signs = {
        "deposit": 1,
        "bonus": 1,
        "refund": 1,
        "withdrawal_cancel": 1,
        "withdrawal_request": -1,
    }
    for event in log:
        player = event["player"]
        if player in wagering:
            continue
        if event["type"] == "bet":
            assert balances[player] >= event["stake"]
            balances[player] += event["payout"] - event["stake"]
        else:
            balances[player] += signs.get(event["type"], 0) * event.get("amount", 0)
        assert balances[player] >= 0
        if "balance_after" in event:
            assert event["balance_after"] == balances[player]
            checked += 1
    assert checked > 5_000


def test_wagers_are_placed_in_their_session_and_settled_later(log: list[dict[str, Any]]) -> None:
    spans: dict[tuple[str, str], list[str]] = {}
    for event in log:
        if event["type"] in ("session_start", "session_end"):
            spans.setdefault((event["player"], event["session"]), []).append(event["ts"])
    wagers = [event for event in log if "placed_at" in event]
    assert len(wagers) > 50
    for wager in wagers:
        assert wager["placed_at"] < wager["ts"]
        started, *ended = spans[wager["player"], wager["session"]]
        assert started < wager["placed_at"]
        assert not ended or wager["placed_at"] < ended[0]


def test_sessions_follow_one_another_and_some_never_end(log: list[dict[str, Any]]) -> None:
    starts = Counter((event["player"], event["session"]) for event in log if event["type"] == "session_start")
    ends = Counter((event["player"], event["session"]) for event in log if event["type"] == "session_end")
    assert set(starts.values()) == set(ends.values()) == {1}
    assert ends.keys() < starts.keys()
    assert 0.02 < 1 - len(ends) / len(starts) < 0.12


def test_nobody_plays_while_excluded() -> None:
    until: dict[str, str] = {}
    config = Config(players=150, days=90, troubled=1.0, seed=2)
    for line in events(config):
        event = msgspec.json.decode(line)
        if event["type"] in ("self_exclusion", "break_start"):
            until[event["player"]] = event["until"]
        elif event["type"] in ("session_start", "deposit") or (
            event["type"] == "bet" and "placed_at" not in event
        ):
            assert event["ts"] >= until.get(event["player"], "")
    assert len(until) > 5


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_what_a_product_returns(product: Any) -> None:
    assert 0.90 <= product.rtp <= 0.97
    draws = 20_000
    outcomes = [product.outcome(n / draws) for n in range(draws)]
    assert sum(outcome > 0 for outcome in outcomes) / draws == pytest.approx(product.hit_rate, abs=0.001)
    assert sum(outcomes) / draws / 100 == pytest.approx(product.rtp, abs=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"players": 0},
        {"days": 0},
        {"days": 4000},
        {"events": -1},
        {"troubled": 1.1},
        {"repeats": -0.1},
        {"late": float("nan")},
        {"late_by": timedelta(minutes=-1)},
        {"jurisdiction": "XX"},
        {"start": datetime(1969, 1, 1, tzinfo=UTC)},
        {"start": datetime(2026, 1, 1)},  # noqa: DTZ001
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Config(**wrong)


def test_a_start_in_another_zone() -> None:
    ontario = Config(players=3, days=2, start=datetime.fromisoformat("2026-01-01T00:00-05:00"))
    utc = Config(players=3, days=2, start=datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert list(events(ontario)) == list(events(utc))
