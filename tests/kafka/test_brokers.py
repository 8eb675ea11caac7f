"""The brokers that tests run on do what tests rely on."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from tests.brokers import Broker, MockBroker, RealBroker


async def send(kafka: Broker, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.servers, acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(topic, value, key=b"p1")
    finally:
        await producer.stop()


def test_topics_are_as_many_parts_as_asked_for(kafka: Broker) -> None:
    kafka.create({"one": 1, "five": 5})
    assert kafka.topics() == {"one": 1, "five": 5}
    kafka.create_ours("platform.payments", partitions=3)
    found = kafka.topics()
    assert (found["rg.events"], found["rg.commands"], found["platform.payments"]) == (3, 1, 3)


async def test_what_one_client_writes_another_reads(kafka: Broker) -> None:
    kafka.create({"rg.events": 2})
    await send(kafka, "rg.events", b"ours")
    kafka.put("rg.events", ("p1", b"theirs"), headers={"t": b"1"})
    found = kafka.read("rg.events", 2)
    assert [(each.key, each.value, each.headers) for each in found] == [
        (b"p1", b"ours", {}),
        (b"p1", b"theirs", {"t": b"1"}),
    ]
    # Both put a player into the same partition.
    assert len({each.partition for each in found}) == 1
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.servers, check_crcs=kafka.check_crcs, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign([TopicPartition("rg.events", found[0].partition)])
        assert [(await consumer.getone()).value for _ in range(2)] == [b"ours", b"theirs"]


async def test_a_mock_that_is_down_takes_nobody_and_forgets_nothing(mock_kafka: MockBroker) -> None:
    mock_kafka.create({"rg.events": 1})
    await send(mock_kafka, "rg.events", b"before")
    mock_kafka.down()
    with pytest.raises(KafkaConnectionError):
        await send(mock_kafka, "rg.events", b"never")
    mock_kafka.up()
    await send(mock_kafka, "rg.events", b"after")
    assert [each.value for each in mock_kafka.read("rg.events", 2)] == [b"before", b"after"]


@pytest.mark.storm
async def test_a_real_broker_keeps_what_it_acknowledged(real_kafka: RealBroker) -> None:
    real_kafka.create({"rg.events": 1})
    await send(real_kafka, "rg.events", b"before")
    real_kafka.restart(killed=True)
    await send(real_kafka, "rg.events", b"between")
    real_kafka.restart()
    await send(real_kafka, "rg.events", b"after")
    found = [each.value for each in real_kafka.read("rg.events", 3)]
    assert found == [b"before", b"between", b"after"]
    real_kafka.stop()
    with pytest.raises(KafkaConnectionError):
        await send(real_kafka, "rg.events", b"never")
