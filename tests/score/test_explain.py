"""What each reader is told, and what a player is never told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.language.load import LANGUAGES
from detector.language.pack import default_pack, load_pack
from detector.language.rule import CATEGORIES, SEVERITIES, Rule
from detector.score.case import Case, make_case
from detector.score.explain import READERS, explain
from detector.score.for_agent import AgentReading
from detector.score.for_player import MOST_TOLD, PlayerReading
from detector.score.for_regulator import RegulatorReading
from detector.score.phrases import PLAYERS, span
from detector.score.scoring import Override
from detector.score.standing import Standing
from tests.score.samples import DAY_US, HOUR_US, NOW_US, PACKAGED, any_standings, standing

RULES = {rule.id: rule for rule in load_pack(default_pack()).rules}
TELEPHONE = re.compile(r"1-866-531-2600|9-8-8")


def of_rule(rule_id: str, severity: str | None = None, held_ago: int = 0) -> Standing:
    """An episode of a packaged rule."""
    rule = RULES[rule_id]
    held_us = NOW_US - held_ago
    return Standing(
        rule=rule.name,
        title=rule.title,
        category=rule.category,
        severity=SEVERITIES.index(severity or rule.severity),
        opened_us=held_us - 3 * DAY_US,
        held_us=held_us,
        cooldown_us=rule.cooldown_us,
    )


def case(*standings: Standing) -> Case:
    return make_case(standings, NOW_US, PACKAGED, RULES)


TROUBLE = (
    of_rule("night-play", held_ago=2 * DAY_US),
    of_rule("failed-deposits", held_ago=2 * HOUR_US),
    of_rule("cancelled-withdrawals"),
)


def agent(found: Case, language: str = "en") -> AgentReading:
    reading = explain(found, "agent", language)
    assert isinstance(reading, AgentReading)
    return reading


def player(found: Case, language: str = "en") -> PlayerReading:
    reading = explain(found, "player", language)
    assert isinstance(reading, PlayerReading)
    return reading


def regulator(found: Case) -> RegulatorReading:
    reading = explain(found, "regulator")
    assert isinstance(reading, RegulatorReading)
    return reading


# The agent


def test_an_agent_reads_what_counted_how_much_and_since_when() -> None:
    found = agent(case(*TROUBLE))
    titles = [RULES[rule_id].title for rule_id in ("cancelled-withdrawals", "failed-deposits", "night-play")]
    assert found.text.splitlines()[:4] == [
        "77 of 100, critical",
        f"+32 {titles[0]} (withdrawals, high): open for 3 days, last held less than a minute ago, "
        "ends in 7 days unless it holds again",
        f"+32 {titles[1]} (deposits, high): open for 3 days, last held 2 hours ago, "
        "ends in 22 hours unless it holds again",
        f"+13 {titles[2]} (way of playing, medium): open for 5 days, "
        "last held 2 days ago, ends in 5 days unless it holds again",
    ]
    assert sum(each.points for each in found.counted) == found.score == sum(found.contributions.values())


def test_an_agent_reads_what_would_lower_it() -> None:
    found = agent(case(*TROUBLE))
    assert found.would_lower[0] == (
        f"Without “{RULES['cancelled-withdrawals'].title}” it would be 45 (medium)."
    )
    assert found.would_lower[-1].startswith("If nothing holds again it is low in ")
    assert [each.score for each in found.lowering.without] == [45, 45, 64]
    assert [each.band for each in found.lowering.bands] == ["high", "medium", "low"]


def test_an_agent_reads_of_the_band_that_is_reached_not_of_those_skipped() -> None:
    found = agent(case(of_rule("distress-contact")))
    assert found.would_lower[-1:] == ["If nothing holds again it is low in 2 days (0)."]
    assert sum("If nothing holds again" in line for line in found.would_lower) == 1


def test_an_agent_is_told_where_no_single_sign_decides() -> None:
    many = [standing("time", "high", rule=name) for name in "abc"]
    assert (
        "No single one of them would lower it: the others make up for it." in agent(case(*many)).would_lower
    )


def test_an_agent_reads_what_protects() -> None:
    own = replace(PACKAGED, rules={"some-tools": Override((-10,) * 4)})
    found = agent(make_case([standing("tools"), standing("play", "high")], NOW_US, own, RULES))
    assert found.counted[1].text.startswith("-10 Something about tools (limits and breaks")
    assert "“Something about tools” keeps it 10 lower." in found.would_lower


def test_an_agent_may_read_french() -> None:
    found = agent(case(*TROUBLE), "fr")
    assert found.text.startswith("77 sur 100, critique\n")
    # Titles are names: they stay as they are written, and stand in quotation marks everywhere.
    assert f"+32 « {RULES['cancelled-withdrawals'].title} » (retraits" in found.text
    assert "(retraits, gravité élevée) : ouvert depuis 3 jours" in found.text


def test_nothing_open_is_said_of_what_counts_only() -> None:
    """Alerts of rules that do not count may be open; the score knows nothing of them."""
    assert agent(case()).text == "0 of 100, low\nNothing is open that counts towards the score."
    assert agent(case(), "fr").text == "0 sur 100, faible\nRien de ce qui compte pour le score n'est ouvert."
    assert regulator(case()).text.endswith("\nNo episode that counts is open.")


@pytest.mark.parametrize(
    ("length_us", "english", "french"),
    [
        (0, "less than a minute", "moins d'une minute"),
        (59_999_999, "less than a minute", "moins d'une minute"),
        (60_000_000, "1 minute", "1 minute"),
        (90 * 60_000_000, "2 hours", "2 heures"),
        (36 * HOUR_US, "2 days", "2 jours"),
        (35 * HOUR_US, "35 hours", "35 heures"),
    ],
)
def test_lengths_of_time_are_told_roughly(length_us: int, english: str, french: str) -> None:
    assert (span(length_us, "en"), span(length_us, "fr")) == (english, french)


# The player


def test_a_player_reads_what_happened_and_what_helps_in_plain_words() -> None:
    found = player(case(*TROUBLE))
    assert found.opening == PLAYERS["en"].openings["high"]
    assert found.noticed == [
        RULES[rule_id].tell["en"] for rule_id in ("cancelled-withdrawals", "failed-deposits", "night-play")
    ]
    assert found.helps == [PACKAGED.helps["withdrawals", "en"], PACKAGED.helps["deposits", "en"]]
    assert found.fades == "If things stay calm, this fades by itself within about a week."
    assert found.contest
    assert found.text.count("\n\n") >= 6


def test_a_player_who_asked_for_help_is_answered_and_not_reproached() -> None:
    for language in LANGUAGES:
        found = player(case(*TROUBLE, of_rule("distress-contact")), language)
        assert found.noticed == [RULES["distress-contact"].tell[language]]
        assert found.helps == [PACKAGED.helps["contact", language]]
        assert (found.fades, found.contest) == (None, None)
        # Its own words name whom to call; once is enough.
        assert found.text.count("1-866-531-2600") == 1


def test_a_player_who_asked_to_be_excluded_is_answered() -> None:
    for language in LANGUAGES:
        found = player(case(*TROUBLE, of_rule("self-exclusion-request")), language)
        assert found.opening == PLAYERS[language].openings["asked"]
        assert found.noticed == [RULES["self-exclusion-request"].tell[language]]
        # Talking helps; to tend one's limits is no answer to that.
        assert found.helps == [PACKAGED.helps["contact", language]]
        assert (found.fades, found.contest) == (None, None)
        assert found.text.count("1-866-531-2600") == 1


def test_an_answer_holds_until_the_request_is_a_month_old() -> None:
    rule = RULES["self-exclusion-request"]
    last = player(case(of_rule(rule.id, held_ago=rule.cooldown_us - 1)))
    assert last.noticed == [rule.tell["en"]]
    assert rule.cooldown_us == 30 * DAY_US


def test_to_ask_to_be_excluded_is_critical_by_itself() -> None:
    found = case(of_rule("self-exclusion-request")).score
    assert (found.band, found.contributions) == ("critical", {"tools": PACKAGED.caps["tools"]})


def test_whoever_asked_is_answered_whatever_it_counts_and_whether_the_rule_has_words() -> None:
    own = replace(PACKAGED, rules={"distress-contact": Override((0,) * 4)})
    found = player(make_case([of_rule("distress-contact")], NOW_US, own, {}))
    assert found.opening == PLAYERS["en"].openings["asked"]
    assert found.noticed == []  # and not "a change"
    assert found.text.count("1-866-531-2600") == 1


def test_other_contact_is_no_cry_for_help() -> None:
    found = player(case(of_rule("bonus-after-loss"), of_rule("night-play")))
    assert len(found.noticed) == 2
    assert found.contest


def test_a_player_of_whom_nothing_is_noticed_is_left_in_peace() -> None:
    found = player(case())
    assert (found.noticed, found.helps, found.fades, found.contest) == ([], [], None, None)
    assert found.text == f"{PLAYERS['en'].openings['none']}\n\n{PACKAGED.support['en']}"


def test_a_list_of_everything_would_be_a_reproach() -> None:
    all_risk = [of_rule(rule.id) for rule in RULES.values() if rule.audience == "risk"]
    many = [each for each in all_risk if each.rule_id not in PACKAGED.asks_for_help]
    assert len(many) > MOST_TOLD
    assert len(player(case(*many)).noticed) == MOST_TOLD


def test_whom_to_call_is_left_out_only_where_it_is_read_already() -> None:
    """The fifth of five rules names a telephone number, but four are told of."""
    first = ("cancelled-withdrawals", "stake-variability", "night-play", "deposits-within-session")
    many = [of_rule(rule_id, "critical") for rule_id in first]
    found = player(case(*many, of_rule("payment-methods", "low", held_ago=DAY_US)))
    assert TELEPHONE.search(RULES["payment-methods"].tell["en"])
    assert RULES["payment-methods"].tell["en"] not in found.noticed
    assert found.text.count("1-866-531-2600") == 1


def test_what_only_protects_is_noticed_too() -> None:
    own = replace(PACKAGED, rules={"night-play": Override((-10,) * 4)})
    found = player(make_case([of_rule("night-play")], NOW_US, own, RULES))
    assert found.opening == PLAYERS["en"].openings["low"]


def test_what_protects_is_told_as_such() -> None:
    own = replace(PACKAGED, rules={"night-play": Override((-10,) * 4)})
    found = player(make_case([of_rule("night-play"), of_rule("failed-deposits")], NOW_US, own, RULES))
    assert found.going_well == [RULES["night-play"].tell["en"]]
    assert found.noticed == [RULES["failed-deposits"].tell["en"]]


def test_a_rule_that_is_gone_still_leaves_words() -> None:
    assert player(case(standing("play"))).noticed == ["We have noticed a change in the way you play."]
    assert player(case(standing("play")), "fr").noticed == [
        "Nous avons remarqué un changement concernant votre façon de jouer."
    ]


@pytest.mark.parametrize(("language", "claims"), [("en", "stands? out|nothing about"), ("fr", "attire")])
def test_where_nothing_counts_nothing_is_claimed_of_the_player(language: str, claims: str) -> None:
    """A check-in after a loss does not count, and it would be untrue that nothing was noticed."""
    assert not re.search(claims, player(case(), language).text, re.IGNORECASE)


def texts_of(reading: PlayerReading) -> str:
    """Everything a player can read in the answer, its keys left out."""
    told: dict[str, Any] = json.loads(msgspec.json.encode(reading))
    return "\n".join(value for value in strings(told))


def strings(value: Any) -> Sequence[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


def canary(found: Case, rules: Sequence[Rule]) -> None:
    for language in LANGUAGES:
        text = texts_of(player(found, language))
        assert not re.search(r"\d", TELEPHONE.sub("", text)), "a number: points, a threshold or an amount"
        assert not re.search(r"[$€£%@]|\b(?:CAD|EUR|USD|GBP)\b", text)
        assert not re.search(
            r"\b(?:scores?|points|risks?|risques?|band|threshold|seuils?|critical|critique|addict\w*"
            r"|problem gambl\w*|joueur pathologique|null|None)\b",
            text,
            re.IGNORECASE,
        )
        for rule in rules:
            assert rule.id not in text
            assert rule.title not in text


@settings(deadline=None)
@given(
    chosen=st.lists(st.sampled_from(sorted(RULES)), unique=True),
    severity=st.sampled_from(SEVERITIES),
    held_ago=st.integers(0, 6 * DAY_US),
)
def test_a_player_reads_no_points_no_rules_no_amounts(
    chosen: list[str], severity: str, held_ago: int
) -> None:
    standings = [of_rule(rule_id, severity, held_ago) for rule_id in chosen]
    canary(case(*standings), list(RULES.values()))


@settings(deadline=None, max_examples=30)
@given(standings=any_standings())
def test_nor_where_rules_have_no_words(standings: list[Standing]) -> None:
    canary(case(*standings), [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_for_players_hold_no_numbers(language: str) -> None:
    texts = [PACKAGED.helps[category, language] for category in CATEGORIES]
    texts += [PACKAGED.words[category, "player", language] for category in CATEGORIES]
    assert not re.search(r"\d", " ".join(texts))


# The regulator


def test_a_regulator_reads_versions_clauses_and_everything_that_was_reckoned_with() -> None:
    found = regulator(case(*TROUBLE))
    assert (found.scoring, found.behaviour) == ("score@2", PACKAGED.behaviour)
    assert found.bands == {"low": 0, "medium": 25, "high": 50, "critical": 75}
    first = found.parts[0]
    rule = RULES["cancelled-withdrawals"]
    assert (first.rule, first.in_force, first.behaviour) == (rule.name, rule.name, rule.behaviour)
    assert (first.weight, first.half_life_s, first.cap, first.points) == (32, 7 * 86_400, 60, 32)
    assert first.clauses == ["AGCO guidance", "AGCO 2.10"]
    assert "Haeusler 2016" in first.studies
    assert first.held_at == "2026-01-01T12:00:00.000Z"
    assert "halving every 1w" in found.text


def test_a_regulator_sees_that_a_rule_is_no_longer_in_force() -> None:
    (part,) = regulator(case(standing("play"))).parts
    assert (part.rule, part.in_force, part.clauses) == ("some-play@3", None, [])
    assert "Grounds: no sources." in regulator(case(standing("play"))).text


# All


@settings(deadline=None, max_examples=40)
@given(standings=any_standings())
def test_all_are_told_of_the_same_case(standings: list[Standing]) -> None:
    found = case(*standings)
    first, second = agent(found), regulator(found)
    assert (first.score, first.band, first.contributions) == (second.score, second.band, second.contributions)
    assert first.lowering == second.lowering
    assert [(each.rule, each.points) for each in first.counted] == [
        (each.rule, each.points) for each in second.parts
    ]


def test_other_readers_and_languages_are_refused() -> None:
    assert READERS == ("agent", "player", "regulator")
    with pytest.raises(ValueError, match="agent, player, regulator"):
        explain(case(), "press")
    with pytest.raises(ValueError, match="en and fr"):
        explain(case(), "player", "de")
