"""What a platform may be asked to do, and why it may be told that it is: closed sets, both.

An action is something that every platform can really do by itself, or that people do and the platform
records. What is shown to the player, and in which words, is the platform's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.language.rule import RESPONSES

LEVELS = RESPONSES

ACTIONS: Mapping[str, str] = {
    "show_information": "show where help is to be had, with its telephone number",
    "personal_message": "show a calm message of one's own about what was noticed",
    "suggest_limit": "offer to set a limit, there and then",
    "suggest_break": "offer a break in play, there and then",
    "marketing_off": "let no advertising and no offer reach the player",
    "bonuses_off": "let the player take up no bonus",
    "deposit_hold": "take no deposits",
    "pause": "take no bets; the account, and withdrawals, stay open",
    "pause_unless_answered": "take no bets once the message stands unanswered at the deadline",
    "human_review": "have somebody read the case and decide whether what was done is right",
    "human_contact": "have somebody speak with the player",
    "offer_referral": "offer to put the player in touch with an aid organisation",
    "crisis_line": "show the crisis line at once, before anything else",
    "offer_exclusion": "show the way to self-exclusion, open at its first step",
    "block": "take no deposits and no bets; withdrawals stay open",
}
"""Action → what it asks for."""

HUMAN = frozenset(("human_review", "human_contact", "offer_referral"))
"""Done by people. They are what everything automated is reviewed and contested by, so they never run out."""

RESTRICTING = frozenset(("deposit_hold", "pause", "pause_unless_answered", "block"))
"""They take something from the player, so a machine may ask for them from L3 up only."""

SUPPRESSING = frozenset(("marketing_off", "bonuses_off"))
"""They keep something away from the player, until a time."""

HOLDING = RESTRICTING | SUPPRESSING
"""They are in force for a while; everything else is done and over."""

REASONS: Mapping[str, str] = {
    "spend": "money",
    "deposits": "money",
    "losses": "money",
    "withdrawals": "money",
    "time": "time",
    "play": "play",
    "tools": "limits",
    "contact": "contact",
}
"""A rule's category → the reason code that leaves with an intervention: enough to answer a player who asks
why, and too coarse to tell which rule held."""

MOST_REASONS = 3
