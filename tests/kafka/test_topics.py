"""`tiltwatch kafka init` and `check`, and what workers ask of the topics before they start."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from os import environ
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from detector.drivers.kafka.admin import init, look, require
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.faults import Seen, Wanted, find_faults, unseen_settings
from detector.drivers.kafka.topics import EVENTS, changelog, specs
from detector.errors import SettingsError
from tests.brokers import Broker, MockBroker, RealBroker

TILTWATCH = Path(sys.executable).with_name("tiltwatch")
PAYMENTS = "platform.payments"
WANTED = Wanted("tiltwatch", frozenset({EVENTS, PAYMENTS}), partitions=4, replication=3)
CHANGELOG = changelog("tiltwatch")
OURS = [each.name for each in specs("tiltwatch")]


def tiltwatch(kafka: Broker, *words: str, **settings: str) -> tuple[int, list[str], list[str]]:
    """The command's exit code and the lines that it wrote to stdout and stderr."""
    told = {f"TILTWATCH_{name}": value for name, value in settings.items()}
    ended = subprocess.run(
        [TILTWATCH, "kafka", *words],
        env=environ | kafka.environment | told,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()


def connection(kafka: Broker) -> Connection:
    return Connection((kafka.servers,))


def config_of(kafka: Broker, topic: str) -> dict[str, str]:
    """A topic's settings as another client than ours sees them."""
    admin = AdminClient({"bootstrap.servers": kafka.servers})
    (asked,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: each.value for name, each in asked.result(30).items()}


# What is a fault


def as_wanted() -> dict[str, Seen]:
    """Every topic as `WANTED` has it."""
    ours = {
        each.name: Seen(
            each.partitions or 4,
            3,
            (),
            {"cleanup.policy": each.cleanup, "min.insync.replicas": "2"} | each.config,
        )
        for each in WANTED.ours
    }
    return ours | {PAYMENTS: Seen(4, 1, (), {"cleanup.policy": "delete", "retention.ms": "86400000"})}


def with_config(name: str, config: Mapping[str, str]) -> dict[str, Seen]:
    seen = as_wanted()
    return seen | {name: replace(seen[name], config={**(seen[name].config or {}), **config})}


def with_(name: str, **changed: object) -> dict[str, Seen]:
    seen = as_wanted()
    return seen | {name: replace(seen[name], **changed)}  # type: ignore[arg-type]  # of whatever field


def test_topics_as_wanted_have_no_fault() -> None:
    assert find_faults(WANTED, as_wanted()) == []
    assert unseen_settings(WANTED, as_wanted()) == []


@pytest.mark.parametrize(
    ("seen", "told", "stops"),
    [
        (with_(CHANGELOG, partitions=6), f"{CHANGELOG}: has 6 partitions and rg.events 4: ", True),
        (with_("rg.risk", partitions=1), "rg.risk: has 1 partition and rg.events 4: ", True),
        (with_(PAYMENTS, partitions=3), f"{PAYMENTS}: has 3 partitions and rg.events has 4: ", True),
        (with_("rg.commands", partitions=4), "rg.commands: has 4 partitions and must have 1", True),
        (with_(EVENTS, leaderless=(1, 3)), "rg.events: partition 1, 3: no leader", False),
        (with_(CHANGELOG, replicas=2), f"{CHANGELOG}: has 2 replicas and .*_REPLICATION says 3", False),
        (with_(PAYMENTS, config={"min.insync.replicas": "2"}), "nothing can be written", True),
        (
            with_config(CHANGELOG, {"cleanup.policy": "delete"}),
            "cleanup.policy is delete and must be c",
            True,
        ),
        (with_config(CHANGELOG, {"cleanup.policy": "compact,delete"}), "must be compact;", True),
        (with_config(EVENTS, {"cleanup.policy": "compact"}), "must be delete;", True),
        (with_config(PAYMENTS, {"cleanup.policy": "compact"}), f"{PAYMENTS}: cleanup.* must be delete", True),
        (with_config("rg.risk", {"cleanup.policy": "delete"}), "rg.risk: .* must be compact", False),
        (with_config("rg.status", {"cleanup.policy": "compact"}), r"=\[compact,delete\]$", False),
        (with_config(EVENTS, {"retention.ms": "3600000"}), "3600000 and must be at least 1209600000", False),
        (with_config(PAYMENTS, {"retention.ms": "3600000"}), "must be at least 86400000;", False),
        (with_config(EVENTS, {"retention.bytes": "1000000"}), "is 1000000 and must be -1;", False),
        (with_config("rg.dead", {"max.message.bytes": "1048588"}), "must be at least 8388608;", False),
        (with_config(CHANGELOG, {"min.insync.replicas": "1"}), "must be at least 2; kafka-configs.sh", False),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_mend(seen: dict[str, Seen], told: str, stops: bool) -> None:
    (fault,) = find_faults(WANTED, seen)
    assert re.search(told, str(fault))
    assert fault.stops is stops
    assert re.search(r"; \w", fault.told) or "delete it" in fault.told
    assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("topic", "config"),
    [
        (EVENTS, {"retention.ms": "-1"}),
        (EVENTS, {"retention.ms": "9000000000"}),
        (PAYMENTS, {"retention.ms": "-1", "retention.bytes": "1"}),
        ("rg.status", {"cleanup.policy": "delete, compact"}),
        (CHANGELOG, {"segment.bytes": "1073741824", "max.message.bytes": "16777216"}),
        (PAYMENTS, {"cleanup.policy": ""}),
    ],
)
def test_more_than_is_needed_and_matters_of_cost_are_no_faults(topic: str, config: dict[str, str]) -> None:
    assert find_faults(WANTED, with_config(topic, config)) == []


@pytest.mark.parametrize("name", [*OURS, PAYMENTS])
def test_no_topic_may_be_missing(name: str) -> None:
    seen = as_wanted()
    del seen[name]
    (fault,) = find_faults(WANTED, seen)
    assert fault.topic == name
    assert fault.stops


def test_a_topic_of_ours_is_no_input() -> None:
    (fault,) = find_faults(replace(WANTED, inputs=WANTED.inputs | {"rg.alerts"}), as_wanted())
    assert str(fault).startswith("rg.alerts: is a topic of ours and no input")
    assert fault.stops


def test_settings_that_nobody_tells_are_named() -> None:
    seen = with_("rg.risk", config=None)
    assert find_faults(WANTED, seen) == []
    assert unseen_settings(WANTED, seen) == ["rg.risk"]


# On brokers


def test_check_finds_nothing_where_all_is_there(kafka: Broker) -> None:
    kafka.create_ours(PAYMENTS)
    code, told, notes = tiltwatch(
        kafka, "check", KAFKA_PARTITIONS="4", KAFKA_INPUTS=f'{{"{PAYMENTS}": null}}'
    )
    assert (code, told) == (0, ["12 topics checked, nothing found"])
    if isinstance(kafka, MockBroker):
        assert notes == [
            f"not checked: the settings of {', '.join([*OURS, PAYMENTS])}, which the brokers do not tell"
        ]
    else:
        assert notes == []


def test_check_tells_each_finding_in_a_line(kafka: Broker) -> None:
    kafka.create({EVENTS: 4, PAYMENTS: 3, CHANGELOG: 4})
    code, told, _ = tiltwatch(
        kafka, "check", KAFKA_PARTITIONS="4", KAFKA_INPUTS=f'{{"{PAYMENTS}": null, "platform.bets": null}}'
    )
    assert code == 1
    missing = [line for line in told if "is not there" in line]
    assert len(missing) == len(OURS) - 2 + 1
    assert any(line.startswith(f"{PAYMENTS}: has 3 partitions") for line in told)
    # Looking at what is missing has not made it.
    assert kafka.topics().keys() == {EVENTS, PAYMENTS, CHANGELOG}


async def test_workers_ask_how_many_partitions_there_are(kafka: Broker) -> None:
    kafka.create_ours(PAYMENTS, partitions=3)
    wanted = Wanted("tiltwatch", frozenset({EVENTS, PAYMENTS}))
    assert await require(connection(kafka), wanted) == 3


async def test_workers_do_not_start_on_inputs_that_do_not_fit(kafka: Broker) -> None:
    kafka.create_ours(partitions=3)
    kafka.create({PAYMENTS: 4})
    with pytest.raises(SettingsError, match=f"^{PAYMENTS}: has 4 partitions and rg.events has 3: a player's"):
        await require(connection(kafka), Wanted("tiltwatch", frozenset({EVENTS, PAYMENTS})))


def test_brokers_that_are_away_are_one_clear_line(mock_kafka: MockBroker) -> None:
    mock_kafka.process.kill()
    mock_kafka.process.wait()
    for word in ("init", "check"):
        code, told, error = tiltwatch(mock_kafka, word)
        assert (code, told) == (2, [])
        assert error == [
            "tiltwatch: the brokers that TILTWATCH_KAFKA names do not answer us (KafkaConnectionError)"
        ]


def test_brokers_that_make_no_topics_are_told_of(mock_kafka: MockBroker) -> None:
    code, told, _ = tiltwatch(mock_kafka, "init")
    assert (code, len(told)) == (1, len(OURS))
    assert told[0] == "rg.events: could not be made: the brokers have no controller that makes topics"


def test_without_brokers_there_is_nothing_to_do(mock_kafka: MockBroker) -> None:
    code, told, error = tiltwatch(mock_kafka, "check", KAFKA="")
    assert (code, told, error) == (2, [], ["tiltwatch: TILTWATCH_KAFKA must name the brokers"])


@pytest.mark.storm
def test_init_makes_what_check_wants_and_nothing_twice(real_kafka: RealBroker) -> None:
    code, told, _ = tiltwatch(real_kafka, "init", KAFKA_GROUP="acme", KAFKA_PARTITIONS="3")
    assert code == 0
    assert told[:-1] == [
        f"made {each.name} with {'1 partition' if each.partitions else '3 partitions'}"
        for each in specs("acme")
    ]
    assert real_kafka.topics() == {each.name: each.partitions or 3 for each in specs("acme")}
    for each in specs("acme"):
        found = config_of(real_kafka, each.name)
        assert {"cleanup.policy": each.cleanup, "min.insync.replicas": "1"}.items() <= found.items()
        assert each.config.items() <= found.items()
    assert tiltwatch(real_kafka, "check", KAFKA_GROUP="acme", KAFKA_PARTITIONS="3")[:2] == (
        0,
        [f"{len(OURS)} topics checked, nothing found"],
    )
    real_kafka.put(EVENTS, ("p1", b"kept"))
    code, told, _ = tiltwatch(real_kafka, "init", KAFKA_GROUP="acme", KAFKA_PARTITIONS="3")
    assert (code, told) == (0, [f"{len(OURS)} topics are there; nothing else was changed"])
    assert [each.value for each in real_kafka.read(EVENTS, 1)] == [b"kept"]


@pytest.mark.storm
def test_init_makes_nothing_beside_inputs_that_do_not_fit(real_kafka: RealBroker) -> None:
    real_kafka.create({PAYMENTS: 3})
    inputs = f'{{"{PAYMENTS}": null}}'
    code, told, _ = tiltwatch(real_kafka, "init", KAFKA_INPUTS=inputs)
    assert code == 1
    assert told == [
        f"{PAYMENTS}: has 3 partitions and rg.events would have 12: a player's events would go to two "
        "workers; say TILTWATCH_KAFKA_PARTITIONS=3"
    ]
    assert real_kafka.topics() == {PAYMENTS: 3}
    assert tiltwatch(real_kafka, "init", KAFKA_INPUTS=inputs, KAFKA_PARTITIONS="3")[0] == 0


@pytest.mark.storm
def test_init_changes_nothing_that_is_there(real_kafka: RealBroker) -> None:
    real_kafka.create({EVENTS: 5}, {"retention.ms": "3600000", "max.message.bytes": "8388608"})
    code, told, _ = tiltwatch(real_kafka, "init")
    assert code == 1
    # What was missing fits to what was there, whatever the setting says.
    assert real_kafka.topics() == {each.name: each.partitions or 5 for each in specs("tiltwatch")}
    assert config_of(real_kafka, EVENTS)["retention.ms"] == "3600000"
    found = [line for line in told if not line.startswith("made ")]
    assert len(found) == 2
    assert found[0].startswith("rg.events: has 5 partitions and TILTWATCH_KAFKA_PARTITIONS says 12;")
    assert found[1].startswith("rg.events: retention.ms is 3600000 and must be at least 1209600000;")
    assert tiltwatch(real_kafka, "check")[1] == found


@pytest.mark.storm
async def test_brokers_say_why_they_make_no_topic(real_kafka: RealBroker) -> None:
    wanted = Wanted("tiltwatch", frozenset({EVENTS}), partitions=2, replication=3)
    made, faults = await init(connection(real_kafka), wanted)
    assert made == {}
    assert [fault.topic for fault in faults] == OURS
    assert all("only 1 broker(s) are registered" in fault.told for fault in faults)
    assert await look(connection(real_kafka), wanted) == {}
