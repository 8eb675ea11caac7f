"""Who reads what of referrals: one by one, in pages, and as a report of what came of them."""

from __future__ import annotations

from typing import Any

from api.access.roles import Role
from api.webhooks.signatures import public_key
from tests.api.consent.asking import Story
from tests.api.partners.entries import OTHER_PRIVATE, slip
from tests.api.serving import issue, problem

NO_READERS: tuple[Role, ...] = ("platform", "analyst", "admin")


async def test_who_reads_what(story: Story) -> None:
    await story.enter()
    await story.enter(id="other-aid", verification_keys=[public_key(OTHER_PRIVATE)], capacity_per_hour=1)
    mine = [await story.agree(f"p-{number}") for number in range(4)]
    theirs = [each for each in mine if each["partner"]["id"] == "other-aid"]
    assert len(theirs) == 1
    await story.deliver()
    listed = (await story.client.get("/v1/referrals")).json()["items"]
    assert sorted(each["player"] for each in listed) == ["p-0", "p-1", "p-2", "p-3"]
    assert (await story.audited("player.viewed")) == ["player.viewed"] * 4
    readers: tuple[tuple[Role, int], ...] = (("compliance", 4), ("partner", 3))
    for role, seen in readers:
        response = await story.client.get("/v1/referrals", auth=story.as_(role))
        assert len(response.json()["items"]) == seen
        assert '"p-' not in response.text
    pseudonyms = {
        each["player"]
        for each in (await story.client.get("/v1/referrals", auth=story.as_("compliance"))).json()["items"]
    }
    assert story.house.ground.keyring.pseudonym("p-0") in pseudonyms
    token = theirs[0]["token"]
    for path in (f"/v1/referrals/{token}", f"/v1/referrals/{token}/slip"):
        assert problem(await story.client.get(path, auth=story.as_("partner"))) == (404, "unknown-referral")
    key = await issue(story.client.app, "partner", "other-aid")
    own = await story.client.get(f"/v1/referrals/{token}", headers={"authorization": f"Bearer {key}"})
    assert (own.json()["token"], own.json()["player"]) == (token, None)
    nosy = await story.client.get("/v1/referrals", params={"partner": "other-aid"}, auth=story.as_("partner"))
    assert nosy.json()["items"] == []
    for role in NO_READERS:
        refused = await story.client.get("/v1/referrals", auth=story.as_(role))
        assert problem(refused) == (403, "forbidden")


async def test_an_organisation_reads_nothing_that_has_not_reached_it(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    path = f"/v1/referrals/{referral['token']}"
    as_partner = story.as_("partner")
    assert problem(await story.client.get(path, auth=as_partner)) == (404, "unknown-referral")
    assert (await story.client.get("/v1/referrals", auth=as_partner)).json()["items"] == []
    await story.deliver()
    assert (await story.client.get(path, auth=as_partner)).json()["urgency"] == "routine"
    await story.withdraw(referral["consents"][0]["id"])
    over = (await story.client.get(path, auth=as_partner)).json()
    assert (over["state"], over["urgency"], over["reasons"]) == ("withdrawn", None, [])


async def test_one_that_is_telephoned_reads_no_more_than_the_player_agreed_to(story: Story) -> None:
    await story.enter(**slip(id="demo-aid"))
    await story.know()
    prompt = await story.asked(reasons=["money"])
    referral = (await story.say(prompt, contact_by=None))["referral"]
    seen = (await story.client.get(f"/v1/referrals/{referral['token']}", auth=story.as_("partner"))).json()
    assert (seen["code"], seen["urgency"], seen["reasons"]) == (referral["code"], None, [])
    assert (await story.referral(referral["token"]))["reasons"] == ["money"]


async def test_pages(story: Story) -> None:
    await story.enter()
    made = []
    for number in range(5):
        made.append((await story.agree(f"p-{number}"))["token"])
        story.clock.forward(1)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2, "state": "consented"}
    while True:
        page = (await story.client.get("/v1/referrals", params=query)).json()
        found += [each["token"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == made[::-1]
    for cursor in ("x", "é", "AAAA", "MTIz"):
        wrong = await story.client.get("/v1/referrals", params={"cursor": cursor})
        assert problem(wrong) == (400, "invalid-parameter")


async def test_the_report_of_outcomes(story: Story) -> None:
    await story.enter()
    for number, plan in enumerate(("refuse", "leave", "wait", "late", "early", "declined", "back")):
        player = f"p-{number}"
        await story.know(player)
        prompt = await story.asked(player)
        if plan == "leave":
            continue
        if plan == "refuse":
            await story.say(prompt, referral=False)
            continue
        token = (taken := (await story.say(prompt, outcome=True))["referral"])["token"]
        if plan == "wait":
            continue
        await story.deliver()
        story.clock.forward({"late": 49, "early": 1}.get(plan, 0) * 3600)
        if plan in ("late", "early"):
            await story.report(token, "contacted")
            await story.report(token, "closed", outcome="advice_given")
        elif plan == "declined":
            await story.report(token, "declined", reason="other")
        else:
            await story.withdraw(taken["consents"][0]["id"])
    response = await story.client.get("/v1/reports/outcomes", params={"since": "2026-01"})
    (row,) = response.json()["items"]
    assert row == {
        "month": "2026-01",
        "partner": "demo-aid",
        "offered": 7,
        "refused": 1,
        "unanswered": 1,
        "consented": 5,
        "delivered": 5,
        "acknowledged_in_time": 2,
        "acknowledged_late": 1,
        "contacted": 2,
        "unreachable": 0,
        "declined": 1,
        "closed": 2,
        "closed_by_outcome": {"advice_given": 2},
        "withdrawn": 1,
        "expired": 0,
        "median_hours_to_acknowledgement": 1.0,
    }
    assert (await story.client.get("/v1/reports/outcomes")).json() == response.json()
    wrong = await story.client.get("/v1/reports/outcomes", params={"since": "2026-02", "until": "2026-01"})
    assert problem(wrong) == (400, "invalid-parameter")
    assert "p-" not in response.text
