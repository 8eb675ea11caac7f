"""Players are asked, at a good time, in words that are the ones in force."""

from __future__ import annotations

from typing import Any

import pytest

from api.access.roles import Role
from api.consent.tables import Consent, Prompt
from api.consent.timing import AFTER_NO_US, BETWEEN_OFFERS_US, PROMPT_US
from api.problems import Problem
from api.referrals.tables import Referral
from api.webhooks.signatures import public_key
from tests.api.consent.asking import PLAYER, Story
from tests.api.partners.entries import OTHER_PRIVATE, slip
from tests.api.serving import problem

ROLES_BUT_PLATFORM: tuple[Role, ...] = ("agent", "analyst", "compliance", "partner", "admin")
ONTARIO = ["ConnexOntario", "RGC PlaySmart", "Gamblers Anonymous"]


async def offer(story: Story, player: str = PLAYER, **more: Any) -> str:
    """An agent has a player asked."""
    wanted: dict[str, Any] = {
        "player": player,
        "alert": "a" * 32,
        "reasons": ["money", "time"],
        "urgency": "soon",
        "jurisdiction": "CA-ON",
        "actor": "key:agent",
    } | more
    async with story.house.ground.store.write() as session:
        prompt: str = await story.state.consent.offer(session, **wanted)
        return prompt


async def test_a_player_who_asks_is_asked_back(story: Story) -> None:
    await story.enter()
    await story.know()
    found = await story.help(reasons=["money"])
    prompt = found["prompt"]
    assert [each["name"] for each in found["signposts"]] == ONTARIO
    assert found["reason"] is None
    assert prompt["partner"] == {
        "id": "demo-aid",
        "name": "Demo Aid",
        "link": "https://aid.example/start",
    }
    assert [(each["asks"], each["text"]) for each in prompt["texts"]] == [
        ("referral", "referral@1"),
        ("outcome", "outcome@1"),
    ]
    said = " ".join(prompt["texts"][0]["body"])
    assert "Demo Aid" in said
    assert "that it is about money" in said
    assert "2 March 2026" in said  # sixty days from the question on
    assert prompt["options"]["contact"] == ["name", "phone", "email", "address"]
    assert await story.rows(Consent) == []
    assert await story.rows(Referral) == []


async def test_what_is_shown_is_what_was_asked_in_the_language_wanted(story: Story) -> None:
    await story.enter()
    await story.know(language="fr-CA")
    asked = await story.asked()
    assert asked["texts"][0]["language"] == "fr"
    assert asked["partner"]["name"] == "Aide Démo"
    assert (await story.shown())["items"] == [asked]
    (english,) = (await story.shown(language="en"))["items"]
    assert english["id"] == asked["id"]
    assert english["texts"][0]["title"] == "Would you like Demo Aid to help you?"


async def test_asking_twice_brings_the_same_prompt(story: Story) -> None:
    await story.enter()
    await story.know()
    first = await story.asked()
    assert (await story.asked())["id"] == first["id"]
    assert await offer(story) == first["id"]
    giving = await story.asked(purpose="donation")
    assert giving["id"] != first["id"]
    assert len((await story.shown())["items"]) == 2


async def test_the_platform_is_told_of_prompts_and_of_those_that_ran_out(story: Story) -> None:
    await story.enter()
    await story.know()
    await story.listen("platform")
    prompt = await story.asked()
    story.clock.forward(PROMPT_US / 1_000_000 + 1)
    assert (await story.shown())["items"] == []
    assert problem(await story.try_answer(prompt)) == (409, "prompt-closed")
    await story.watch()
    await story.deliver()
    told = {"player": PLAYER, "prompt": prompt["id"]}
    assert story.received("prompt.opened") == [told]
    assert story.received("prompt.expired") == [told]
    assert problem(await story.try_answer(prompt)) == (409, "prompt-closed")
    assert await story.audited("prompt.") == ["prompt.opened", "prompt.expired"]


