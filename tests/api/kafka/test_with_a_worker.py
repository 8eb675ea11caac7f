"""The whole way beside a real worker: from an event at the door to the alert at the desk, and other rules."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from detector.drivers.clock import wall_clock_us
from detector.drivers.rulesets import rule_set_id
from detector.drivers.valkey import Server
from tests.api.real import back_office_of, real_service
from tests.api.rules.test_rules import MORE, TESTS_OF_TWO, rule
from tests.brokers import Broker
from tests.drivers.small import event, wait_for

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

START_S = 60.0


@contextmanager
def worker(kafka: Broker, rules: Path) -> Iterator[None]:
    """A worker by its command."""
    with tempfile.TemporaryDirectory(prefix="tw-worker-") as home:
        own = {
            "TILTWATCH_DATA_DIR": home,
            "TILTWATCH_RULES_DIR": str(rules),
            "TILTWATCH_JURISDICTION": "CA-ON",
            "TILTWATCH_WORKER_PORT": "0",
            "TILTWATCH_WORKER_NAME": "w1",
            "TILTWATCH_CHECKPOINT_S": "0.2",
            "TILTWATCH_TICK_EVERY_S": "1",
            "TILTWATCH_LOG_LEVEL": "warning",
        }
        script = Path(sys.executable).with_name("tiltwatch")
        with subprocess.Popen([script, "worker"], env=os.environ | kafka.environment | own) as process:
            try:
                yield
            finally:
                process.terminate()
                process.wait(30)


def test_from_the_door_to_the_desk_and_under_other_rules(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "third-deposit.yml").write_text(rule())
    settings: dict[str, Any] = {
        "kafka": kafka.servers,
        "kafka_check_crcs": kafka.check_crcs,
        "rules_dir": rules,
        "jurisdiction": "CA-ON",
    }
    with (
        real_service(valkey.url, tmp_path, store_url, **settings) as service,
        back_office_of(service),
        worker(kafka, rules),
        httpx.Client(base_url=service.url, timeout=30) as client,
    ):

        def send(id_: str, player: str) -> None:
            headers = service.headers("platform") | {"content-type": "application/json"}
            sent = client.post("/v1/events", content=event(id_, wall_clock_us(), player), headers=headers)
            assert sent.json()["accepted"] == 1

        def alerts_of(player: str) -> list[str]:
            found = client.get("/v1/alerts", headers=service.headers("agent")).json()["items"]
            return sorted(each["rule"] for each in found if each["player"] == player)

        analyst = service.headers("analyst")

        def running() -> str | None:
            found = client.get("/v1/rules", headers=analyst).json()["running"]
            return None if found is None else str(found["set"])

        def score_of(player: str) -> int:
            found = client.get(f"/v1/players/{player}/risk", headers=service.headers("agent")).json()
            return int(found.get("score", 0))

        wait_for(lambda: client.get("/readyz").status_code == 200, START_S)
        for n in range(3):
            send(f"a{n}", "p1")
        wait_for(lambda: alerts_of("p1") == ["third-deposit@1"])
        # Alerts go out before the checkpoint that the risk is written with.
        wait_for(lambda: score_of("p1") > 0)
        first = rule_set_id(rules)
        wait_for(lambda: running() == first)
        (rules / "second-deposit.yml").write_text(MORE.replace("shadow", "live") + TESTS_OF_TWO)
        second = rule_set_id(rules)
        asked = client.post("/v1/rules/activate", json={"set": second}, headers=analyst)
        assert asked.status_code == 202, asked.text
        wait_for(lambda: running() == second, 30)
        # What was seen before goes on counting.
        send("b0", "p2")
        send("b1", "p2")
        wait_for(lambda: alerts_of("p2") == ["second-deposit@1"])
        seen = client.get("/v1/audit", headers=service.headers("compliance"), params={"limit": 200}).json()
        assert [each["action"] for each in seen["items"] if each["action"].startswith("rules.")]
