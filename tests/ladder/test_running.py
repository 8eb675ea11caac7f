"""Alerts come in crowds; the platform is asked once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.ladder.actions import HOLDING, LEVELS
from detector.ladder.interventions import Intervention
from detector.ladder.load import LADDERS
from detector.ladder.running import Running, forget, settle
from tests.ladder.samples import DAY, HOUR, TEN, asked

LADDER = LADDERS.packaged


class Player:
    """One player's alerts, one after the other."""

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}
        self.alerts = 0

    def alert(self, level: str, at_us: int) -> dict[str, Intervention]:
        """What the platform is sent for the next alert."""
        self.alerts += 1
        proposed = asked(level, opened_us=at_us, alert_id=f"a{self.alerts}")
        return {each.action: each for each in settle(proposed.values(), self.running, LADDER)}


def test_a_second_rule_minutes_later_asks_for_nothing_again() -> None:
    player = Player()
    assert player.alert("L2", TEN).keys() == {"marketing_off", "suggest_limit", "suggest_break"}
    assert player.alert("L2", TEN + HOUR) == {}
    assert player.alert("L1", TEN + HOUR).keys() == {"personal_message"}


def test_an_escalation_asks_for_what_is_new_or_sterner() -> None:
    player = Player()
    first = player.alert("L2", TEN)
    second = player.alert("L3", TEN + HOUR)
    assert second.keys() == {"deposit_hold", "marketing_off", "personal_message", "human_review"}
    assert (second["marketing_off"].until or "") > (first["marketing_off"].until or "")
    # Back on a lower level, what is in force goes on.
    assert player.alert("L2", TEN + 2 * HOUR).keys() == set()


def test_the_next_day_a_player_is_spoken_to_again_and_marketing_stays_off_for_longer() -> None:
    player = Player()
    first = player.alert("L2", TEN)
    assert player.alert("L2", TEN + DAY - 1) == {}
    second = player.alert("L2", TEN + DAY)
    assert second.keys() == {"marketing_off", "suggest_limit", "suggest_break"}
    assert second["marketing_off"].id != first["marketing_off"].id
    assert (second["marketing_off"].until or "") > (first["marketing_off"].until or "")


def test_a_shorter_suppression_never_replaces_a_longer_one() -> None:
    player = Player()
    player.alert("L4", TEN)  # 90 days
    assert "marketing_off" not in player.alert("L2", TEN + 30 * DAY)  # until day 44
    assert "marketing_off" in player.alert("L2", TEN + 90 * DAY)


def test_a_hold_is_prolonged_and_reviewed_anew_while_alerts_go_on() -> None:
    player = Player()
    player.alert("L3", TEN)
    assert player.alert("L3", TEN + 2 * HOUR) == {}
    later = player.alert("L3", TEN + 2 * DAY)
    assert {"deposit_hold", "human_review"} <= later.keys()
    assert later["deposit_hold"].expires_at == "2026-01-10T10:00:00.000Z"


def test_a_moment_judged_behind_the_clock_is_no_news_either() -> None:
    player = Player()
    player.alert("L2", TEN)
    assert player.alert("L2", TEN - HOUR) == {}


def test_what_is_over_is_forgotten() -> None:
    player = Player()
    player.alert("L2", TEN)
    forget(player.running, TEN + DAY - 1, DAY)
    assert player.running.keys() == {"marketing_off", "suggest_limit", "suggest_break"}
    forget(player.running, TEN + DAY, DAY)
    assert player.running.keys() == {"marketing_off"}
    forget(player.running, TEN + 14 * DAY, DAY)
    assert player.running == {}


crowds = st.lists(
    st.tuples(st.sampled_from(LEVELS), st.integers(0, 60 * 24).map(lambda hours: hours * HOUR)),
    min_size=1,
    max_size=30,
).map(lambda crowd: sorted(crowd, key=lambda each: each[1]))


@given(crowds)
def test_no_crowd_makes_the_platform_hear_the_same_twice_in_a_day_nor_leaves_a_player_without(
    crowd: list[tuple[str, int]],
) -> None:
    player = Player()
    sent: list[Intervention] = []
    for level, after_us in crowd:
        at_us = TEN + after_us
        proposed = asked(level, opened_us=at_us, alert_id=f"a{player.alerts + 1}")
        new = player.alert(level, at_us)
        for action, each in new.items():
            lately = [one for one in sent if one.action == action and at_us - one.opened_us < DAY]
            assert all(each.level > one.level for one in lately)
        sent += new.values()
        # Whatever an alert asks for was asked for within the day, at its level or a higher one; what holds
        # for a time holds as long as the alert asks, but for the day in which nothing is repeated.
        for action, wanted in proposed.items():
            standing = [one for one in sent if one.action == action and one.level >= wanted.level]
            asked_lately = [one for one in standing if at_us - one.opened_us < DAY]
            in_force = [one for one in standing if (one.ends_us or 0) >= (wanted.ends_us or 0) - DAY]
            assert asked_lately or (action in HOLDING and in_force)


@given(crowds, st.integers(0, 30))
def test_a_restart_in_between_changes_nothing(crowd: list[tuple[str, int]], cut: int) -> None:
    through, stopped = Player(), Player()
    for place, (level, after_us) in enumerate(crowd):
        if place == cut:
            stopped.running = {
                action: Running(each.level, each.asked_us, each.ends_us)
                for action, each in stopped.running.items()
            }
            forget(stopped.running, TEN + after_us, DAY)
        assert through.alert(level, TEN + after_us) == stopped.alert(level, TEN + after_us)
