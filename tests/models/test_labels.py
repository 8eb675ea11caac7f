"""What becomes of samples whose labels come late."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import DAY_US, Answer, LabelTerms, Waiting, WaitingRoom, compact, loose
from models.sample import Label

HOUR_US = DAY_US // 24
TERMS = LabelTerms()


def day(number: float) -> int:
    return int(number * DAY_US)


def sample(at: float, player: str = "ann", moment: str = "deposit", flagged: bool = False) -> Waiting:
    return Waiting(player, day(at), moment, compact([at, None]), compact([at]), 1990, flagged)


def harm(at: float, source: str = "rg_event", player: str = "ann") -> Label:
    return Label(player=player, at=day(at), source=source, harmed=True, about=day(at))


def verdict(at: float, about: float, harmed: bool, drawn: float = 0.0, player: str = "ann") -> Label:
    return Label(player=player, at=day(at), source="verdict", harmed=harmed, about=day(about), drawn=drawn)


def told(answers: Sequence[Answer]) -> list[tuple[float, bool, str]]:
    return [(each.sample.at / DAY_US, each.harmed, each.source) for each in answers]


def test_a_sample_is_harmed_by_a_label_within_thirty_days_and_not_by_one_of_its_own_instant() -> None:
    room = WaitingRoom(TERMS)
    for at in (1, 2, 31):
        assert room.take(sample(at)) == []
    assert told(room.label(harm(31))) == [(1, True, "rg_event"), (2, True, "rg_event")]
    assert len(room) == 1


def test_silence_answers_once_thirty_days_have_passed_and_not_before() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    assert room.pass_time(day(31)) == []
    assert told(room.pass_time(day(31) + 1)) == [(1, False, "silence")]
    assert room.label(harm(31)) == []
    assert room.counts.unknown == 1


def test_a_label_that_comes_with_time_answers_the_older_by_silence_first() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    room.take(sample(20))
    assert told(room.label(harm(40))) == [(1, False, "silence"), (20, True, "rg_event")]


def test_features_are_kept_as_they_were_and_one_sample_a_day_and_moment() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1.1))
    room.take(sample(1.2, moment="session_end"))
    room.take(sample(1.3))
    late = Waiting("ann", day(1.5), "deposit", compact([7.0, 8.0]), compact([0.5]), None, True)
    room.take(late)
    assert len(room) == 2
    assert room.counts.thinned == 2
    late.said[0] = 99.0
    answers = room.pass_time(day(40))
    assert [(each.sample.moment, loose(each.sample.values)) for each in answers] == [
        ("session_end", (1.2, None)),
        ("deposit", (7.0, 8.0)),
    ]
    assert answers[1].sample.said[0] == 1.3, "the highest of the day stays"
    assert answers[1].sample.flagged


def test_after_a_self_exclusion_silence_says_nothing_for_half_a_year() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    room.label(harm(2, "self_exclusion"))
    room.take(sample(3))
    room.take(sample(100))
    room.take(sample(183))
    assert told(room.pass_time(day(300))) == [(183, False, "silence")]
    assert room.counts.withheld == 2


def test_trouble_after_trouble_is_learned_all_the_same() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    room.label(harm(2, "self_exclusion"))
    room.take(sample(3))
    assert told(room.label(harm(5))) == [(3, True, "rg_event")]


def test_a_verdict_answers_the_week_before_what_it_is_about() -> None:
    room = WaitingRoom(TERMS)
    for at in (2, 4, 10, 11):
        room.take(sample(at))
    assert told(room.label(verdict(12, about=10, harmed=True))) == [
        (4, True, "verdict"),
        (10, True, "verdict"),
    ]
    assert told(room.pass_time(day(90))) == [(2, False, "silence")]
    assert room.counts.withheld == 1, "between the alert and its verdict"


def test_a_verdict_that_comes_weeks_after_a_log_has_ended_lets_no_time_pass_for_others() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    room.take(sample(1, player="bob"))
    assert told(room.label(verdict(60, about=2, harmed=True))) == [(1, True, "verdict")]
    assert told(room.label(harm(20, player="bob"))) == [(1, True, "rg_event")]


def test_a_verdict_that_denies_holds_until_somebody_learns_better() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    room.take(sample(1, "bob"))
    room.label(verdict(2, about=1, harmed=False))
    room.label(verdict(2, about=1, harmed=False, player="bob"))
    assert told(room.label(harm(20, "self_exclusion"))) == [(1, True, "self_exclusion")]
    assert told(room.pass_time(day(40))) == [(1, False, "verdict")]


def test_a_yes_of_the_random_review_stands_for_those_who_were_not_drawn() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    (answer,) = room.label(verdict(2, about=1, harmed=True, drawn=0.1))
    assert answer.stands_for == pytest.approx(10)

    # Three days in the week: any of them might have been drawn.
    room = WaitingRoom(TERMS)
    for at in (1, 2, 3):
        room.take(sample(at))
    answers = room.label(verdict(4, about=3, harmed=True, drawn=0.1))
    assert [each.stands_for for each in answers] == [pytest.approx(1 / (1 - 0.9**3))] * 3


def test_what_one_verdict_stands_for_is_capped_and_counted() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    (answer,) = room.label(verdict(2, about=1, harmed=True, drawn=0.001))
    assert answer.stands_for == TERMS.cap
    assert room.counts.capped == 1


def test_a_yes_on_an_alert_stands_for_the_flagged_whom_nobody_looked_at() -> None:
    room = WaitingRoom(TERMS)
    for number in range(100):
        room.take(sample(1, f"p{number}", flagged=True))
    for number in range(25):
        room.label(verdict(2, 1, harmed=False, player=f"p{number}"))
    room.pass_time(day(40))
    assert room.counts.looked_at_share == pytest.approx(26 / 101)
    room.take(sample(41, flagged=True))
    (answer,) = room.label(verdict(42, 41, harmed=True))
    assert answer.stands_for == pytest.approx(101 / 26)


def test_the_yes_of_review_and_silence_together_give_the_true_share() -> None:
    # 4,000 players, a tenth in trouble that nothing but a look tells; one in twenty is looked at.
    room = WaitingRoom(TERMS)
    answers = []
    for number in range(4000):
        room.take(sample(1, f"p{number}"))
    for number in range(0, 4000, 20):
        in_trouble = number // 20 % 10 == 0
        answers += room.label(verdict(2, 1, in_trouble, drawn=0.05, player=f"p{number}"))
    answers += room.pass_time(day(40))
    harmed = sum(each.weight for each in answers if each.harmed)
    # The hidden stand among the silent, hence 10 % of all on one side and nearly all on the other.
    assert harmed / 4000 == pytest.approx(0.1)
    assert harmed / sum(each.weight for each in answers) == pytest.approx(0.1, abs=0.01)


def test_labels_that_nothing_waits_for_and_unheard_of_sources_are_counted() -> None:
    room = WaitingRoom(TERMS)
    room.take(sample(1))
    assert room.label(harm(2, player="nobody")) == []
    assert room.label(harm(2, "rumour")) == []
    assert (room.counts.unknown, room.counts.unlearnt) == (1, 1)
    assert room.counts.labels == {"rg_event": 1, "rumour": 1}


def test_the_oldest_are_dropped_when_too_many_wait() -> None:
    room = WaitingRoom(LabelTerms(most_waiting=3))
    for number in range(5):
        room.take(sample(1 + number / 10, f"p{number}"))
    assert len(room) == 3
    assert room.counts.overflowed == 2
    assert [each.sample.player for each in room.pass_time(day(40))] == ["p2", "p3", "p4"]


def test_a_sample_older_than_the_horizon_is_not_learned_from() -> None:
    room = WaitingRoom(TERMS)
    room.pass_time(day(100))
    assert room.take(sample(60)) == []
    assert (len(room), room.counts.late) == (0, 1)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 40 * 24),
        st.sampled_from("ab"),
        st.sampled_from(["deposit", "session_end", "rg_event", "self_exclusion"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_each_sample_is_answered_as_reading_the_whole_log_would_answer_it(
    steps: list[tuple[int, str, str]],
) -> None:
    steps = sorted(steps, key=lambda each: each[0])
    room = WaitingRoom(TERMS)
    answers: list[Answer] = []
    for at, player, what in steps:
        if what in ("deposit", "session_end"):
            answers += room.take(sample(at / 24, player, what))
        else:
            answers += room.label(harm(at / 24, what, player))
    answers += room.pass_time(day(1000))

    # The slow way: the last of each day and moment before the next label of the player, then a look ahead.
    expected = set()
    for place, (at, player, what) in enumerate(steps):
        if what not in ("deposit", "session_end"):
            continue
        at_us = day(at / 24)
        later = [(day(when / 24), each) for when, who, each in steps[place + 1 :] if who == player]
        replaced = False
        for when, each in later:
            if each in ("rg_event", "self_exclusion") and when > at_us:
                break
            replaced = replaced or (each == what and when // DAY_US == at_us // DAY_US)
        if replaced:
            continue
        ahead = [when for when, each in later if each in ("rg_event", "self_exclusion") and when > at_us]
        if ahead and ahead[0] - at_us <= 30 * DAY_US:
            expected.add((at_us, player, what, True))
            continue
        # Only a label of somebody of whom a sample waits lasts; the room's own memory says of whom.
        known = [
            (day(when / 24), TERMS.of(each))
            for other, (when, who, each) in enumerate(steps)
            if who == player
            and each in ("rg_event", "self_exclusion")
            and _waits(steps[:other], player, when)
        ]
        if not any(when <= at_us < when + terms.lasts_us for when, terms in known if terms):
            expected.add((at_us, player, what, False))
    got = [(each.sample.at, each.sample.player, each.sample.moment, each.harmed) for each in answers]
    assert len(got) == len(set(got))
    assert set(got) == expected
    assert len(room) == 0


def _waits(before: list[tuple[int, str, str]], player: str, at: int) -> bool:
    """Whether a sample of the player is unanswered at an instant, by hours: a label answers all before it."""
    waits: list[int] = []
    for when, who, what in before:
        if who != player:
            continue
        if what in ("deposit", "session_end"):
            waits.append(when)
        elif any(when - each <= 30 * 24 for each in waits):
            waits = [each for each in waits if each == when]
    return any(at - each <= 30 * 24 for each in waits)