async def test_help_is_always_possible_and_an_agent_asks_calmly(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = {"id": await offer(story)}
    (shown,) = (await story.shown())["items"]
    assert (shown["id"], shown["origin"], shown["reasons"]) == (prompt["id"], "agent", ["money", "time"])
    assert "soon" in " ".join(shown["texts"][0]["body"])
    await story.say(shown, referral=False)

    with pytest.raises(Problem, match="asked-lately") as refused:
        await offer(story)
    assert refused.value.more == {"again_at": "2026-01-31T12:00:00.000Z"}
    assert (await story.asked())["origin"] == "player"  # by themselves at any time
    story.clock.forward(PROMPT_US / 1_000_000 + 1)
    with pytest.raises(Problem, match="asked-lately"):
        await offer(story)
    urgent = await offer(story, urgency="urgent")
    assert urgent != prompt["id"]

    story.clock.now_us += AFTER_NO_US
    assert await offer(story) != urgent


async def test_an_offer_that_was_not_answered_is_not_made_again_at_once(story: Story) -> None:
    await story.enter()
    await story.know()
    await offer(story)
    story.clock.now_us += PROMPT_US + 1
    with pytest.raises(Problem, match="asked-lately"):
        await offer(story)
    story.clock.now_us += BETWEEN_OFFERS_US
    await offer(story)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"identity": "under_age"}, "under_age"),
        ({"identity": "unverified"}, "identity_unverified"),
        ({"jurisdiction": None}, "jurisdiction_unknown"),
        ({"jurisdiction": "GB"}, "no_organisation"),
    ],
)
async def test_where_nothing_may_leave_there_are_signposts_and_no_record(
    story: Story, facts: dict[str, Any], reason: str
) -> None:
    await story.enter()
    await story.know(**facts)
    found = await story.help()
    assert (found["prompt"], found["reason"]) == (None, reason)
    assert found["signposts"]
    assert (await story.shown())["signposts"]
    assert await story.rows(Prompt) == []
    assert await story.audited("help.", "prompt.") == ["help.signposted"]
    assert PLAYER not in await story.everything()
    with pytest.raises(Problem, match="no-referral") as refused:
        await offer(story, jurisdiction=None)
    assert refused.value.more == {"reason": reason}


async def test_somebody_never_heard_of_is_unverified(story: Story) -> None:
    await story.enter()
    found = await story.help("p-unknown")
    assert (found["prompt"], found["reason"]) == (None, "identity_unverified")


class TestWhoIsNamed:
    async def test_safeguards_where_it_lies_elsewhere(self, story: Story) -> None:
        await story.know(jurisdiction="DE")
        await story.enter(jurisdictions=["DE", "CA-ON"])
        assert (await story.help())["reason"] == "no_organisation"
        for safeguard, reason in (("none", "no_organisation"), ("contract", None)):
            changed = await story.client.post(
                "/v1/partners/demo-aid/update", json={"safeguards": {"DE": safeguard}}
            )
            assert changed.status_code == 200
            assert (await story.help())["reason"] == reason

    async def test_language_purpose_memorandum_and_suspension(self, story: Story) -> None:
        await story.know()
        await story.enter(purposes=["help"], languages=["en"])
        assert (await story.help(purpose="donation"))["reason"] == "no_organisation"
        assert (await story.help(language="fr"))["reason"] == "no_organisation"
        await story.client.post("/v1/partners/demo-aid/suspend")
        assert (await story.help())["reason"] == "no_organisation"
        await story.client.post("/v1/partners/demo-aid/resume")
        assert (await story.help())["reason"] is None
        mou = {"reference": "MOU-7", "expires_at": "2026-01-01T12:00:00Z"}
        await story.client.post("/v1/partners/demo-aid/update", json={"mou": mou})
        assert (await story.help("p-2"))["reason"] == "identity_unverified"
        await story.know("p-2")
        assert (await story.help("p-2"))["reason"] == "no_organisation"

    async def test_the_one_with_the_smallest_share_of_its_hour_taken(self, story: Story) -> None:
        await story.enter(id="small-aid", capacity_per_hour=1)
        await story.enter(id="large-aid", capacity_per_hour=3, verification_keys=[public_key(OTHER_PRIVATE)])
        named = []
        for number in range(5):
            await story.know(f"p-{number}")
            found = (await story.help(f"p-{number}"))["prompt"]
            named.append(found and found["partner"]["id"])
        assert named == ["large-aid", "small-aid", "large-aid", "large-aid", None]
        story.clock.forward(3600)
        assert (await story.asked("p-4"))["partner"]["id"] == "large-aid"

    async def test_one_that_is_telephoned_is_as_good_but_is_sent_nothing(self, story: Story) -> None:
        await story.know()
        await story.enter(**slip())
        prompt = await story.asked()
        assert prompt["partner"]["id"] == "phone-aid"
        assert [each["text"] for each in prompt["texts"]] == ["slip@1", "outcome@1"]
        assert prompt["options"] == {"channels": [], "languages": [], "windows": [], "contact": []}
        assert (await story.help(purpose="donation"))["reason"] == "no_organisation"


async def test_who_may_ask(story: Story) -> None:
    for role in ROLES_BUT_PLATFORM:
        response = await story.client.post(
            "/v1/help",
            json={"player": PLAYER, "channel": "app"},
            auth=story.as_(role),
        )
        assert problem(response) == (403, "forbidden")
    refused = await story.client.post("/v1/help", json={"player": PLAYER, "channel": "app", "why": "x"})
    assert problem(refused) == (400, "invalid-parameter")
