"""What must never turn into something else on its way through a packaged mapping: signs, statuses, money."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.mapping.catalogue import find_mapping
from detector.mapping.feed import Translation
from tests.mapping.samples import CURRENCIES, come, events, refusal


def through(name: str, message: Any) -> Translation:
    return come(find_mapping(name, CURRENCIES), json.dumps(message).encode())


def settled(**changed: Any) -> dict[str, Any]:
    """An aggregator's batch of one round."""
    record = {
        "kind": "round",
        "round": "r",
        "seq": 1,
        "player": "p",
        "studio": "x",
        "game": 1,
        "debit": -0.2,
        "settled": "01/03/2026 11:00:04",
    }
    return {"operator": "north", "currency": "EUR", "records": [record | changed]}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"credit": -1.15}, "negative_money"),
        ({"balance": -20.95}, "negative_money"),
        ({"debit": 0.2}, "negative_money"),
        ({"bonus_debit": 0.2}, "negative_money"),
        ({"kind": "free_rounds", "credit": -4}, "negative_money"),
        ({"status": "open"}, "unmapped"),
        ({"status": "ROLLED_BACK"}, "unmapped"),
        ({"mode": "FUN"}, "unmapped"),
    ],
)
def test_an_aggregators_minus_status_or_mode_is_taken_for_nothing_else(
    changed: dict[str, Any], reason: str
) -> None:
    told, detail = refusal(through("aggregator", settled(**changed)))
    assert told == reason
    if any("debit" in name for name in changed):  # what is refused is positive there
        assert "has not the minus" in detail
    (bet,) = events(through("aggregator", settled(bonus_debit=-0.05, mode="real", status="settled")))
    assert (bet["stake"], bet["bonus_stake"], bet["payout"]) == (25, 5, 0)


def notified(**changed: Any) -> dict[str, Any]:
    """Adyen's message of one notification."""
    item = {
        "additionalData": {"shopperReference": "p"},
        "amount": {"currency": "EUR", "value": 1000},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-03-01T10:00:00Z",
        "merchantAccountCode": "Shop",
        "pspReference": "R",
        "success": "true",
    }
    return {"live": "true", "notificationItems": [{"NotificationRequestItem": item | changed}]}


def test_adyen_moves_no_money_where_none_moved() -> None:
    assert [each["type"] for each in events(through("adyen", notified()))] == ["deposit"]
    nothing = {"currency": "EUR", "value": 0}
    assert through("adyen", notified(amount=nothing)).dropped
    assert through("adyen", notified(amount=nothing, success="false")).dropped
    for success in ("TRUE", "1", None):
        assert through("adyen", notified(success=success)).refusal is not None
    assert through("adyen", notified(eventCode="REFUND", success="TRUE")).refusal is not None


@pytest.mark.parametrize(
    "code", ["CAPTURE_FAILED", "REFUND_FAILED", "PAYOUT_DECLINE", "PAIDOUT_REVERSED", "CHARGEBACK"]
)
def test_adyen_taking_a_payment_back_is_kept(code: str) -> None:
    assert refusal(through("adyen", notified(eventCode=code)))[0] == "unmapped"


def payments(type_: str, **object_: Any) -> dict[str, Any]:
    """Stripe's event about a refund."""
    about = {
        "id": "re",
        "amount": 100,
        "currency": "cad",
        "charge": "ch",
        "metadata": {"player": "p"},
        **object_,
    }
    return {"id": "e", "created": 1772359200, "livemode": True, "type": type_, "data": {"object": about}}


def test_a_refund_that_failed_is_none() -> None:
    for status in ("pending", "succeeded"):
        (refund,) = events(through("stripe", payments("refund.created", status=status)))
        assert (refund["type"], refund["amount"]) == ("refund", 100)
    assert through("stripe", payments("refund.created", status="failed")).dropped
    for type_ in ("refund.failed", "refund.updated", "charge.refund.updated"):
        assert refusal(through("stripe", payments(type_, status="failed")))[0] == "unmapped"
    assert through("stripe", payments("refund.updated", status="succeeded")).dropped
    assert refusal(through("stripe", payments("charge.dispute.funds_withdrawn")))[0] == "unmapped"


def played(topup: Any, **changed: Any) -> dict[str, Any]:
    """A round of the direct provider."""
    return {
        "type": "round",
        "round": "r",
        "began": 1772359201000,
        "ended": 1772359204000,
        "game": {"id": "g", "kind": "reels"},
        "stake": 1000,
        "win": 0,
        "topup": topup,
        "player": {"ref": "p", "session": "s", "currency": "GBP"},
        **changed,
    }


def test_a_top_up_is_a_deposit_however_many_wagers_there_are() -> None:
    wagers = [{"no": number, "stake": 1000, "win": 0} for number in (1, 2, 3)]
    for changed in ({}, {"wagers": wagers}):
        came = events(through("provider", played({"amount": 5000}, **changed)))
        assert [each["amount"] for each in came if each["type"] == "deposit"] == [500]
        for amount in (-5000, "50,00"):
            assert through("provider", played({"amount": amount}, **changed)).refusal is not None
        for topup in (None, {}, {"amount": 0}, {"amount": None}):
            came = events(through("provider", played(topup, **changed)))
            assert {each["type"] for each in came} == {"bet"}


def topic(type_: str, **metadata: Any) -> dict[str, Any]:
    return {
        "eventId": "e",
        "type": type_,
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1",
        "brand": "north",
        "playerId": "p",
        "metadata": {
            "currency": "CAD",
            "stake": "2",
            "bonusStake": "0.50",
            "win": "0",
            "payout": "0",
            **metadata,
        },
    }


def test_a_bet_is_what_was_staked_and_only_once_it_is_settled() -> None:
    for type_ in ("game.round-completed", "sports.bet-settled"):
        for settled_as in ({}, {"status": "lost"}, {"status": "cashed-out"}):
            (bet,) = events(through("topics", topic(type_, **settled_as)))
            assert (bet["stake"], bet["bonus_stake"]) == (250, 50)
        for status in ("pending", "VOID", "rejected"):
            assert refusal(through("topics", topic(type_, status=status)))[0] == "unmapped"
    assert refusal(through("topics", topic("game.round-completed", status="void")))[0] == "unmapped"
    before = {
        "eventId": "b",
        "timestamp": "2026-03-01T09:00:00Z",
        "stake": "2",
        "bonusStake": "0.50",
        "payout": "0",
    }
    (void,) = events(through("topics", topic("sports.bet-settled", status="void", previous=before)))
    assert (void["voided"]["stake"], void["voided"]["bonus_stake"]) == (250, 50)
