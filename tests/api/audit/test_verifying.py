"""`/v1/audit` and `tiltwatch audit verify`: chain and archive together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import delete, update

from api.archive.segments import segment_path
from api.audit.tables import AuditHead, AuditRow
from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.archive.office import Clock, office, put
from tests.api.commands import Told, in_a_process, tiltwatch
from tests.api.serving import As, Client, problem, serving
from tests.drivers.small import DAY_US, event

DAY, NEXT = "2026-01-01", "2026-01-02"


async def archived(valkey: Server, redis: Redis, home: Path, store_url: str) -> None:
    """A day that is sealed, and one that still grows; the chain vouched for."""
    clock = Clock()
    async with office(valkey.url, home, store_url, clock) as each:
        put(redis, event("e1"))
        await each.work()
        clock.us += DAY_US
        put(redis, event("e2"), received_us=clock.us)
        await each.work()
        await each.deployment.audit.checkpoint(home / "audit-checkpoints.jsonl")


def verify(
    home: Path, store_url: str, *more: str, run: Callable[..., Told] = tiltwatch
) -> tuple[int, list[str], list[str]]:
    """Exit code, what it said, and what it said of errors."""
    code, said, errors = run(home, store_url, "audit", "verify", *more)
    return code, said.splitlines(), errors.splitlines()


def service(valkey: Server, home: Path, store_url: str) -> AbstractAsyncContextManager[Client]:
    settings = Settings(
        archive_dir=home / "archive",
        checkpoints_file=home / "audit-checkpoints.jsonl",
        keyring_file=home / "keyring.json",
    )
    return serving(valkey.url, settings, database_url=store_url)


async def test_what_is_whole_is_said_to_be(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    code, said, errors = verify(tmp_path, store_url, run=in_a_process)
    assert (code, errors) == (0, [])
    assert said == [
        "2 entries follow from one another; 1 checkpoints outside agree; the archive is as it was sealed"
    ]
    async with service(valkey, tmp_path, store_url) as client:
        found = (await client.get("/v1/audit/verify")).json()
    assert found["faults"] == []
    assert (found["entries"], found["checkpoints"]) == (8, 1)  # six keys were issued meanwhile


@pytest.mark.parametrize(
    ("name", "harm", "told"),
    [
        (DAY, "changed", f"segment {DAY}: the file is not what it was"),
        (DAY, "longer", f"segment {DAY}: the file is not what it was"),
        (DAY, "removed", f"segment {DAY}: the file is missing"),
        (NEXT, "changed", f"segment {NEXT}: the file is not what it was"),
        (NEXT, "shorter", f"segment {NEXT}: the file is not what it was"),
        (NEXT, "longer", None),  # it is being written to
    ],
)
async def test_archived_files(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, name: str, harm: str, told: str | None
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    path = segment_path(tmp_path / "archive", name)
    data = path.read_bytes()
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(
            {"changed": data[:-1] + bytes([data[-1] ^ 1]), "longer": data + b"x", "shorter": data[:-1]}[harm]
        )
    expected = [] if told is None else [told]
    code, said, _ = verify(tmp_path, store_url)
    assert (code, said if told else []) == (len(expected), expected)
    async with service(valkey, tmp_path, store_url) as client:
        assert (await client.get("/v1/audit/verify")).json()["faults"] == expected


async def test_findings_are_a_line_each_and_exit_with_1(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    async with office(valkey.url, tmp_path, store_url) as each, each.deployment.store.write() as session:
        await session.execute(update(AuditRow).where(AuditRow.seq == 2).values(actor="key:x"))
    code, said, errors = verify(tmp_path, store_url)
    assert (code, errors) == (1, [])
    assert said == ["entry 2: it was changed, or does not follow from the one before"]


async def test_an_end_that_is_gone_is_a_finding_not_an_error(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    async with office(valkey.url, tmp_path, store_url) as each, each.deployment.store.write() as session:
        await session.execute(delete(AuditHead))
    code, said, errors = verify(tmp_path, store_url)
    assert (code, said, errors) == (1, ["there is no end of the chain on record"], [])


async def test_checkpoints_that_were_taken_away(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    copy = tmp_path / "copy.jsonl"
    (tmp_path / "audit-checkpoints.jsonl").rename(copy)
    told = "checkpoints missing outside of the store: 1, the last at entry 2"
    assert verify(tmp_path, store_url)[:2] == (1, [told])
    assert verify(tmp_path, store_url, "--checkpoints", str(copy))[0] == 0
    async with service(valkey, tmp_path, store_url) as client:
        assert (await client.get("/v1/audit/verify")).json()["faults"] == [told]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_what_cannot_be_read_is_one_clear_line(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    await archived(valkey, redis, tmp_path, store_url)
    (tmp_path / "rubbish").write_text("rubbish\n")
    code, said, (error,) = verify(tmp_path, store_url, "--checkpoints", str(tmp_path / "rubbish"))
    assert (code, said, error) == (2, [], f"tiltwatch: {tmp_path}/rubbish:1: this is no checkpoint")
    code, said, (error,) = verify(tmp_path, store_url, "--checkpoints", str(tmp_path / "none"))
    assert (code, error) == (2, f"tiltwatch: {tmp_path}/none: No such file or directory")
    (tmp_path / "keyring.json").chmod(0o644)
    code, said, (error,) = verify(tmp_path, store_url)
    assert (code, error) == (2, f"tiltwatch: {tmp_path}/keyring.json is open to others; chmod 600 closes it")


# Reading


async def test_entries_are_read_newest_first(client: Client) -> None:
    keys = client.keys
    first = (await client.get("/v1/audit", params={"limit": 4})).json()
    rest = (await client.get("/v1/audit", params={"limit": 4, "cursor": first["next_cursor"]})).json()
    items = first["items"] + rest["items"]
    assert [each["seq"] for each in items] == [7, 6, 5, 4, 3, 2, 1]
    assert rest["next_cursor"] is None
    issued = items[0]
    assert (issued["action"], issued["actor"]) == ("key.issued", "system:test")
    assert issued["subject"] == f"key:{keys['admin'].split('_')[1]}"
    assert issued["details"] == {"role": "admin"}
    assert issued["at_us"] == 1_767_268_800_000_000


async def test_entries_are_filtered(client: Client) -> None:
    keys = client.keys
    subject = f"key:{keys['agent'].split('_')[1]}"

    async def seqs(**query: str) -> list[int]:
        answer = await client.get("/v1/audit", params=query)
        return [each["seq"] for each in answer.json()["items"]]

    assert len(await seqs(subject=subject)) == 1
    assert await seqs(action="chain.begun") == [1]
    assert await seqs(action="chain.begun", subject=subject) == []
    assert len(await seqs(since="2026-01-01T12:00:00Z")) == 7
    assert await seqs(since="2026-01-01T12:00:01Z") == []
    assert await seqs(subject="\0") == []


@pytest.mark.parametrize(
    ("query", "name"), [({"cursor": "!"}, "cursor"), ({"limit": "0"}, "limit"), ({"actor": "x"}, "actor")]
)
async def test_wrong_parameters(client: Client, query: dict[str, str], name: str) -> None:
    answer = await client.get("/v1/audit", params=query)
    assert problem(answer) == (400, "invalid-parameter")
    assert [each["name"] for each in answer.json()["parameters"]] == [name]


async def test_who_may_read_it(client: Client) -> None:
    keys = client.keys
    for path in ("/v1/audit", "/v1/audit/verify"):
        assert (await client.get(path, auth=As(keys, "admin"))).status_code == 200
        for role in ("platform", "agent", "analyst", "partner"):
            assert problem(await client.get(path, auth=As(keys, role))) == (403, "forbidden")
