"""`tiltwatch keys`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from api.deployment import stored
from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.commands import Told, in_a_process, tiltwatch
from tests.api.serving import serving

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def keys(home: Path, store_url: str, *words: str, run: Callable[..., Told] = tiltwatch) -> Told:
    return run(home, store_url, "keys", *words)


async def test_a_key_is_issued_listed_and_revoked(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    code, said, errors = keys(tmp_path, store_url, "issue", "agent", "night desk", run=in_a_process)
    assert (code, errors) == (0, "")
    key = said.strip()
    assert re.fullmatch(r"tw_[0-9a-f]{12}_[\w-]{43}", key)
    key_id = key.split("_")[1]
    async with serving(valkey.url, database_url=store_url) as client:
        answer = await client.get("/v1/alerts", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200
    _, said, _ = keys(tmp_path, store_url, "list")
    (line,) = [line for line in said.splitlines() if line.startswith(key_id)]
    assert "in force" in line
    assert line.endswith("night desk")
    assert key not in said
    assert keys(tmp_path, store_url, "revoke", key_id) == (0, f"{key_id} is revoked\n", "")
    _, said, _ = keys(tmp_path, store_url, "list")
    assert "revoked 20" in next(line for line in said.splitlines() if line.startswith(key_id))
    async with stored(Settings(data_dir=tmp_path, database_url=SecretStr(store_url))) as ground:
        assert await ground.audit.verify() == []


def test_a_key_of_a_partner_names_it(tmp_path: Path, store_url: str) -> None:
    assert keys(tmp_path, store_url, "issue", "partner", "x", "--partner", "aid")[0] == 0
    code, said, errors = keys(tmp_path, store_url, "issue", "partner", "x")
    assert (code, said) == (2, "")
    assert errors.startswith("tiltwatch: ")
    assert errors.count("\n") == 1


async def test_a_key_may_have_fewer_scopes_than_its_role(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    code, said, errors = keys(
        tmp_path, store_url, "issue", "analyst", "Prometheus", "--scope", "metrics:read"
    )
    assert (code, errors) == (0, "")
    async with serving(valkey.url, database_url=store_url) as client:
        headers = {"authorization": f"Bearer {said.strip()}"}
        assert (await client.get("/metrics", headers=headers)).status_code == 200
        assert (await client.get("/v1/alerts", headers=headers)).status_code == 403
    code, said, errors = keys(tmp_path, store_url, "issue", "analyst", "x", "--scope", "keys:manage")
    assert (code, said) == (2, "")
    assert "does not have keys:manage" in errors


@pytest.mark.parametrize(
    "words", [["issue", "king", "x"], ["issue", "agent", "a\nb"], ["revoke", "0123456789ab"], ["revoke", "x"]]
)
def test_errors_are_one_clear_line(tmp_path: Path, store_url: str, words: list[str]) -> None:
    code, said, errors = keys(tmp_path, store_url, *words)
    assert (code, said) == (2, "")
    assert errors.startswith("tiltwatch: ")
    assert errors.count("\n") == 1
