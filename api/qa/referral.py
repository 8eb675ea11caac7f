"""A player presses help: asked, agreed, passed on, answered, and taken back."""

from __future__ import annotations

import secrets
from typing import Any

import aiohttp
import msgspec

from api.demo.aid.organisation import RESOURCES
from api.demo.aid.protocol import Callback
from api.demo.aid.signing import Ed25519Signer
from api.qa.scene import Check, Scene

TYPED = {"name": "Robin Example", "phone": "+1 555 0100"}


async def press_help(scene: Scene) -> Check:
    """The flagged player presses help and is asked, about one organisation by its name."""
    prompt = await _ask_for_help(scene, scene.flagged)
    asks = [each["asks"] for each in prompt["texts"]]
    return Check(
        {"names": scene.partner, "asks": ["referral", "outcome"]},
        {"names": prompt["partner"]["id"], "asks": asks},
    )


async def _ask_for_help(scene: Scene, player: str) -> dict[str, Any]:
    """The prompt that is opened; tried again for as long as the player's identity is still on its way."""
    found: dict[str, Any] = {}

    async def look() -> Check:
        wanted = {"player": player, "channel": "app", "reasons": ["money"]}
        answer = await scene.service.post("platform", "/v1/help", wanted)
        found.update(answer.body)
        return Check(True, bool(answer.body.get("prompt")))

    await scene.eventually(look)
    prompt: dict[str, Any] = scene.keep(f"prompt of {player}", found["prompt"])
    return prompt


async def see_the_prompt(scene: Scene) -> Check:
    """The prompt is there to be shown, and the organisation knows of nothing yet."""
    prompt = scene.kept(f"prompt of {scene.flagged}")
    shown = await scene.service.get("platform", f"/v1/players/{scene.flagged}/prompts")
    known = (await scene.aid.look())["referrals"]
    return Check(
        {"prompts": [prompt["id"]], "known to it": 0},
        {"prompts": [each["id"] for each in shown.body["items"]], "known to it": len(known)},
    )


async def refuse_other_words(scene: Scene) -> Check:
    """An answer to words that were never shown is not taken."""
    prompt = scene.kept(f"prompt of {scene.flagged}")
    forged = _answer(prompt, referral=True, outcome=True)
    forged["texts"] = [{**each, "hash": "0" * 64} for each in forged["texts"]]
    answer = await scene.service.post("platform", f"/v1/prompts/{prompt['id']}/answer", forged)
    known = (await scene.aid.look())["referrals"]
    return Check(
        {"problem": "text-changed", "known to it": 0}, {"problem": answer.problem, "known to it": len(known)}
    )


async def agree(scene: Scene) -> Check:
    """The player agrees to both, types in a phone number, and is told at once where to turn."""
    prompt = scene.kept(f"prompt of {scene.flagged}")
    said = _answer(prompt, referral=True, outcome=True) | {
        "contact_by": {"channel": "phone", "window": "evening"},
        "contact": TYPED,
    }
    answer = await scene.service.post("platform", f"/v1/prompts/{prompt['id']}/answer", said)
    referral = answer.body.get("referral") or {}
    if referral:
        scene.keep("referral", referral)
    return Check(
        {"agreed": True, "has a code": True, "other help is named": True},
        {
            "agreed": answer.body.get("agreed"),
            "has a code": bool(referral.get("code")),
            "other help is named": bool(answer.body.get("signposts")),
        },
    )


def _answer(prompt: dict[str, Any], **said: bool) -> dict[str, Any]:
    texts = [{"text": each["text"], "hash": each["hash"]} for each in prompt["texts"]]
    return {**said, "texts": texts, "language": prompt["texts"][0]["language"]}


