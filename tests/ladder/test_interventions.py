"""What an alert asks of the platform: stories of each jurisdiction, and what holds for all of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.ladder.actions import ACTIONS, HUMAN, LEVELS, REASONS, RESTRICTING, SUPPRESSING
from detector.ladder.interventions import Intervention, interventions
from detector.ladder.load import LADDERS
from detector.language.rule import CATEGORIES, SEVERITIES
from tests.ladder.samples import DAY, HOUR, TEN, Told, asked

LADDER = LADDERS.packaged
PLACES = [*LADDER.jurisdictions, None, "CA-QC", "GB-SCT", "US-NJ", "XX"]

# Stories


class TestOntario:
    def test_deposits_above_habit_suggest_a_limit_and_stop_marketing_within_the_hour(self) -> None:
        found = asked("L2")
        assert list(found) == ["marketing_off", "suggest_break", "suggest_limit"]
        off = found["marketing_off"]
        assert (off.due_at, off.until) == ("2026-01-05T11:00:00.000Z", "2026-01-19T10:00:00.000Z")
        assert (off.expires_at, off.review, off.contest) == (None, False, False)
        assert found["suggest_limit"].until is None

    def test_words_of_distress_bring_a_person_within_four_hours_and_help_at_once(self) -> None:
        found = asked("L4")
        assert next(iter(found)) == "show_information"
        assert found["human_contact"].due_at == found["offer_referral"].due_at == "2026-01-05T14:00:00.000Z"
        # A person who was never reached stays owed, however much time has passed.
        assert found["human_contact"].expires_at is None
        hold = found["deposit_hold"]
        assert (hold.expires_at, hold.review, hold.contest) == ("2026-01-08T10:00:00.000Z", True, True)

    def test_a_request_for_exclusion_blocks_and_ends_marketing_at_once(self) -> None:
        found = asked("L5")
        for action in ("block", "crisis_line", "marketing_off", "offer_exclusion"):
            assert found[action].due_at == "2026-01-05T10:05:00.000Z"
        assert found["block"].expires_at == "2026-01-12T10:00:00.000Z"

    @pytest.mark.parametrize(
        ("respond", "band", "level"),
        [("L1", "low", "L1"), ("L1", "high", "L2"), ("L1", "critical", "L3"), ("L4", "critical", "L4")],
    )
    def test_no_marketing_reaches_a_player_of_high_risk(self, respond: str, band: str, level: str) -> None:
        assert LADDER.level(respond, band, "CA-ON") == level
        assert ("marketing_off" in asked(level)) == (band != "low" or level >= "L2")


def test_britain_stops_bonuses_reviews_every_case_by_hand_and_lets_the_player_contest() -> None:
    found = asked("L3", "GB")
    assert {"bonuses_off", "marketing_off", "deposit_hold", "human_review"} <= found.keys()
    assert found["bonuses_off"].until == found["marketing_off"].until == "2026-02-04T10:00:00.000Z"
    assert all(each.review and each.contest for each in found.values() if each.action not in HUMAN)
    assert LADDER.level("L0", "medium", "GB") == "L1"


@pytest.mark.parametrize("level", LEVELS)
def test_the_netherlands_intervene_within_one_hour_people_too(level: str) -> None:
    assert all(each.due_us - TEN <= HOUR for each in asked(level, "NL").values())


def test_spain_suspends_where_no_answer_came_in_72_hours() -> None:
    found = asked("L3", "ES")
    unanswered = found["pause_unless_answered"]
    assert unanswered.due_at == "2026-01-08T10:00:00.000Z"
    assert unanswered.expires_at is not None
    assert unanswered.expires_at > unanswered.due_at
    assert found["personal_message"].due_at < unanswered.due_at


def test_germany_and_a_part_of_it_have_one_ladder() -> None:
    assert asked("L2", "DE-BY")["suggest_limit"].due_at == asked("L2", "DE")["suggest_limit"].due_at
    assert asked("L2", "DE-BY")["suggest_limit"].ladder == f"DE@{LADDER.version}"
    assert asked("L2", "DE-BY")["suggest_limit"].jurisdiction == "DE-BY"


@pytest.mark.parametrize("jurisdiction", [None, "US-NJ", "ca-on"])
def test_where_nothing_else_is_known_the_default_holds(jurisdiction: str | None) -> None:
    assert {each.ladder for each in asked("L3", jurisdiction).values()} == {f"default@{LADDER.version}"}


class TestWhatAsksForNothing:
    def test_a_reminder(self) -> None:
        assert interventions(Told(kind="remind"), "CA-ON", TEN, LADDER) == []

    def test_what_is_about_the_platform_itself(self) -> None:
        assert interventions(Told(audience="operations"), "CA-ON", TEN, LADDER) == []


class TestReasons:
    def told(self, alert: Told) -> list[str]:
        (reasons,) = {tuple(each.reasons) for each in interventions(alert, "CA-ON", TEN, LADDER)}
        return list(reasons)

    def test_are_the_rules_own_category_first_then_what_weighs_most(self) -> None:
        contributions = {"spend": 10, "contact": 30, "time": 12, "play": 2, "tools": -5}
        assert self.told(Told(contributions=contributions)) == ["money", "contact", "time"]

    def test_leave_out_what_speaks_for_the_player_and_what_comes_to_the_same(self) -> None:
        assert self.told(Told(contributions={"losses": 10, "tools": -5})) == ["money"]

    def test_of_an_alert_that_moves_no_score_are_its_own_alone(self) -> None:
        assert self.told(Told(audience="follow_up", contributions={"contact": 30})) == ["money"]

    def test_exist_for_every_category(self) -> None:
        assert set(REASONS) == set(CATEGORIES)


# What always holds

alerts = st.builds(
    Told,
    id=st.text("0123456789abcdef", min_size=32, max_size=32),
    kind=st.sampled_from(["open", "escalate"]),
    category=st.sampled_from(CATEGORIES),
    audience=st.sampled_from(["risk", "follow_up", "compliance"]),
    response=st.sampled_from(LEVELS),
    contributions=st.none() | st.dictionaries(st.sampled_from(CATEGORIES), st.integers(-30, 100)),
)
instants = st.integers(TEN, TEN + 3650 * DAY)


def check(each: Intervention) -> None:
    """What holds for a single intervention."""
    assert each.opened_at < each.due_at
    assert each.action in ACTIONS
    assert set(each.reasons) <= set(REASONS.values())
    assert 1 <= len(each.reasons) <= 3
    automated = each.level >= "L3" and each.action not in HUMAN
    assert (each.expires_at is not None) == each.review == each.contest == automated
    assert (each.until is not None) == (each.action in SUPPRESSING)
    if each.ends_us is not None:
        assert each.due_us < each.ends_us
    if each.action in RESTRICTING:
        assert each.expires_at is not None


@given(alert=alerts, jurisdiction=st.sampled_from(PLACES), opened_us=instants)
def test_deadlines_follow_the_opening_and_only_what_is_automated_from_l3_up_expires(
    alert: Told, jurisdiction: str | None, opened_us: int
) -> None:
    found = interventions(alert, jurisdiction, opened_us, LADDER)
    assert found
    for each in found:
        check(each)
        assert (each.alert, each.player, each.level) == (alert.id, alert.player, alert.response)
    actions = [each.action for each in found]
    assert [each.due_at for each in found] == sorted(each.due_at for each in found)
    assert len(set(actions)) == len(actions)
    assert ("marketing_off" in actions) == (alert.response >= "L2")
    assert ("human_review" in actions) == (alert.response >= "L3")


@given(pair=st.lists(alerts, min_size=2, max_size=2, unique_by=lambda alert: alert.id), opened_us=instants)
def test_ids_tell_alerts_and_actions_apart_and_nothing_else(pair: list[Told], opened_us: int) -> None:
    first, second = (interventions(alert, "CA-ON", opened_us, LADDER) for alert in pair)
    ids = [each.id for each in (*first, *second)]
    assert len(set(ids)) == len(ids)
    again = interventions(pair[0], None, opened_us + DAY, LADDER)
    assert {each.action: each.id for each in again}.items() & {each.action: each.id for each in first}.items()
    assert interventions(pair[0], "CA-ON", opened_us, LADDER) == first


@given(
    respond=st.sampled_from(LEVELS),
    bands=st.lists(st.sampled_from(SEVERITIES), min_size=2, max_size=2),
    jurisdiction=st.sampled_from(PLACES),
)
def test_a_level_never_falls_below_the_rules_own_nor_as_the_band_rises(
    respond: str, bands: list[str], jurisdiction: str | None
) -> None:
    lower, higher = sorted(bands, key=SEVERITIES.index)
    levels = [LADDER.level(respond, band, jurisdiction) for band in (None, lower, higher)]
    assert levels == sorted(levels)
    assert levels[0] == respond


@given(levels=st.lists(st.sampled_from(LEVELS), min_size=2, max_size=2), jurisdiction=st.sampled_from(PLACES))
def test_a_higher_level_is_never_slower_and_suppresses_no_shorter(
    levels: list[str], jurisdiction: str | None
) -> None:
    lower, higher = (asked(level, jurisdiction) for level in sorted(levels))
    for action in lower.keys() & higher.keys():
        assert higher[action].due_us <= lower[action].due_us
        assert (higher[action].until or "") >= (lower[action].until or "")


@given(alert=alerts, opened_us=instants)
def test_what_leaves_says_nothing_but_what_is_needed(alert: Told, opened_us: int) -> None:
    for each in interventions(alert, "CA-ON", opened_us, LADDER):
        shown = msgspec.json.decode(each.to_json())
        assert set(shown) == {
            *("id", "alert", "player", "level", "action", "reasons", "jurisdiction", "ladder"),
            *("opened_at", "due_at", "expires_at", "until", "review", "contest"),
        }
        values = [value for key, value in shown.items() if key not in ("id", "alert")]
        assert not any(isinstance(value, (int, float)) for value in values if not isinstance(value, bool))
        assert msgspec.json.decode(each.to_json(), type=Intervention) == each


def test_times_are_cut_to_the_millisecond_like_the_alerts() -> None:
    (off, *_) = asked("L2", opened_us=TEN + 123_999).values()
    assert off.opened_at == "2026-01-05T10:00:00.123Z"
    assert datetime.fromisoformat(off.due_at) - datetime.fromisoformat(off.opened_at) == timedelta(hours=1)
