"""Service and back office beside Redis and Kafka, with all duties, as the commands run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from redis import Redis

from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka import topics
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.desk.office import alert, asked_by
from tests.api.kafka.workers import all_of
from tests.api.real import back_office_of, real_service
from tests.brokers import Broker
from tests.drivers.small import event, wait_for

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def test_what_workers_tell_reaches_the_desk_and_the_archive(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    now_us = wall_clock_us()
    opened = alert(1, now_us, player="p1")
    hold = asked_by(opened)["deposit_hold"]
    settings: dict[str, Any] = {"kafka": kafka.servers, "kafka_check_crcs": kafka.check_crcs}
    with real_service(valkey.url, tmp_path, store_url, **settings) as service, back_office_of(service):
        agent, platform = service.headers("agent"), service.headers("platform")
        sent = httpx.post(f"{service.url}/v1/events", content=event("e1", now_us), headers=platform)
        assert sent.status_code == 415  # it says nothing of its kind
        platform["content-type"] = "application/json"
        for _ in range(2):
            sent = httpx.post(f"{service.url}/v1/events", content=event("e1", now_us), headers=platform)
            assert sent.json()["accepted"] == 1
        other = event("e2", now_us, "p2")
        assert httpx.post(f"{service.url}/v1/events", content=other, headers=platform).status_code == 202
        headers = [("t", str(now_us).encode()), ("j", b"CA-ON")]
        for _ in range(2):
            kafka.put(topics.ALERTS, ("p1", opened.to_json()), headers=headers)
            kafka.put(topics.INTERVENTIONS, ("p1", hold.to_json()))
        risk = msgspec.json.encode({"player": "p1", "at_us": now_us, "standings": []})
        kafka.put(topics.RISKS, ("p1", risk))

        def listed() -> list[Any]:
            found: list[Any] = httpx.get(f"{service.url}/v1/alerts", headers=agent).json()["items"]
            return found

        wait_for(lambda: [each["id"] for each in listed()] == [opened.id])
        wait_for(lambda: httpx.get(f"{service.url}/v1/players/p1/risk", headers=agent).status_code == 200)
        ready = httpx.get(f"{service.url}/readyz")
        assert (ready.status_code, ready.json()["detail"]) == (503, "detector: absent")
        kafka.put(topics.STATUS, ("w1", all_of("w1", wall_clock_us(), 0, 1, 2, 3)))
        wait_for(lambda: httpx.get(f"{service.url}/readyz").status_code == 200)
        # What was archived is dropped from the stream, which no detector reads.
        wait_for(lambda: any(tmp_path.glob("archive/*.zst")))
        wait_for(lambda: redis.xlen("tw:events") == 0)
        compliance = service.headers("compliance")
        timeline = f"{service.url}/v1/players/p1/timeline?from={rfc3339_ms(now_us - 10**9)}"
        found = httpx.get(timeline, headers=compliance)
        assert found.status_code == 200, found.text
        kinds = [each.get("event", {}).get("id") for each in found.json()["items"]]
        assert kinds.count("e1") == 1
        for player, status in (("p2", 200), ("p3", 404)):
            found = httpx.get(f"{service.url}/v1/players/{player}/risk", headers=agent)
            assert found.status_code == status, "of one no rule has held; the other is not known"
    assert {each["name"] for each in redis.xinfo_groups("tw:events")} == {b"archive"}


def test_the_commands_run_beside_redis_and_kafka(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    own = {
        "TILTWATCH_REDIS_URL": valkey.url,
        "TILTWATCH_DATABASE_URL": store_url,
        "TILTWATCH_DATA_DIR": str(tmp_path),
        "TILTWATCH_PORT": "0",
        "TILTWATCH_LOG_LEVEL": "warning",
    }
    environment = {**os.environ, **kafka.environment, **own}

    def command(name: str) -> subprocess.Popen[bytes]:
        script = Path(sys.executable).with_name("tiltwatch")
        return subprocess.Popen([script, name], env=environment, stderr=subprocess.PIPE)

    kafka.put(topics.ALERTS, ("p1", alert(1, wall_clock_us()).to_json()))
    with command("api") as api, command("backoffice") as office:
        wait_for(lambda: redis.exists("tw:alerts"))
        for each in (office, api):
            each.send_signal(signal.SIGTERM)
            assert each.wait(20) == 0
    refused = subprocess.run(
        [Path(sys.executable).with_name("tiltwatch"), "run"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert refused.returncode == 2
    assert "tiltwatch worker" in refused.stderr
