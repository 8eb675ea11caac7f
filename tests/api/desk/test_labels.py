"""What people find of alerts becomes labels, and reaches the trainer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from api.alerts.labels import label_of
from api.audit.walking import Walking
from api.learning.duty import telling_trainer
from detector.drivers.samples import RedisSamples
from detector.drivers.streams import SAMPLES
from detector.drivers.trainer import Learning
from detector.drivers.valkey import Server
from detector.engine.alerts import Evidence
from detector.events.instants import micros
from detector.language.features import FEATURES
from models.labels import DAY_US
from models.registry import Registry
from models.sample import Label, Sample
from tests.api.desk.agents import A1, CONFIRMED, NOT_CONFIRMED, SPOKEN, UNCLEAR, agent
from tests.api.desk.office import Clock, alert, deployment_of, give, lease_of
from tests.api.serving import NOW_US, Client
from tests.drivers.small import read

PLAYER = "player-1"


def opened_us(each: Any) -> int:
    return micros(datetime.fromisoformat(each.opened_at).astimezone(UTC))


def drawn_alert(number: int = 1, share: float = 0.001) -> Any:
    lot = Evidence(
        name="lot",
        quantity="score(review)",
        value=0.0004,
        unit="number",
        operator="<",
        threshold=share,
        window="",
    )
    return alert(number, audience="operations", response="L0", severity="low", evidence=[lot])


class TestLabelOf:
    @pytest.mark.parametrize(("verdict", "harmed"), [("confirmed", True), ("not_confirmed", False)])
    def test_a_verdict_speaks_of_what_was_before_the_alert(self, verdict: Any, harmed: bool) -> None:
        each = alert()
        assert label_of(each.to_json(), verdict, NOW_US) == Label(
            player=each.player, at=NOW_US, source="verdict", harmed=harmed, about=opened_us(each), drawn=0.0
        )

    def test_what_is_unclear_teaches_nothing(self) -> None:
        assert label_of(alert().to_json(), "unclear", NOW_US) is None

    def test_whom_chance_drew_stands_for_all_of_whom_nobody_asks(self) -> None:
        label = label_of(drawn_alert(share=0.005).to_json(), "not_confirmed", NOW_US)
        assert label is not None
        assert (label.drawn, label.harmed) == (0.005, False)

    @pytest.mark.parametrize("audience", ["follow_up", "operations", "compliance"])
    def test_an_alert_that_claims_no_harm_teaches_none(self, audience: str) -> None:
        assert label_of(alert(audience=audience).to_json(), "confirmed", NOW_US) is None


async def telling(client: Client) -> Walking[Label]:
    deployment = deployment_of(client)
    return telling_trainer(deployment, await lease_of(deployment))


async def judge(client: Client, verdict: dict[str, Any], changes: int = 0, **more: Any) -> None:
    given = await client.post(f"{A1}/verdict", json={**verdict, "changes": changes or None}, **more)
    assert given.status_code == 201, given.text


def told(redis: Redis) -> list[Label]:
    return [msgspec.json.decode(each[b"s"], type=Label) for each in read(redis, SAMPLES)]


async def test_each_verdict_is_told_and_a_changed_one_again(client: Client, redis: Redis) -> None:
    await give(client, alert())
    duty = await telling(client)
    await duty.round()
    assert told(redis) == []
    await judge(client, UNCLEAR)
    await judge(client, NOT_CONFIRMED, 1)
    await duty.round()
    assert [each.harmed for each in told(redis)] == [False]
    assert (await client.post(f"{A1}/actions", json=SPOKEN)).status_code == 201
    await judge(client, CONFIRMED, 2)
    # Another office goes on from where the one before was.
    await (await telling(client)).round()
    assert [each.harmed for each in told(redis)] == [False, True]
    assert {(each.player, each.about) for each in told(redis)} == {(PLAYER, opened_us(alert()))}


async def test_that_there_was_nothing_to_a_grave_one_is_told_when_two_say_so(
    client: Client, redis: Redis
) -> None:
    await give(client, alert(response="L4"))
    duty = await telling(client)
    _, as_one = await agent(client)
    _, as_two = await agent(client)
    await judge(client, NOT_CONFIRMED, 0, auth=as_one)
    await duty.round()
    assert told(redis) == []
    await judge(client, NOT_CONFIRMED, 1, auth=as_two)
    # Whoever is behind sees later verdicts too, and must not take them for what was known then.
    await judge(client, UNCLEAR, 2, auth=as_two)
    await duty.round()
    assert [each.harmed for each in told(redis)] == [False]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_verdict_answers_the_samples_before_its_alert(
    client: Client, redis: Redis, valkey: Server, clock: Clock, tmp_path: Path
) -> None:
    catalogue = FEATURES.packaged
    each = alert()

    def sample(player: str, at_us: int) -> None:
        made = Sample(
            player=player,
            at=at_us,
            moment="deposit",
            catalogue=catalogue.id,
            values=(1.0,) * len(catalogue.names),
        )
        redis.xadd(SAMPLES, {"s": msgspec.json.encode(made)})

    sample(PLAYER, opened_us(each) - DAY_US)
    await give(client, each)
    assert (await client.post(f"{A1}/actions", json=SPOKEN)).status_code == 201
    await judge(client, CONFIRMED)
    await (await telling(client)).round()
    # The verdict's turn comes when players' clocks have passed it.
    sample("another", max(opened_us(each), clock.now_us) + DAY_US)
    source = RedisSamples(valkey.url)
    one = Learning(Registry(tmp_path), source, lambda: catalogue, clock)
    while one.step():
        pass
    source.close()
    one.trainer.finish()
    assert one.trainer.room.counts.answers == {"verdict:harmed": 1}
