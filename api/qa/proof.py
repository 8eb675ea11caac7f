"""What is left behind: a chain that verifies, and no trace of a player where none belongs."""

from __future__ import annotations

from api.qa import account
from api.qa.referral import TYPED
from api.qa.scene import Check, Scene


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


async def verify_the_chain(scene: Scene) -> Check:
    """The audit chain verifies."""
    answer = await scene.service.get("compliance", "/v1/audit/verify")
    return Check(
        {"status": 200, "intact": True}, {"status": answer.status, "intact": answer.body.get("intact")}
    )
