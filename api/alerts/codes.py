"""Everything that may be said about an alert: closed sets, so that no words about a player are ever kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Verdict = Literal["confirmed", "not_confirmed", "unclear"]
Because = Literal[
    "pattern_confirmed",
    "player_confirmed",
    "help_accepted",
    "known_vulnerability",
    "concern_of_others",
    "usual_for_player",
    "means_verified",
    "single_event",
    "wrong_data",
    "not_the_player",
    "too_little_history",
    "conflicting_signs",
    "player_not_reached",
    "second_opinion",
]
VERDICTS: Mapping[Verdict, Mapping[Because, str]] = {
    "confirmed": {
        "pattern_confirmed": "what was flagged goes on, as seen by whoever looked",
        "player_confirmed": "the player says so",
        "help_accepted": "the player wants help",
        "known_vulnerability": "it fits what was known before",
        "concern_of_others": "somebody close to the player told of it",
    },
    "not_confirmed": {
        "usual_for_player": "the player's ordinary play",
        "means_verified": "the player's means were checked, and it fits them",
        "single_event": "an event of once, such as a big win played on",
        "wrong_data": "the events were wrong",
        "not_the_player": "somebody else used the account",
    },
    "unclear": {
        "too_little_history": "too little is known yet",
        "conflicting_signs": "the signs contradict each other",
        "player_not_reached": "the player could not be asked",
        "second_opinion": "somebody else should look",
    },
}
"""Verdict → the reasons that may be given for it, and what each means."""

Waiting = Literal["player_will_answer", "contact_agreed", "platform_will_answer", "colleague_will_answer"]
WAITING: Mapping[Waiting, str] = {
    "player_will_answer": "the player was asked something",
    "contact_agreed": "a talk was agreed for a time",
    "platform_will_answer": "the platform has to look something up",
    "colleague_will_answer": "somebody else at the desk was asked",
}
"""Why work on an alert is put off, and what each means."""

Did = Literal["done", "attempted"]
Finding = Literal[
    "right",
    "too_much",
    "too_little",
    "spoken",
    "talk_declined",
    "no_answer",
    "message_left",
    "no_way_to_reach",
    "not_finished",
]
FINDINGS: Mapping[str, Mapping[Did, Mapping[Finding, str]]] = {
    "human_review": {
        "done": {
            "right": "what was done is right",
            "too_much": "less would have done",
            "too_little": "more is needed",
        },
        "attempted": {"not_finished": "begun, to be finished"},
    },
    "human_contact": {
        "done": {
            "spoken": "spoke with the player",
            "talk_declined": "reached the player, who did not want to talk",
        },
        "attempted": {
            "no_answer": "nobody answered",
            "message_left": "left word to call back",
            "no_way_to_reach": "there is no number or address that works",
        },
    },
}
"""A person's action → what became of it → the code for it, and what each means."""

assert {code for codes in VERDICTS.values() for code in codes} == set(get_args(Because))
assert set(WAITING) == set(get_args(Waiting))
