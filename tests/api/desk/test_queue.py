"""What is worked on first, by when, and what happens when nobody does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alerts.urgency import deadline, needs_people, time_allowed_us, urgency
from detector.drivers.interventions import is_past
from detector.events.instants import rfc3339_ms
from detector.ladder.load import LADDERS
from tests.api.desk.office import (
    HOUR_US,
    Clock,
    alert,
    audit_rows,
    deadlines,
    deployment_of,
    endpoint,
    give,
    messages,
)
from tests.api.serving import NOW_US, As, Client
from tests.drivers.small import DAY_US, MINUTE_US

LEVELS = ("L0", "L1", "L2", "L3", "L4", "L5")
SEVERITIES = ("low", "medium", "high", "critical")
A1 = f"/v1/alerts/{1:032x}"


async def queue(client: Client, **query: Any) -> list[dict[str, Any]]:
    """The whole queue, two at a time."""
    found: list[dict[str, Any]] = []
    query |= {"order": "queue", "limit": 2}
    while True:
        answer = (await client.get("/v1/alerts", params=query)).json()
        found += answer["items"]
        if answer["next_cursor"] is None:
            return found
        query["cursor"] = answer["next_cursor"]


# Plain functions


levels, severities = st.sampled_from(LEVELS), st.sampled_from(SEVERITIES)
alerts = st.tuples(levels, severities, st.integers(0, 50))


@given(alerts, alerts)
def test_more_urgent_is_what_is_higher_then_graver(
    one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    def plain(each: tuple[str, str, int]) -> tuple[int, int]:
        """The same in other words: a level more for each time, fresh L5 above all but L5 itself."""
        level, severity, times = each
        raised = LEVELS.index(level)
        for _ in range(times):
            if raised < 5 or (level == "L5" and raised < 6):
                raised += 1
        return raised, SEVERITIES.index(severity)

    assert (urgency(*one) > urgency(*other)) == (plain(one) > plain(other))


@given(st.integers(0, 10**16), st.integers(MINUTE_US, 30 * DAY_US), st.integers(0, 400 * DAY_US))
def test_a_deadline_passes_once_and_then_after_each_period(
    opened_us: int, allowed_us: int, later_us: int
) -> None:
    each, now_us = deadline(opened_us, allowed_us), opened_us + later_us
    steps = each.steps(now_us)
    assert (steps == 0) == (now_us < opened_us + allowed_us)
    assert each.after(steps) > now_us
    if steps:
        assert each.after(steps - 1) <= now_us


@pytest.mark.parametrize(
    ("jurisdiction", "level", "hours"),
    [("NL", level, 1.0) for level in LEVELS]
    + [("CA-ON", "L2", 4.0), ("CA-ON", "L3", 12.0), ("CA-ON", "L4", 4.0), ("CA-ON", "L5", 4.0)]
    + [("GB", "L3", 24.0), (None, "L0", 24.0), ("ES", "L3", 24.0), ("XX", "L5", 4.0)],
)
def test_the_time_allowed_is_the_reviews_else_the_last_actions(
    jurisdiction: str | None, level: str, hours: float
) -> None:
    ladder = LADDERS.packaged
    assert time_allowed_us(ladder, jurisdiction, level) == hours * HOUR_US
    assert needs_people(ladder, jurisdiction, level) == (level >= "L3")


def test_only_what_stands_at_the_top_is_owed_when_it_comes_late() -> None:
    for level in LEVELS:
        assert not is_past(level, 0, 48 * HOUR_US, 48 * HOUR_US)
        assert is_past(level, 0, 48 * HOUR_US + 1, 48 * HOUR_US) == (level != "L5")
    assert is_past("L5", 0, 30 * DAY_US + 1, 48 * HOUR_US)


# The queue


async def test_the_most_urgent_first_then_by_deadline(client: Client) -> None:
    made = [
        alert(number, NOW_US - (number * 7 % 11) * MINUTE_US, response=level, severity=severity)
        for number, (level, severity) in enumerate(
            (level, severity) for level in LEVELS for severity in SEVERITIES
        )
    ]
    await give(client, *made)
    found = await queue(client)
    expected = sorted(
        made,
        key=lambda each: (
            -LEVELS.index(each.response),
            -SEVERITIES.index(each.severity),
            time_allowed_us(LADDERS.packaged, "CA-ON", each.response),
            each.opened_at,
            each.id,
        ),
    )
    assert [each["id"] for each in found] == [each.id for each in expected]
    assert found[0]["work"]["due_at"] < found[-1]["work"]["due_at"]


async def test_what_was_acted_upon_or_closed_leaves_it(client: Client) -> None:
    asked = await give(client, alert(1, response="L1"), alert(2), alert(3), alert(4, response="L2"))
    message = asked[f"{1:032x}"]["personal_message"]
    done = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
    await client.post(f"/v1/interventions/{message.id}/acknowledge", json=done)
    reviewed = {"action": "human_review", "outcome": "done", "code": "right"}
    await client.post(f"/v1/alerts/{2:032x}/actions", json=reviewed)
    usual = {"verdict": "not_confirmed", "reasons": ["usual_for_player"]}
    await client.post(f"/v1/alerts/{3:032x}/verdict", json=usual)
    assert [each["id"] for each in await queue(client)] == [f"{4:032x}"]
    shown = (await client.get("/v1/alerts")).json()["items"]
    states = {int(each["id"], 16): each["work"]["state"] for each in shown}
    assert states == {1: "acted", 2: "acted", 3: "closed", 4: "open"}
    assert [each["id"] for each in await queue(client, state="closed")] == [f"{3:032x}"]


async def test_mine_nobodys_and_what_is_overdue(client: Client, clock: Clock) -> None:
    await give(client, *(alert(number, NOW_US + number * HOUR_US) for number in range(4)))
    await client.post(f"/v1/alerts/{2:032x}/assign", json={"to": "me"})
    clock.now_us = NOW_US + 13 * HOUR_US

    async def found(**query: Any) -> set[int]:
        return {int(each["id"], 16) for each in await queue(client, **query)}

    assert await found(assignee="me") == {2}
    assert await found(assignee="nobody") == {0, 1, 3}
    assert await found(overdue=True) == {0, 1}
    assert await found(overdue=False) == {2, 3}
    assert await found(assignee="me", overdue=True) == set()


# Deadlines


async def rounds(client: Client, number: int = 1) -> float:
    duty = await deadlines(deployment_of(client))
    wait_s = 0.0
    for _ in range(number):
        wait_s = await duty.round()
    return wait_s


async def test_nobody_acts(client: Client, clock: Clock) -> None:
    await endpoint(client, "desk")
    await give(client, alert(1), jurisdiction="NL")
    timeline = []
    for minutes in (0, 59, 60, 61, 119, 120, 121, 60 * 10):
        clock.now_us = NOW_US + minutes * MINUTE_US
        await rounds(client, 3)  # and offices that begin anew do nothing twice
        (shown,) = await queue(client)
        told = await messages(client, "alert.overdue")
        timeline.append((minutes, shown["work"]["escalations"], len(told)))
    assert timeline == [
        *((0, 0, 0), (59, 0, 0), (60, 1, 1), (61, 1, 1), (119, 1, 1), (120, 2, 2), (121, 2, 2)),
        # The office was closed for hours: people are told once, of how things stand.
        (600, 10, 3),
    ]
    told = await messages(client, "alert.overdue")
    assert sorted(each["escalations"] for each in told) == [1, 2, 10]
    assert "player" not in str(told)
    rows = await audit_rows(client, "alert.escalated")
    assert [row["escalations"] for row in rows] == [1, 2, 10]
    assert {row["actor"] for row in rows} == {"system:deadlines"}


async def test_what_is_overdue_rises_above_what_was_level_with_it(client: Client, clock: Clock) -> None:
    await give(client, alert(1, response="L2"))
    clock.now_us += 4 * HOUR_US
    await give(client, alert(2, clock.now_us, response="L2", severity="critical"))
    assert [each["id"] for each in await queue(client)] == [f"{2:032x}", f"{1:032x}"]
    await rounds(client)
    assert [each["id"] for each in await queue(client)] == [f"{1:032x}", f"{2:032x}"]


@pytest.mark.parametrize("how", ["review", "verdict", "talk"])
async def test_acted_upon_it_is_left_alone(client: Client, clock: Clock, how: str) -> None:
    await endpoint(client, "desk")
    await give(client, alert(1))
    path, body = {
        "review": ("actions", {"action": "human_review", "outcome": "done", "code": "too_little"}),
        "talk": ("actions", {"action": "human_contact", "outcome": "done", "code": "talk_declined"}),
        "verdict": ("verdict", {"verdict": "not_confirmed", "reasons": ["wrong_data"]}),
    }[how]
    assert (await client.post(f"{A1}/{path}", json=body)).status_code == 201
    clock.now_us += 100 * HOUR_US
    await rounds(client, 2)
    assert await messages(client, "alert.overdue") == []


async def test_machines_do_not_meet_a_persons_deadline(client: Client, clock: Clock) -> None:
    await endpoint(client, "desk")
    asked = (await give(client, alert(1)))[f"{1:032x}"]
    done = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
    for action in ("deposit_hold", "marketing_off", "personal_message"):
        await client.post(f"/v1/interventions/{asked[action].id}/acknowledge", json=done)
    clock.now_us += 12 * HOUR_US
    await rounds(client)
    assert len(await messages(client, "alert.overdue")) == 1
    done["at"] = rfc3339_ms(clock.now_us)
    await client.post(f"/v1/interventions/{asked['human_review'].id}/acknowledge", json=done)
    clock.now_us += 12 * HOUR_US
    await rounds(client)
    assert len(await messages(client, "alert.overdue")) == 1


async def test_what_was_put_off_to_its_deadline_is_back_and_told(client: Client, clock: Clock) -> None:
    await endpoint(client, "desk")
    await give(client, alert(1))
    until = {"until": rfc3339_ms(NOW_US + 12 * HOUR_US), "reason": "player_will_answer"}
    await client.post(f"{A1}/snooze", json=until)
    assert await rounds(client) == 5.0, "there is time"
    clock.now_us += 12 * HOUR_US - 2_000_000
    assert await rounds(client) == 2.0
    clock.now_us += 2_000_000
    await rounds(client)
    (shown,) = await queue(client)
    assert (shown["work"]["overdue"], shown["work"]["escalations"]) == (True, 1)


# Alerts without action


async def test_whoever_was_flagged_and_got_nothing_is_reported(client: Client, clock: Clock) -> None:
    ages = {1: 0, 2: 12, 3: 13, 4: 40, 5: 24 * 9}
    for number, hours in ages.items():
        opened_us = NOW_US - hours * HOUR_US
        await give(client, alert(number, opened_us), told_us=opened_us, jurisdiction="CA-ON")
    await give(client, alert(6, response="L1"), alert(7), jurisdiction="NL")
    await give(client, alert(8, NOW_US - 100 * DAY_US), ask=False)  # of the past
    tried = {"action": "human_contact", "outcome": "attempted", "code": "no_answer"}
    await client.post(f"/v1/alerts/{1:032x}/actions", json=tried)
    ordered = {"action": "marketing_off"}
    await client.post(f"/v1/alerts/{7:032x}/actions", json=ordered)
    path = "/v1/reports/alerts-without-action"
    report = (await client.get(path, params={"limit": 2})).json()
    assert (report["total"], report["overdue"]) == (6, 4)
    counts = [tuple(each.values()) for each in report["counts"]]
    assert counts == [
        ("L1", "NL", "not_due", 1),
        ("L3", "CA-ON", "not_due", 1),
        ("L3", "CA-ON", "overdue_1h", 1),
        ("L3", "CA-ON", "overdue_1d", 1),
        ("L3", "CA-ON", "overdue_1w", 1),
        ("L3", "CA-ON", "overdue_longer", 1),
    ]
    listed = report["items"]
    while report["next_cursor"] is not None:
        report = (await client.get(path, params={"limit": 2, "cursor": report["next_cursor"]})).json()
        listed += report["items"]
    assert [int(each["alert"], 16) for each in listed] == [5, 4, 3, 2, 6, 1]
    assert listed[0]["player"] == "player-2", "compliance sees players"
    (past,) = report["past"]
    assert (past, report["closed_without_action"]) == ({"level": "L3", "alerts": 1}, [])
    seen = (await client.get(path, auth=As(client.keys, "analyst"))).json()
    assert all(each["player"].startswith("ps_") for each in seen["items"])


async def test_what_a_verdict_alone_closed_and_what_came_too_late_is_counted_for_thirty_days(
    client: Client, clock: Clock
) -> None:
    path = "/v1/reports/alerts-without-action"
    await give(client, *(alert(number, response="L2") for number in (1, 2)), alert(3), alert(4), alert(5))
    await give(client, *(alert(number, NOW_US - 9 * DAY_US, response="L1") for number in (6, 7)), ask=False)
    usual = {"verdict": "not_confirmed", "reasons": ["usual_for_player"]}
    await client.post(f"/v1/alerts/{4:032x}/actions", json={"action": "marketing_off"})
    for number in (1, 2, 3, 4, 6):
        assert (await client.post(f"/v1/alerts/{number:032x}/verdict", json=usual)).status_code == 201
    report = (await client.get(path)).json()
    assert report["closed_without_action"] == [
        {"level": "L1", "alerts": 1},
        {"level": "L2", "alerts": 2},
        {"level": "L3", "alerts": 1},
    ]
    assert report["past"] == [{"level": "L1", "alerts": 1}]
    assert report["total"] == 1
    unclear = {"verdict": "unclear", "reasons": ["second_opinion"], "changes": 1}
    await client.post(f"/v1/alerts/{2:032x}/verdict", json=unclear)
    report = (await client.get(path)).json()
    assert [each["alerts"] for each in report["closed_without_action"]] == [1, 1, 1]
    clock.now_us += 30 * DAY_US
    assert (await client.get(path)).json()["past"] == [{"level": "L1", "alerts": 1}]
    clock.now_us += 1_000_000
    report = (await client.get(path)).json()
    assert (report["past"], report["closed_without_action"]) == ([], [])
    assert report["since"] == rfc3339_ms(NOW_US + 1_000_000)
