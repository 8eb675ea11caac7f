"""A burst of referrals to a receiver that admits few and often fails, by a worker that keeps being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, func, make_url, select

from api.deployment import Ground, lay_ground
from api.settings import Settings
from api.webhooks.guard import Network, read_networks
from api.webhooks.outbox import Outbox
from api.webhooks.service import EndpointsService
from api.webhooks.tables import Attempt, Message
from tests.stores import Postgres, sqlite_store

KILLS = 5
ROOT = Path(__file__).parents[3]


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of our own code, killed at the end."""
    started = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
        assert started.stdout is not None
        started.stdout.close()


def resident_kib(pid: int) -> int:
    """How much memory a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def storm(store_url: str, home: Path, *, messages: int, rate: int, burst: int, within_s: float) -> None:
    """Put so many messages at once and see them through."""
    settings = Settings.model_validate(
        {"database_url": store_url, "data_dir": home, "webhook_networks": ["127.0.0.0/8"]}
    )
    ground = lay_ground(settings)
    await ground.begin()
    with process("tests.api.webhooks.storm_receiver", str(rate), str(burst), "20") as receiver:
        assert receiver.stdout is not None
        base = f"http://127.0.0.1:{receiver.stdout.readline().strip()}"
        ids = await _put(ground, f"{base}/hook", messages, rate, burst)
        samples = _deliver(store_url, home, base, messages, within_s)
        count: dict[str, Any] = httpx.get(f"{base}/count").json()
        processed: list[str] = httpx.get(f"{base}/ids").json()
    async with ground.store.read() as session:
        states = dict(
            (await session.execute(select(Message.state, func.count()).group_by(Message.state))).all()
        )
        asked = select(Attempt.outcome, func.count()).group_by(Attempt.outcome)
        outcomes = dict((await session.execute(asked)).all())
    faults = await ground.audit.verify()
    await ground.store.close()
    print(f"receiver: {count}; attempts: {outcomes}; RSS in KiB: {samples}")
    assert count["violations"] == 0
    assert Counter(processed) == Counter(ids), "each once, and none missing"
    assert states == {"delivered": messages}
    assert outcomes.get("refused", 0) > 0.05 * messages  # it did fail
    assert faults == []
    # Each worker by itself: what it has grown to at its end, against early on.
    for early, late in samples:
        assert late - early < 16 * 1024
    assert max(late for _, late in samples) - min(late for _, late in samples) < 24 * 1024


async def _put(ground: Ground, url: str, messages: int, rate: int, burst: int) -> list[str]:
    service = EndpointsService(ground.keyring, ground.audit, ground.clock, _networks())
    async with ground.store.write() as session:
        endpoint = await service.open_endpoint(
            session,
            owner="partner",
            owner_id="storm-aid",
            kind="webhook",
            url=url,
            signing="v1a",
            rate_per_s=rate,
            burst=burst,
            types=None,
            actor="system:test",
        )
    outbox, ids = Outbox(ground.clock), []
    for start in range(0, messages, 500):
        async with ground.store.write() as session:
            for number in range(start, min(start + 500, messages)):
                data = {
                    "token": f"rf_{number:032d}",
                    "purpose": "help",
                    "urgency": "soon",
                    "reasons": ["money"],
                }
                subject = f"referral:{number}"
                ids.append(await outbox.put(session, endpoint.id, "referral.created", data, subject=subject))
    return ids


def _networks() -> list[Network]:
    return read_networks(["127.0.0.0/8"])


def _deliver(store_url: str, home: Path, base: str, messages: int, within_s: float) -> list[tuple[int, int]]:
    """Have a worker deliver, killed whenever another sixth has arrived; returns each worker's memory."""
    samples: list[tuple[int, int]] = []
    until_s = time.monotonic() + within_s
    for number in range(KILLS + 1):
        enough = messages * (number + 1) // (KILLS + 1)
        with process("tests.api.webhooks.storm_worker", store_url, str(home)) as worker:
            early = late = 0
            begun = None
            while True:
                assert time.monotonic() < until_s, "it takes too long"
                assert worker.poll() is None, "the worker ended by itself"
                processed = httpx.get(f"{base}/count").json()["processed"]
                late = resident_kib(worker.pid)
                begun = processed if begun is None else begun
                if not early and processed >= begun + messages // 40:
                    early = late
                if processed >= enough and (number < KILLS or _settled(store_url)):
                    break
                time.sleep(0.1)
            samples.append((early or late, late))
            os.kill(worker.pid, signal.SIGKILL)
    return samples


def _settled(store_url: str) -> bool:
    """Whether nothing waits any more."""
    url = make_url(store_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        asked = select(func.count()).select_from(Message).where(Message.state != "delivered")
        return connection.execute(asked).scalar_one() == 0


@pytest.mark.storm
async def test_ten_thousand_referrals_to_a_partner_that_admits_fifty_a_second(tmp_path: Path) -> None:
    url = sqlite_store(tmp_path)
    await storm(url, tmp_path, messages=10_000, rate=50, burst=50, within_s=480)


@pytest.mark.storm
async def test_a_thousand_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    await storm(postgres.new(), tmp_path, messages=1_000, rate=200, burst=100, within_s=180)
