"""The desk: an alert is worked on, and the platform does what it is asked."""

from __future__ import annotations

from datetime import UTC, datetime

from api.qa.scene import Check, Scene

MACHINES = ["deposit_hold", "marketing_off", "show_information"]
"""What the level of words of distress asks of the platform's machines in Ontario."""


async def find_it_in_the_queue(scene: Scene) -> Check:
    """The alert stands in the queue with a deadline."""
    alert = scene.kept("alert of distress")
    async for each in scene.service.every("agent", "/v1/alerts", order="queue"):
        if each["id"] == alert["id"]:
            work = each["work"]
            return Check(
                {"has a deadline": True, "overdue": False},
                {"has a deadline": work["due_at"] is not None, "overdue": work["overdue"]},
            )
    return Check("in the queue", "not there")


async def take_it(scene: Scene) -> Check:
    """An agent takes it."""
    alert = scene.kept("alert of distress")["id"]
    answer = await scene.service.post("agent", f"/v1/alerts/{alert}/assign", {"to": "me"})
    assignee = answer.body.get("assignee")
    return Check({"status": 200, "has it": True}, {"status": answer.status, "has it": assignee is not None})


async def tell_the_platform(scene: Scene) -> Check:
    """The platform gets what it has to do as signed webhooks, and marketing to stop as one of its own."""
    alert = scene.kept("alert of distress")["id"]

    async def look() -> Check:
        asked = [each for each in scene.platform.of("intervention.asked") if each["alert"] == alert]
        if len(asked) == len(MACHINES):
            scene.keep("what the platform is asked", asked)
        off = [each["player"] for each in scene.platform.of("marketing.suppressed") if each["level"] == "L4"]
        return Check(
            {"asked for": MACHINES, "marketing off": 1, "refused": 0},
            {
                "asked for": sorted(each["action"] for each in asked),
                "marketing off": off.count(scene.flagged),
                "refused": scene.platform.refused,
            },
        )

    return await scene.eventually(look)


async def carry_it_out(scene: Scene) -> Check:
    """It does so, and says so."""
    states = []
    for each in scene.kept("what the platform is asked"):
        said = {"outcome": "done", "at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        answer = await scene.service.post("platform", f"/v1/interventions/{each['id']}/acknowledge", said)
        states.append(answer.body.get("state") or answer.problem)
    return Check(["done"] * len(MACHINES), states)


async def keep_marketing_away(scene: Scene) -> Check:
    """Marketing has to stay away from the flagged player, and from nobody else."""
    found = {}
    for name, player in (("flagged", scene.flagged), ("normal", scene.normal)):
        answer = await scene.service.get("platform", f"/v1/players/{player}/marketing")
        found[name] = answer.body.get("suppressed")
    return Check({"flagged": True, "normal": False}, found)


async def act(scene: Scene) -> Check:
    """An agent speaks with the player and notes it."""
    alert = scene.kept("alert of distress")["id"]
    done = {"action": "human_contact", "outcome": "done", "code": "spoken"}
    answer = await scene.service.post("agent", f"/v1/alerts/{alert}/actions", done)
    state = (answer.body.get("work") or {}).get("state")
    return Check({"status": 201, "alert": "acted"}, {"status": answer.status, "alert": state})


async def act_once(scene: Scene) -> Check:
    """The same request sent again is answered the same and done once."""
    alert = scene.kept("alert of distress")["id"]
    done = {"action": "human_review", "outcome": "done", "code": "right"}
    path, once = f"/v1/alerts/{alert}/actions", f"qa-{scene.run}-review"
    first = await scene.service.post("agent", path, done, once=once)
    again = await scene.service.post("agent", path, done, once=once)
    shown = await scene.service.get("agent", f"/v1/alerts/{alert}")
    reviews = [each["id"] for each in shown.body["actions"] if each["action"] == "human_review"]
    return Check(
        {"statuses": [201, 201], "reviews": 1, "the same": True},
        {
            "statuses": [first.status, again.status],
            "reviews": len(reviews),
            "the same": reviews == [first.body.get("id")] == [again.body.get("id")],
        },
    )


async def judge(scene: Scene) -> Check:
    """The agent's verdict closes the alert."""
    alert = scene.kept("alert of distress")["id"]
    given = {"verdict": "confirmed", "reasons": ["player_confirmed"]}
    answer = await scene.service.post("agent", f"/v1/alerts/{alert}/verdict", given)
    return Check(
        {"status": 201, "verdict": "confirmed", "alert": "closed"},
        {
            "status": answer.status,
            "verdict": answer.body.get("verdict"),
            "alert": answer.body.get("state"),
        },
    )


async def leave_nothing_undone(scene: Scene) -> Check:
    """Once the other alert is acted on too, no alert of these players is without action."""
    alert = scene.kept("alert of deposits")["id"]
    before = await _without_action(scene)
    done = {"action": "human_review", "outcome": "done", "code": "right"}
    answer = await scene.service.post("agent", f"/v1/alerts/{alert}/actions", done)
    after = await _without_action(scene)
    return Check(
        {"before": [alert], "status": 201, "after": []},
        {"before": before, "status": answer.status, "after": after},
    )


async def _without_action(scene: Scene) -> list[str]:
    return [
        each["alert"]
        async for each in scene.service.every("compliance", "/v1/reports/alerts-without-action")
        if each["player"] in (scene.flagged, scene.normal)
    ]
