"""Two accounts: what is sent of them is counted as it should be."""

from __future__ import annotations

from typing import Any

import msgspec

from api.qa.scene import Check, Scene

CAD = {"currency": "CAD"}
FIRST, SECOND, AFTERWARDS, TAKEN_BACK, THIRD = 10_337, 20_731, 15_913, 40_129, 25_457
"""Minor units, such as occur nowhere by chance; `SECOND` is later replaced by `AFTERWARDS`."""


async def open_accounts(scene: Scene) -> Check:
    """Two players register, are of age, and begin to play."""
    lines = []
    for player in (scene.normal, scene.flagged):
        lines += [
            scene.event(player, "player_profile", "profile", 0, timezone="America/Toronto", language="en"),
            scene.event(player, "identity_check", "identity", 1, outcome="passed", over_age=True),
            scene.event(player, "session_start", "start", 10, session="s1", channel="web"),
        ]
    return Check({"accepted": 6}, await scene.send(*lines))


async def play_normally(scene: Scene) -> Check:
    """The normal one pays in, plays a little and goes home."""
    me, session = scene.normal, {"session": "s1"}
    return Check(
        {"accepted": 4},
        await scene.send(
            scene.event(me, "deposit", "d1", 20, amount=FIRST, payment="pay-1", **CAD, **session),
            scene.event(me, "bet", "b1", 30, stake=100, payout=0, **CAD, **session),
            scene.event(me, "bet", "b2", 50, stake=100, payout=250, **CAD, **session),
            scene.event(me, "session_end", "end", 70, **session),
        ),
    )


def _deposit(scene: Scene, event_id: str, at_s: float, amount: int, **more: Any) -> bytes:
    return scene.event(scene.flagged, "deposit", event_id, at_s, amount=amount, session="s1", **CAD, **more)


async def send_a_deposit_twice(scene: Scene) -> Check:
    """A deposit that is sent twice is counted once."""
    line = _deposit(scene, "d1", 20, FIRST, payment="pay-1")
    return Check([{"accepted": 1}, {"repeated": 1}], [await scene.send(line), await scene.send(line)])


async def contradict_it(scene: Scene) -> Check:
    """The same id with another amount is refused."""
    line = _deposit(scene, "d1", 20, FIRST + 1, payment="pay-1")
    return Check({"rejected": 1, "why": ["conflict"]}, await scene.send(line))


async def keep_what_was_refused(scene: Scene) -> Check:
    """What was refused is kept as it came, with the reason."""
    assert scene.dead_letters is not None
    amount = f'"amount":{FIRST + 1}'
    kept = [
        each["reason"]
        for each in await scene.dead_letters()
        if scene.flagged in each["original"] and amount in each["original"]
    ]
    return Check(["conflict"], kept)


async def take_back(scene: Scene) -> Check:
    """A deposit that never was is voided."""
    void = scene.event(scene.flagged, "void", "v9", 30, target="d9", voided=_carried(scene, 25, TAKEN_BACK))
    return Check({"accepted": 2}, await scene.send(_deposit(scene, "d9", 25, TAKEN_BACK), void))


async def fail_and_reconcile(scene: Scene) -> Check:
    """A payment fails, goes through at the second attempt, and its amount is corrected afterwards."""
    failed = scene.event(
        scene.flagged, "deposit_failed", "f2", 40, amount=SECOND, payment="pay-2", session="s1", **CAD
    )
    second = _carried(scene, 60, SECOND, payment="pay-2")
    return Check(
        {"accepted": 3},
        await scene.send(
            failed,
            _deposit(scene, "d2", 60, SECOND, payment="pay-2"),
            _deposit(scene, "d2b", 60, AFTERWARDS, payment="pay-2", replaces="d2", replaced=second),
        ),
    )


def _carried(scene: Scene, at_s: float, amount: int, **more: Any) -> dict[str, Any]:
    """A deposit as its correction carries it."""
    told = msgspec.json.decode(_deposit(scene, "-", at_s, amount, **more))
    return {name: value for name, value in told.items() if name not in ("id", "source", "player")}


async def alert_on_what_is_left(scene: Scene) -> Check:
    """The third deposit alerts, and the alert's figures are those of the corrected account."""
    await scene.send(_deposit(scene, "d3", 120, THIRD, payment="pay-3"))

    async def look() -> Check:
        answer = await scene.service.get("agent", "/v1/alerts", player=scene.flagged)
        found = [each for each in answer.body["items"] if each["rule"].startswith("deposits-within-session@")]
        if found:
            scene.keep("alert of deposits", found[0])
        figures = [
            {each["name"]: each["value"] for each in alert["evidence"] if each["name"]} for alert in found
        ]
        said = [alert["explanation"] for alert in found]
        return Check(expected, {"figures": figures, "told": said})

    total = FIRST + AFTERWARDS + THIRD
    expected = {
        "figures": [{"deposits": 3}],
        "told": [f"3 deposits within one session, {total / 100:.2f} CAD in all"],
    }
    return await scene.eventually(look)


async def read_the_timeline(scene: Scene) -> Check:
    """The timeline has every deposit that was taken in, once, with its first content."""

    async def look() -> Check:
        path = f"/v1/players/{scene.flagged}/timeline"
        answer = await scene.service.get("compliance", path, types="deposit", limit=100)
        if answer.status != 200:
            return Check(expected, answer.problem)
        events = [each["event"] for each in answer.body["items"] if each["kind"] == "event"]
        return Check(expected, sorted([each["id"], each["amount"]] for each in events))

    expected = [["d1", FIRST], ["d2", SECOND], ["d2b", AFTERWARDS], ["d3", THIRD], ["d9", TAKEN_BACK]]
    return await scene.eventually(look)


async def say_words_of_distress(scene: Scene) -> Check:
    """Words of distress go straight to the highest urgency."""
    await scene.send(scene.event(scene.flagged, "contact", "c1", 200, topic="distress"))

    async def look() -> Check:
        query = {"player": scene.flagged, "rule": "distress-contact"}
        answer = await scene.service.get("agent", "/v1/alerts", **query)
        found = answer.body["items"]
        if found:
            scene.keep("alert of distress", found[0])
        return Check(
            [{"severity": "critical", "level": "L4", "state": "open"}],
            [
                {
                    "severity": each["severity"],
                    "level": each["work"]["level"],
                    "state": each["work"]["state"],
                }
                for each in found
            ],
        )

    return await scene.eventually(look)


async def leave_the_normal_one_alone(scene: Scene) -> Check:
    """The normal player, all of whose events came before, has no alert."""
    scene.kept("alert of distress")  # the detector has read everything up to it
    answer = await scene.service.get("agent", "/v1/alerts", player=scene.normal)
    return Check([], [each["rule"] for each in answer.body["items"]])
