"""Laws that hold for every log: what comes out hangs on what was said, not on how it was handed over."""

from __future__ import annotations

import json
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from detector.events.instants import micros, to_datetime
from tests.engine.laws import alerts, engine, feed, run, written
from tests.oracle.random_logs import IN_GRACE, ROUGH, Shape, random_log

LAWS = settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 10_000)
GRACE_US = 15 * 60 * 1_000_000


@LAWS
@given(seed=SEEDS, every=st.integers(1, 60))
def test_any_batch_size_gives_the_same_bytes(seed: int, every: int) -> None:
    lines, rules = random_log(Random(seed), IN_GRACE), written()
    target = engine(rules)
    for start in range(0, len(lines), every):
        feed(target, lines[start : start + every])
        target.tick(target.watermark_us)
    target.finish()
    assert alerts(target) == run(rules, lines)


@LAWS
@given(seed=SEEDS, rough=st.booleans(), data=st.data())
def test_stored_and_restored_at_any_event_nothing_changes(
    seed: int, rough: bool, data: st.DataObject
) -> None:
    lines, rules = random_log(Random(seed), ROUGH if rough else IN_GRACE), written()
    whole = engine(rules)
    parts = engine(rules)
    found: list[bytes] = []
    records: dict[str, bytes] = {}
    stops = data.draw(st.sets(st.integers(0, len(lines)), max_size=6))
    for place, line in enumerate(lines):
        feed(whole, [line])
        feed(parts, [line])
        if place % 7 == 0:
            whole.tick(whole.watermark_us)
            parts.tick(parts.watermark_us)
        if place in stops:
            found += [alert.to_json() for alert in parts.take().alerts]
            records.update(parts.records())
            marks = parts.marks()
            parts = engine(rules)
            parts.load_marks(marks)
            for player, record in records.items():
                parts.load(player, record)
    whole.finish()
    parts.finish()
    found += [alert.to_json() for alert in parts.take().alerts]
    assert sorted(found) == sorted(alert.to_json() for alert in whole.take().alerts)
    assert parts.counts == whole.counts


@LAWS
@given(seed=SEEDS, data=st.data())
def test_a_repeat_is_no_op(seed: int, data: st.DataObject) -> None:
    lines = random_log(Random(seed), Shape(repeated=0))
    rules = written()
    again = list(lines)
    for place in sorted(data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=12)), reverse=True):
        if json.loads(lines[place])["type"] != "tick":
            again.insert(place + 1, lines[place])
    assert run(rules, again) == run(rules, lines)


@LAWS
@given(seed=SEEDS, shuffle=st.randoms(use_true_random=False))
def test_after_the_grace_the_order_of_arrival_is_forgotten(seed: int, shuffle: Random) -> None:
    """Every window of every kind, read at a moment when all the shuffled events are in.

    Excepted are `gap`, untagged events' sessions, profiles that come late, and the player's first currency.
    """
    plain = Shape(events=25, players=1, delayed=0, repeated=0, ticks=0, corrected=0, foreign=0)
    events = [json.loads(line) for line in random_log(Random(seed), plain)]
    events = [event for event in events if event["type"] not in ("player_profile", "tick")]
    for number, event in enumerate(events):
        if "session" not in event:
            event["session"] = "s"
            event.pop("channel", None)  # a session stays on its channel
        # Of two events of one instant the later to arrive is the last: order of arrival by definition.
        at = to_datetime(micros(_time(event)) + number)
        event["ts"] = at.isoformat().replace("+00:00", "Z")
        event.pop("placed_at", None)
    events.sort(key=_time)
    late = sorted(events, key=lambda event: micros(_time(event)) + shuffle.randrange(GRACE_US))
    last = micros(_time(events[-1]))
    probes = [
        {"id": f"probe{n}", "source": "test", "player": events[0]["player"], "type": "contact",
         "topic": "other", "session": "s", "ts": to_datetime(last + n * GRACE_US).isoformat()}
        for n in (1, 2)
    ]  # fmt: skip
    # When a rule reminds hangs on when it alerted, and one that events trigger does so on what had arrived.
    rules = [
        rule
        for rule in written(ORDERED[seed % 2])
        if "'gap'" not in repr(rule.when) and (rule.remind_us is None or rule.id in TIMED_IDS)
    ]
    since = to_datetime(last + GRACE_US).isoformat(timespec="milliseconds")[:23]

    def told(order: list[dict[str, Any]]) -> tuple[list[bytes], list[bytes]]:
        found = run(rules, [json.dumps(event).encode() for event in [*order, *probes]])
        timed = [alert for alert in found if json.loads(alert)["rule"].split("@")[0] in TIMED_IDS]
        after = [alert for alert in found if json.loads(alert)["opened_at"] >= since]
        return list(map(_unrated, timed)), list(map(_unrated, after))

    assert told(late) == told(events)


def _unrated(alert: bytes) -> bytes:
    """An alert without what hangs on the rules judged at other events, in the order in which they came."""
    told = json.loads(alert)
    for key in ("score", "band", "contributions", "response"):
        del told[key]
    return json.dumps(told).encode()


ORDERED = (("quantities", "time"), ("summaries", "sessions"))
TIMED_IDS = {
    rule.id for rule in written(("time", "sessions")) if rule.trigger.events in ((), ("session_summary",))
}


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["ts"])


@LAWS
@given(seed=SEEDS)
@example(seed=1338)  # money without a rate, taken back before a tick that others had not seen
def test_a_new_rule_set_takes_over_every_window_it_shares(seed: int) -> None:
    """Records of an older rule set are read by the next: its rules go on as if nothing had happened."""
    lines = random_log(Random(seed), IN_GRACE)
    middle = len(lines) // 2
    old, new = written(("behaviour", "time")), written(("pack", "behaviour", "time"))
    before, after, still = engine(old), engine(new), engine(old)
    feed(before, lines[:middle])
    feed(still, lines)
    still.finish()
    before.tick(before.watermark_us)
    found = [alert.to_json() for alert in before.take().alerts]
    after.load_marks(before.marks())
    for player, record in before.records():
        after.load(player, record)
    feed(after, lines[middle:])
    after.finish()
    names = {rule.name for rule in old}
    found += [alert.to_json() for alert in after.take().alerts if alert.rule in names]
    # The list of ids shown grows with what the added rules look at; what was judged does not change.
    assert sorted(map(_judged, found)) == sorted(_judged(a.to_json()) for a in still.take().alerts)


def _judged(alert: bytes) -> str:
    told = json.loads(alert)
    for key in ("events", "score", "band", "contributions", "response"):
        del told[key]
    return json.dumps(told)
