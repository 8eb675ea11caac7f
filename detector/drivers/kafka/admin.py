"""Making the topics and looking at them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code

from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.faults import Fault, Seen, Wanted, common_partitions, find_faults
from detector.drivers.kafka.topics import EVENTS
from detector.errors import SettingsError

log = structlog.get_logger()

ANSWER_S = 15.0
"""How long brokers may take for one answer."""
_NEW_S = 15.0
_EXISTS = 36
# Where nobody has said where logs go, what the client thinks of it would stand beside what we tell.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


async def look(connection: Connection, wanted: Wanted) -> dict[str, Seen]:
    """The topics that are wanted, as far as they are there.

    Raises
    ------
    SettingsError
        The brokers do not answer, or not to us.
    """
    async with _admin(connection) as admin:
        return await _look(admin, wanted)


async def check(connection: Connection, wanted: Wanted) -> list[Fault]:
    """What is wrong with the topics; SettingsError as of `look`."""
    return find_faults(wanted, await look(connection, wanted))


async def require(connection: Connection, wanted: Wanted) -> int:
    """How many partitions players are spread over, once the topics are fit for workers; logs smaller faults.

    Raises
    ------
    SettingsError
        They are not, or the brokers do not answer.
    """
    seen = await look(connection, wanted)
    faults = find_faults(wanted, seen)
    fatal = [fault for fault in faults if fault.stops]
    if fatal:
        raise SettingsError("; ".join(map(str, fatal)))
    for fault in faults:
        log.warning("a topic is not as it should be", topic=fault.topic, fault=fault.told)
    return seen[EVENTS].partitions


async def init(connection: Connection, wanted: Wanted) -> tuple[dict[str, int], list[Fault]]:
    """Make the topics of ours that are missing; returns their partitions, and what is wrong now.

    Nothing that is there is changed, and nothing is made while what is there does not fit together.
    SettingsError as of `look`.
    """
    if wanted.partitions is None or wanted.replication is None:
        raise ValueError("it has to be known what topics are made like")
    async with _admin(connection) as admin:
        seen = await _look(admin, wanted)
        faults = [fault for fault in find_faults(wanted, seen) if not fault.missing]
        if any(fault.stops for fault in faults):
            return {}, faults
        common = common_partitions(wanted, seen)
        new = [
            NewTopic(
                spec.name,
                spec.partitions or common,
                wanted.replication,
                topic_configs={"cleanup.policy": spec.cleanup} | spec.config | wanted.in_sync(),
            )
            for spec in wanted.ours
            if spec.name not in seen
        ]
        refused = await _make(admin, new)
        made = {each.name: each.num_partitions for each in new if each.name not in refused}
        seen = await _look_until(admin, wanted, made)
        faults = [fault for fault in find_faults(wanted, seen) if fault.topic not in refused]
        faults += [Fault(name, f"could not be made: {why}", True) for name, why in refused.items()]
        return made, faults


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(request_timeout_ms=int(ANSWER_S * 1000), **connection.aiokafka())
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as error:
        # Its message may repeat what is nobody's business.
        raise SettingsError(
            f"the brokers that TILTWATCH_KAFKA names do not answer us ({type(error).__name__})"
        ) from None
    finally:
        await admin.close()


async def _look(admin: AIOKafkaAdminClient, wanted: Wanted) -> dict[str, Seen]:
    names = {each.name for each in wanted.ours} | wanted.inputs
    # Asked for by name, a topic would be made where brokers make what they are asked for.
    there = [each for each in await admin.describe_topics() if each["topic"] in names and each["partitions"]]
    config = await _config(admin, [each["topic"] for each in there])
    return {each["topic"]: _seen(each["partitions"], config.get(each["topic"])) for each in there}


def _seen(partitions: list[dict[str, Any]], config: Mapping[str, str] | None) -> Seen:
    return Seen(
        len(partitions),
        min(len(each["replicas"]) for each in partitions),
        tuple(sorted(each["partition"] for each in partitions if each["leader"] < 0)),
        config,
    )


async def _config(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """The topics' settings, of those whose the brokers tell."""
    if not names:
        return {}
    try:
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        )
    except IncompatibleBrokerVersion:
        return {}
    return {
        name: {key: value for key, value, *_ in entries if value is not None}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if code == 0
    }


async def _make(admin: AIOKafkaAdminClient, new: list[NewTopic]) -> dict[str, str]:
    """Have topics made; returns those that were refused, and why."""
    if not new:
        return {}
    cluster = await admin.describe_cluster()
    if cluster["controller_id"] not in {each["node_id"] for each in cluster["brokers"]}:
        return {each.name: "the brokers have no controller that makes topics" for each in new}
    answer = await admin.create_topics(new)
    return {
        name: (text[0] if text else "") or for_code(code).__name__
        for name, code, *text in answer.topic_errors
        if code not in (0, _EXISTS)
    }


async def _look_until(admin: AIOKafkaAdminClient, wanted: Wanted, made: Mapping[str, int]) -> dict[str, Seen]:
    """Look until topics that were made are told of and led, or for as long as that may take."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _NEW_S
    while True:
        seen = await _look(admin, wanted)
        if all(name in seen and not seen[name].leaderless for name in made) or loop.time() > deadline:
            return seen
        await asyncio.sleep(0.1)
