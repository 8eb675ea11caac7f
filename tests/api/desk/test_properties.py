"""Random work on interventions and alerts, beside the plainest account of it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.interventions.service import item, state_of
from api.interventions.tables import InterventionRow
from detector.events.instants import rfc3339_ms
from tests.api.desk.agents import agent
from tests.api.desk.office import Clock, alert, audit_rows, give
from tests.api.serving import NOW_US, Client
from tests.drivers.small import MINUTE_US

OUTCOMES = ("failed", "refused", "done")


@given(
    st.sampled_from(("undone", "done", "lifted")),
    st.integers(0, 100),
    st.integers(0, 100) | st.none(),
    st.integers(0, 100),
)
def test_every_intervention_is_in_one_state_at_every_time(
    state: str, due: int, ends: int | None, now: int
) -> None:
    row = InterventionRow(state=state, due_us=due, ends_us=2**62 if ends is None else ends)
    has_ended = ends is not None and now >= ends
    expected = (
        state if state != "undone" else "lapsed" if has_ended else "overdue" if now >= due else "undone"
    )
    assert state_of(row, now) == expected
    row.body, row.contested = "{}", None
    assert f'"state":"{expected}"'.encode() in item(row, [], now)


@pytest.mark.parametrize("seed", range(3))
async def test_answers_at_random_from_many_at_once(client: Client, seed: int) -> None:
    """Whatever order they come in: what is accepted never takes anything back, and nothing is lost."""
    dice = random.Random(seed)
    asked = [each for one in (await give(client, alert(1), alert(2))).values() for each in one.values()]

    async def say(number: int) -> tuple[str, int, dict[str, Any]]:
        each = dice.choice(asked)
        outcome = dice.choice(OUTCOMES)
        said = {"outcome": outcome, "at": rfc3339_ms(NOW_US - number * MINUTE_US)}
        if outcome != "done":
            said["reason"] = "technical"
        answer = await client.post(f"/v1/interventions/{each.id}/acknowledge", json=said)
        return each.id, answer.status_code, said

    spoken = await asyncio.gather(*(say(number) for number in range(60)))
    assert {code for _, code, _ in spoken} <= {200, 409}
    for each in asked:
        shown = (await client.get(f"/v1/interventions/{each.id}")).json()
        kept = [answer["outcome"] for answer in shown["answers"]]
        accepted = [said["outcome"] for id_, code, said in spoken if id_ == each.id and code == 200]
        assert sorted(kept) == sorted(accepted)
        ranks = [OUTCOMES.index(outcome) for outcome in kept]
        assert ranks == sorted(ranks), "nothing was taken back"
        assert ranks.count(1) <= 1
        assert ranks.count(2) <= 1
        failures = [answer["at"] for answer in shown["answers"] if answer["outcome"] == "failed"]
        assert failures == sorted(failures)
        assert (shown["state"] == "done") == ("done" in kept)
    answered = await audit_rows(client, "intervention.answered")
    assert len(answered) == sum(code == 200 for _, code, _ in spoken)


@pytest.mark.parametrize("seed", range(3))
async def test_a_desk_at_random_keeps_its_promises(client: Client, clock: Clock, seed: int) -> None:
    """Random requests beside a model of one alert each: what is said to stand is what should."""
    dice = random.Random(seed)
    levels = ("L1", "L3", "L4")
    model: dict[int, dict[str, Any]] = {
        n: {"level": levels[n % 3], "acted": False, "met": False, "verdict": None, "deny": set()}
        for n in range(6)
    }
    agents = [(await agent(client))[1] for _ in range(2)]

    def is_closed(one: dict[str, Any]) -> bool:
        denied = one["verdict"] == "not_confirmed" and (one["level"] != "L4" or len(one["deny"]) == 2)
        return one["verdict"] == "confirmed" or denied

    await give(client, *(alert(n, response=one["level"]) for n, one in model.items()))
    for _ in range(90):
        number, who = dice.randrange(6), dice.randrange(2)
        one, path = model[number], f"/v1/alerts/{number:032x}"
        shown = (await client.get(path)).json()["work"]
        step = dice.choice(("attempt", "talk", "order", "confirm", "deny", "unclear", "stale"))
        if step == "attempt":
            body: dict[str, Any] = {"action": "human_contact", "outcome": "attempted", "code": "no_answer"}
            wanted, path = 201, f"{path}/actions"
        elif step == "talk":
            body = {"action": "human_contact", "outcome": "done", "code": "spoken"}
            wanted, path = 201, f"{path}/actions"
            one |= {"acted": True, "met": True}
        elif step == "order":
            body, wanted, path = {"action": "marketing_off"}, 201, f"{path}/actions"
            one |= {"acted": True, "met": one["met"] or one["level"] < "L3"}
        else:
            verdict = {"confirm": "confirmed", "deny": "not_confirmed"}.get(step, "unclear")
            reason = {"confirmed": "player_confirmed", "not_confirmed": "wrong_data"}.get(
                verdict, "second_opinion"
            )
            body, path = {"verdict": verdict, "reasons": [reason]}, f"{path}/verdict"
            current = shown["verdicts"]
            if step == "stale":
                body["changes"] = current + 1
            elif current:
                body["changes"] = current
            may = step != "stale" and (verdict != "confirmed" or one["acted"])
            wanted = 201 if may else 409
            if may:
                one["verdict"] = verdict
                one["deny"] = one["deny"] | {who} if verdict == "not_confirmed" else set()
        answer = await client.post(path, json=body, auth=agents[who])
        assert answer.status_code == wanted, answer.text
        shown = (await client.get(f"/v1/alerts/{number:032x}")).json()["work"]
        assert shown["state"] == ("closed" if is_closed(one) else "acted" if one["met"] else "open")
        assert (shown["acted_at"] is not None) == one["acted"]
        assert shown["verdict"] == one["verdict"]
    queue = (await client.get("/v1/alerts", params={"order": "queue"})).json()["items"]
    open_ = {f"{n:032x}" for n, one in model.items() if not is_closed(one) and not one["met"]}
    assert {each["id"] for each in queue} == open_
