"""The whole of embedded mode over real HTTP, in the processes it really runs in."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis import Redis

from api.demo.keys import issue_keys
from api.embedded import embedded, run, serve, serving
from api.learning.running import registry_of
from api.processes import kept_beside
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.valkey import Server
from detector.errors import SettingsError
from models.registry import Registry
from models.trainer import Trainer
from tests.api.serving import As
from tests.drivers.small import MINUTE_US, event, is_gone, wait_for, write_rules


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        # A trainer takes seconds to begin, and only one test is about it.
        rules = write_rules(tmp_path)
        yield Settings(data_dir=Path(home), port=0, rules_dir=rules, log_format="json", learn=False)


@asynccontextmanager
async def over_http(settings: Settings, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    keys = await issue_keys(settings)
    async with (
        serving(settings, redis_url) as address,
        httpx.AsyncClient(base_url=address, auth=As(keys)) as client,
    ):
        yield client


async def until(client: httpx.AsyncClient, path: str, seconds: float = 20, **query: str) -> Any:
    """The answer of a path once it is 200 and, if it has items, has one."""
    deadline = time.monotonic() + seconds
    while True:
        response = await client.get(path, params=query)
        body = response.json()
        if response.status_code == 200 and body.get("items", [1]):
            return body
        assert time.monotonic() < deadline, response.text
        await asyncio.sleep(0.002)


def three_deposits(player: str) -> list[bytes]:
    now = wall_clock_us()
    return [event(f"{player}-{n}", now - (3 - n) * MINUTE_US, player) for n in range(3)]


async def test_from_a_request_to_an_alert(settings: Settings) -> None:
    with embedded(settings) as running:
        async with over_http(settings, running.redis_url) as client:
            assert await until(client, "/readyz") == {"redis": "ok", "detector": "ok"}
            body = b"\n".join(three_deposits("p1"))
            sent = await client.post(
                "/v1/events", content=body, headers={"content-type": "application/x-ndjson"}
            )
            assert (sent.status_code, sent.json()["accepted"]) == (202, 3)
            (alert,) = (await until(client, "/v1/alerts"))["items"]
            assert (alert["rule"], alert["player"], alert["notes"]) == ("third-deposit@1", "p1", [])
            assert "server" not in sent.headers
    # Stopped and started again, nothing is forgotten.
    with embedded(settings) as running:
        async with over_http(settings, running.redis_url) as client:
            assert (await until(client, "/v1/alerts"))["items"] == [alert]


async def test_a_killed_detector_shows_and_another_takes_over(settings: Settings) -> None:
    with embedded(settings) as running:
        async with over_http(settings, running.redis_url) as client:
            await until(client, "/readyz")
            running.detector.kill()
            deadline = time.monotonic() + 20
            while (await client.get("/readyz")).status_code == 200:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            for each in three_deposits("p1"):
                response = await client.post(
                    "/v1/events", content=each, headers={"content-type": "application/json"}
                )
                assert response.status_code == 202, "taken in for later"
    with embedded(settings) as running:
        async with over_http(settings, running.redis_url) as client:
            assert len((await until(client, "/v1/alerts"))["items"]) == 1


def trainers() -> set[int | None]:
    """The processes of trainers that run beside this one."""
    return {each.pid for each in multiprocessing.active_children() if each.name == "trainer"}


async def test_a_trainer_learns_beside_it_and_nothing_hangs_on_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started again when it dies, and ends in order with the rest, what it learned being kept."""
    monkeypatch.setattr("api.embedded.kept_beside", partial(kept_beside, again_s=0.1))
    lock = registry_of(settings) / "trainer.lock"
    settings = settings.model_copy(update={"learn": True})
    with embedded(settings) as running:
        async with over_http(settings, running.redis_url) as client:
            await until(client, "/readyz")
            (first,) = trainers()
            assert first is not None
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: trainers() - {first})
            assert not lock.exists(), "before there is anything to learn from nothing is made"
            for each in three_deposits("p1"):
                sent = await client.post(
                    "/v1/events", content=each, headers={"content-type": "application/json"}
                )
                assert sent.status_code == 202
        wait_for(lock.exists, 60)
        assert running.detector.is_alive()
        with Redis.from_url(running.redis_url) as redis:
            groups: Any = redis.xinfo_groups
            wait_for(lambda: groups("tw:samples")[0]["entries-read"], 60)
    kept = Registry(registry_of(settings)).load_state(Trainer.restore)
    assert kept is not None
    assert kept.place["tw:samples count"] > 0


