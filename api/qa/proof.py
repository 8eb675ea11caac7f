"""What is left behind: a chain that verifies, and no trace of a player where none belongs."""

from __future__ import annotations

from api.qa import account
from api.qa.referral import TYPED
from api.qa.scene import Check, Scene

DECISIONS = {
    "alert.acted",
    "alert.assigned",
    "alert.judged",
    "consent.given",
    "consent.refused",
    "consent.withdrawn",
    "intervention.asked",
    "marketing.suppressed",
    "partner.entered",
    "player.viewed",
    "players.listed",
    "prompt.opened",
    "referral.delivered",
    "referral.made",
    "referral.reported",
    "referral.withdrawn",
}
"""What is done in the course of the scenario, as the audit calls it."""


async def give_nothing_away(scene: Scene) -> Check:
    """Nothing that the organisation ever got tells who the player is, or of their money."""
    scene.kept("referral")
    messages = (await scene.aid.look())["messages"]
    amounts = [account.FIRST, account.SECOND, account.AFTERWARDS, account.TAKEN_BACK, account.THIRD]
    marks = [scene.run, *TYPED.values(), *map(str, amounts), "score", "session"]
    found = sorted({mark for mark in marks for each in messages if mark in each})
    return Check(
        {"messages": True, "found in them": []}, {"messages": bool(messages), "found in them": found}
    )


async def deliver_everything(scene: Scene) -> Check:
    """Every message to the organisation and to the platform arrived."""
    endpoints = [scene.kept("partner")["endpoint"], scene.kept("platform's endpoint")]

    async def look() -> Check:
        states = set()
        for endpoint in endpoints:
            answer = await scene.service.get("compliance", "/v1/deliveries", endpoint=endpoint, limit=500)
            states |= {each["state"] for each in answer.body["items"]}
        return Check(["delivered"], sorted(states))

    return await scene.eventually(look)


async def tell_what_was_done(scene: Scene) -> Check:
    """The audit chain has every decision of this run, and names no player."""
    actions: set[str] = set()
    named = 0
    since = scene.began.isoformat(timespec="seconds")
    async for each in scene.service.every("compliance", "/v1/audit", since=since):
        actions.add(each["action"])
        named += any(player in str(each) for player in (scene.flagged, scene.normal))
    return Check(
        {"missing": [], "naming players": 0},
        {"missing": sorted(DECISIONS - actions), "naming players": named},
    )


async def verify_the_chain(scene: Scene) -> Check:
    """The audit chain and the archive verify."""
    answer = await scene.service.get("compliance", "/v1/audit/verify")
    return Check(
        {"status": 200, "faults": []}, {"status": answer.status, "faults": answer.body.get("faults")}
    )
