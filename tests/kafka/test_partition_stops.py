"""Where a partition stops: at an event that the engine fails on, and at a change of the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.drivers.faults import INTERNAL
from detector.drivers.kafka.partition import Failed
from detector.engine.engine import GRACE_US, Engine, Outcome
from detector.events.vocabulary import AnyEvent
from detector.players.player import NEVER
from tests.drivers.small import MINUTE_US, NOON_US, write_rules
from tests.kafka.cashier import cashier, payments
from tests.kafka.lives import IN, Life, Read, minutes

# When the engine fails


def test_an_event_that_the_engine_fails_on_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(write_rules(tmp_path))
    real = Engine.apply

    def apply(self: Engine, event: AnyEvent, content: int | None = None) -> Outcome:
        if getattr(event, "id", "") == "e2":
            raise ZeroDivisionError(repr(event))
        return real(self, event, content)

    monkeypatch.setattr(Engine, "apply", apply)
    life.take([minutes(0, 0), minutes(1, 1)])
    life.save()
    batch = [minutes(2, 2), minutes(3, 3)]
    with pytest.raises(Failed) as raised:
        life.partition.take(IN, batch, 0.0)
    failed = raised.value
    assert (failed.topic, failed.offset) == (IN, 2)
    assert str(failed) == ""
    assert failed.__cause__ is None
    life.feared.add((failed.topic, failed.offset))
    life.again()
    life.take(batch)
    ((place, told),) = life.found.refused.items()
    assert place == (IN, 2, batch[0].value)
    assert told[0] == INTERNAL
    # e0, e1 and e3 are three.
    assert len(life.found.alerts) == 1
    assert life.next == {IN: 4}


def test_of_several_inputs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(write_rules(tmp_path), {IN: None, "pay": None})

    def apply(*_: object) -> Outcome:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "apply", apply)
        life.take([minutes(0, 0)])
        with pytest.raises(Failed):
            life.wait(5)
    life.feared.add((IN, 0))
    life.again()
    life.take([minutes(0, 0), minutes(1, 1)])
    life.wait(5)
    assert [(place[1], told[0]) for place, told in life.found.refused.items()] == [(0, INTERNAL)]
    assert life.next[IN] == 2


# Rules that change


def test_nothing_from_the_change_on_is_judged(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    life.partition.changes_at_us = NOON_US + 5 * MINUTE_US
    life.take([minutes(0, 0), minutes(1, 4), minutes(2, 5), minutes(3, 1)])
    assert life.partition.halted
    assert life.next == {IN: 2}
    assert life.partition.engine.high_us == NOON_US + 4 * MINUTE_US
    assert not life.found.alerts
    # Whoever takes over goes on with the event that stopped it.
    life.save()
    life.again()
    life.take([minutes(2, 5), minutes(3, 1)])
    assert len(life.found.alerts) == 1


def test_a_tick_too_lies_where_its_high_mark_lies(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    life.take([minutes(0, 0)])
    life.partition.changes_at_us = NOON_US + 20 * MINUTE_US
    life.take([Read(1, b'{"type":"tick","ts":"2026-01-01T12:04:59Z"}')])
    first = life.partition.halted
    life.take([Read(2, b'{"type":"tick","ts":"2026-01-01T12:05:00Z"}')])
    assert (first, life.partition.halted) == (False, True)
    assert life.next == {IN: 2}
    assert GRACE_US == 15 * MINUTE_US


def test_a_message_of_which_an_event_lies_behind_the_change_is_read_again_whole(tmp_path: Path) -> None:
    message = Read(0, payments(("r1", 1), ("r2", 9)), b"p1")
    for inputs in ({"pay": cashier()}, {"pay": cashier(), IN: None}):
        life = Life(write_rules(tmp_path), inputs)
        life.partition.changes_at_us = NOON_US + 5 * MINUTE_US
        life.take([message], "pay")
        life.wait(5)
        assert life.partition.halted
        assert life.next.get("pay", 0) == 0
        assert not life.found.refused
        life.save()
        life.again()
        life.take([message, Read(1, payments(("r3", 10)), b"p1")], "pay")
        life.wait(5)
        assert life.next["pay"] == 2
        assert len(life.found.alerts) == 1


def test_before_its_first_event_a_partition_changes_at_once(tmp_path: Path) -> None:
    partition = Life(write_rules(tmp_path)).partition

    def is_due(at_us: int) -> bool:
        partition.changes_at_us = at_us
        return partition.is_due_to_change

    assert [is_due(at_us) for at_us in (NEVER, NOON_US)] == [False, True]
    partition.changes_at_us = NEVER
    partition.take(IN, [minutes(0, 0)], 0.0)
    assert [is_due(at_us) for at_us in (NEVER, NOON_US + 1, NOON_US)] == [False, False, True]