# What lies outside of `if` every process beside it would import once more.
ALONE = """
if __name__ == "__main__":
    import sys, time
    from pathlib import Path
    from api.embedded import embedded
    from api.settings import Settings

    settings = Settings(data_dir=Path(sys.argv[1]), rules_dir=Path(sys.argv[2]), learn=False)
    with embedded(settings) as running:
        print(running.detector.pid, running.redis_url, flush=True)
        time.sleep(60)
"""


def test_the_detector_ends_with_the_process_that_started_it(settings: Settings, tmp_path: Path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    command: list[str | Path] = [sys.executable, script, settings.data_dir, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, url = parent.stdout.readline().split()
        with Redis.from_url(url, protocol=2) as redis:
            wait_for(lambda: redis.hget("tw:detector", "state") == b"running")
            parent.kill()
            wait_for(lambda: not redis.exists("tw:detector"), 4)  # given back, not run out
    wait_for(lambda: is_gone(int(pid)))
    # What is left of Redis does not hinder the next start.
    with embedded(settings) as running:
        assert running.redis_url == url


async def test_a_port_that_is_taken_is_told(settings: Settings, valkey: Server) -> None:
    async with over_http(settings, valkey.url) as client:
        taken = settings.model_copy(update={"port": client.base_url.port})
        with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1 port \d+: .*TILTWATCH_PORT"):
            await serving(taken, valkey.url).__aenter__()


RUN = """
if __name__ == "__main__":
    import asyncio, sys
    from pathlib import Path
    import httpx
    from api.embedded import run
    from api.settings import Settings

    async def company(address, running):
        async with httpx.AsyncClient(base_url=address) as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
        print(running.detector.pid, running.redis_url, flush=True)
        await asyncio.sleep(60)

    own = {"data_dir": Path(sys.argv[1]), "rules_dir": Path(sys.argv[2]), "learn": sys.argv[3] == "learn"}
    run(Settings(**own, port=0, log_format="json"), company)
"""


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "the detector", "Redis"])
def test_run_ends_in_order(settings: Settings, tmp_path: Path, how: str) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    # What a signal ends, the trainer is part of; the other parts are watched with or without it.
    learn = "learn" if how in ("Ctrl-C", "SIGTERM") else "-"
    command: list[str | Path] = [sys.executable, script, settings.data_dir, tmp_path, learn]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        with Redis.from_url(url, protocol=2) as redis:
            redis_pid = redis.info("server")["process_id"]
        match how:
            case "Ctrl-C":
                os.killpg(process.pid, signal.SIGINT)
            case "SIGTERM":
                process.terminate()
            case "the detector":
                os.kill(int(pid), signal.SIGKILL)
            case "Redis":
                os.kill(redis_pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=30)
    assert is_gone(int(pid))
    assert is_gone(redis_pid)
    if how in ("the detector", "Redis"):
        assert process.returncode == 1
        assert f"{how} ended by itself" in errors
    else:
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_a_database_that_is_not_there_is_told_before_anything_works(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = {"database_url": SecretStr("postgresql://somebody:secret@127.0.0.1:1/x")}
    with pytest.raises(SettingsError, match="the database cannot be used"):
        run(settings.model_copy(update=nowhere))
    with pytest.raises(SettingsError, match="the database cannot be used"):
        serve(settings.model_copy(update={**nowhere, "redis_url": SecretStr("redis://127.0.0.1:1")}))
    assert capfd.readouterr() == ("", "")


def test_a_keyring_that_is_open_to_others_is_told_once(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    (settings.data_dir / "keyring.json").write_text("{}")
    (settings.data_dir / "keyring.json").chmod(0o644)
    with pytest.raises(SettingsError, match="open to others"):
        run(settings)
    assert capfd.readouterr() == ("", "")


SERVE = """
import sys
from api.embedded import serve
from api.settings import Settings
serve(Settings(redis_url=sys.argv[1], port=int(sys.argv[2]), data_dir=sys.argv[3], log_format="json"))
"""


def test_the_service_alone(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, valkey.url, str(port), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:

        def answers() -> bool:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/readyz")
                return bool(answer.json()["checks"]["detector"] == "absent")
            except httpx.TransportError:
                return False

        try:
            wait_for(answers)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()  # else whatever fails here would wait for it for ever
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_the_service_alone_needs_a_redis() -> None:
    with pytest.raises(SettingsError, match="TILTWATCH_REDIS_URL must name"):
        serve(Settings())


def test_a_rule_that_cannot_be_loaded_ends_the_detector(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    assert settings.rules_dir is not None
    (settings.rules_dir / "third-deposit.yml").write_text("id: 1")
    with embedded(settings) as running:
        running.detector.join(20)
        assert running.detector.exitcode == 2
    assert "third-deposit.yml:1:" in capfd.readouterr().err