async def reach_the_partner(scene: Scene) -> Check:
    """A signed webhook reaches the organisation with what was agreed, and the number sealed to it."""
    token = scene.kept("referral")["token"]

    async def look() -> Check:
        aid = await scene.aid.look()
        found = aid["referrals"].get(token)
        if found is None:
            return Check(expected, {"received": 0})
        told = found["told"]
        return Check(
            expected,
            {
                "received": aid["counts"].get("referral.created"),
                "refused": aid["counts"].get("refused", 0),
                "reasons": told["reasons"],
                "by": told["contact_by"],
                "region": told["region"],
                "outcome": told["consent"]["outcome"],
                "opened": found["contact"],
            },
        )

    expected = {
        "received": 1,
        "refused": 0,
        "reasons": ["money"],
        "by": {"channel": "phone", "language": "en", "window": "evening"},
        "region": "CA-ON",
        "outcome": True,
        "opened": TYPED,
    }
    return await scene.eventually(look)


async def show_the_link(scene: Scene) -> Check:
    """Its answer comes through: the player sees that it has the referral, and its link."""
    return await _as_the_player_sees(scene, "acknowledged", "contacted")


async def hear_that_the_player_was_reached(scene: Scene) -> Check:
    """It says that it reached the player; the player sees so, and the platform is told."""
    seen = await _as_the_player_sees(scene, "contacted")
    if not seen.passed:
        return seen
    token = scene.kept("referral")["token"]

    async def look() -> Check:
        told = [each["state"] for each in scene.platform.of("referral.changed") if each["referral"] == token]
        return Check(
            {"told": True, "refused": 0}, {"told": "contacted" in told, "refused": scene.platform.refused}
        )

    return await scene.eventually(look)


async def _as_the_player_sees(scene: Scene, *states: str) -> Check:
    """The referral as the player is shown it, once it is in one of some states."""
    token = scene.kept("referral")["token"]

    async def look() -> Check:
        answer = await scene.service.get("platform", f"/v1/players/{scene.flagged}/prompts")
        found: dict[str, Any] = next((e for e in answer.body["referrals"] if e["token"] == token), {})
        state = found.get("state")
        return Check(
            {"state": state if state in states else " or ".join(states), "link": RESOURCES},
            {"state": state, "link": found.get("link")},
        )

    return await scene.eventually(look)


async def refuse_a_forged_report(scene: Scene) -> Check:
    """A report that somebody else has signed is refused."""
    token = scene.kept("referral")["token"]
    body = msgspec.json.encode(Callback("closed", scene.began.isoformat(), outcome="not_needed"))
    headers = Ed25519Signer().headers(f"cb_{secrets.token_hex(8)}", body)
    url = f"{scene.service.url}/v1/referrals/{token}/status"
    headers["content-type"] = "application/json"
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return Check(401, answer.status)


async def withdraw(scene: Scene) -> Check:
    """The player withdraws; the organisation is told, and drops what it had."""
    referral = scene.kept("referral")
    (consent,) = [each["id"] for each in referral["consents"] if each["asks"] == "referral"]
    answer = await scene.service.post("platform", f"/v1/consents/{consent}/withdraw")

    async def look() -> Check:
        found = (await scene.aid.look())["referrals"][referral["token"]]
        return Check(
            {"status": 200, "partner told": True, "state there": "withdrawn", "contact there": None},
            {
                "status": answer.status,
                "partner told": answer.body.get("partner_told"),
                "state there": found["state"],
                "contact there": found["contact"],
            },
        )

    check = await scene.eventually(look)
    return check if not check.passed else await _as_the_player_sees(scene, "withdrawn")


async def refuse(scene: Scene) -> Check:
    """The normal player asks too, and then says no: nothing is sent, and help is named all the same."""
    prompt = await _ask_for_help(scene, scene.normal)
    path = f"/v1/prompts/{prompt['id']}/answer"
    answer = await scene.service.post("platform", path, _answer(prompt, referral=False))
    sent = await scene.service.get(
        "compliance", "/v1/deliveries", endpoint=scene.kept("partner")["endpoint"], type="referral.created"
    )
    return Check(
        {"agreed": False, "referral": None, "other help is named": True, "ever sent": 1},
        {
            "agreed": answer.body.get("agreed"),
            "referral": answer.body.get("referral"),
            "other help is named": bool(answer.body.get("signposts")),
            "ever sent": len(sent.body["items"]),
        },
    )
