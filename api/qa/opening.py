"""Everybody who takes part is made known to the service."""

from __future__ import annotations

from typing import Any

from api.demo.partner import entry
from api.qa.scene import Check, Scene

OK = {"redis": "ok", "detector": "ok"}
CONTACT_AFTER_S = 1.0
"""How long the organisation takes to reach a player."""


async def answer_at_all(scene: Scene) -> Check:
    """The service is ready."""

    async def look() -> Check:
        answer = await scene.service.get("platform", "/readyz")
        checks = answer.body.get("checks", answer.body)
        return Check({"status": 200, **OK}, {"status": answer.status, **checks})

    return await scene.eventually(look)


async def enter_the_partner(scene: Scene) -> Check:
    """An aid organisation is entered in the register with its keys, and gets those of the service."""
    answer = await scene.service.post("admin", "/v1/partners", entry(scene.aid, scene.partner, 48))
    if answer.status == 201:
        scene.keep("partner", answer.body)
        await scene.aid.practise(
            keys=answer.body["signing_keys"], contact_after_s=CONTACT_AFTER_S, close_after_s=None
        )
    return Check(201, answer.status)


async def open_the_platforms_endpoint(scene: Scene) -> Check:
    """The platform's receiver is made known, and a test message reaches it."""
    wanted: dict[str, Any] = {"owner": "platform", "url": scene.platform.url, "rate_per_s": 100, "burst": 100}
    opened = await scene.service.post("admin", "/v1/endpoints", wanted)
    if opened.status != 201:
        return Check(201, opened.status)
    scene.keep("platform's endpoint", opened.body["id"])
    scene.platform.keys = [each["key"] for each in opened.body["public_keys"]]
    await scene.service.post("admin", f"/v1/endpoints/{opened.body['id']}/test")

    async def look() -> Check:
        return Check(
            {"received": 1, "refused": 0},
            {"received": len(scene.platform.of("endpoint.test")), "refused": scene.platform.refused},
        )

    return await scene.eventually(look)
