"""Whoever has the database but not the keyring can do much, and nothing that is not found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from api.audit.chain import Signed, sign
from api.audit.tables import AuditCheckpoint, AuditHead, AuditRow
from api.keyring import Keyring
from tests.api.audit.chains import ENTRIES, KEYS, chain, forged


async def test_a_whole_chain_has_no_fault(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        assert await each.faults() == []
        assert await each.faults(with_outside=False) == []
        rows = await each.rows()
        assert [row["seq"] for row in rows] == list(range(1, ENTRIES + 1))
        assert rows[0]["action"] == "chain.begun"


@pytest.mark.parametrize("seq", [1, 5, ENTRIES])
@pytest.mark.parametrize("column", ["at_us", "actor", "action", "subject", "details", "hash", "seq"])
async def test_an_edited_field(store_url: str, tmp_path: Path, column: str, seq: int) -> None:
    values: dict[str, Any] = {
        "at_us": 1,
        "actor": "key:other",
        "action": "thing.undone",
        "subject": "thing:0",
        "details": '{"number":0}',
        "hash": "f" * 64,
        "seq": 1000,
    }
    async with chain(store_url, tmp_path) as each:
        await each.run(update(AuditRow).where(AuditRow.seq == seq).values({column: values[column]}))
        faults = await each.faults(with_outside=False)
        assert faults
        assert any(f"entry {seq}" in fault or "1000" in fault for fault in faults), faults


@pytest.mark.parametrize("seq", [1, 5, ENTRIES])
async def test_a_removed_entry(store_url: str, tmp_path: Path, seq: int) -> None:
    async with chain(store_url, tmp_path) as each:
        await each.run(delete(AuditRow).where(AuditRow.seq == seq))
        faults = await each.faults(with_outside=False)
        told = f"the chain stops at entry {seq - 1} of {seq}" if seq == ENTRIES else f"entry {seq}: missing"
        assert any(told in fault for fault in faults), faults


@pytest.mark.parametrize("relink", [False, True])
@pytest.mark.parametrize("seq", [1, 5, ENTRIES])
async def test_a_removed_entry_and_the_rest_renumbered(
    store_url: str, tmp_path: Path, seq: int, relink: bool
) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = [row for row in await each.rows() if row["seq"] != seq]
        for number, row in enumerate(rows, 1):
            row["seq"] = number
        await each.replace(rows, relink=relink)
        assert await each.faults(with_outside=False)


@pytest.mark.parametrize("relink", [False, True])
@pytest.mark.parametrize("place", [0, 5, ENTRIES])
async def test_an_inserted_entry(store_url: str, tmp_path: Path, place: int, relink: bool) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        rows.insert(place, {**rows[1], "details": forged(place)})
        for number, row in enumerate(rows, 1):
            row["seq"] = number
        await each.replace(rows, relink=relink)
        assert await each.faults(with_outside=False)


async def test_an_entry_added_at_the_end_with_its_right_hash(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        await each.replace([*rows, {**rows[-1], "seq": ENTRIES + 1}], relink=True)
        assert await each.faults(with_outside=False) == [
            f"the chain goes to entry {ENTRIES + 1}, but ends on record at entry {ENTRIES}"
        ]


@pytest.mark.parametrize("relink", [False, True])
async def test_two_entries_that_changed_places(store_url: str, tmp_path: Path, relink: bool) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        rows[4], rows[5] = {**rows[5], "seq": 5}, {**rows[4], "seq": 6}
        await each.replace(rows, relink=relink)
        assert await each.faults(with_outside=False)


async def test_everything_linked_anew_behind_an_edit(store_url: str, tmp_path: Path) -> None:
    """The hashes need no secret; checkpoints and the end do."""
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        rows[2]["details"] = forged(3)
        await each.replace(rows, relink=True)
        assert await each.faults(with_outside=False) == [
            "entry 4: it is not what a checkpoint vouched for",
            "entry 7: it is not what a checkpoint vouched for",
            f"entry {ENTRIES}: it is not what the end on record vouches for",
        ]
        await each.set_head(hash=rows[-1]["hash"])
        await each.run(delete(AuditCheckpoint))
        (fault,) = await each.faults(with_outside=False)
        assert fault.endswith("is not signed by any key of this deployment")


# The end


@pytest.mark.parametrize("last", [1, 7, ENTRIES - 1])
async def test_a_tail_cut_off(store_url: str, tmp_path: Path, last: int) -> None:
    async with chain(store_url, tmp_path) as each:
        await each.run(delete(AuditRow).where(AuditRow.seq > last))
        faults = await each.faults(with_outside=False)
        assert f"the chain stops at entry {last} of {ENTRIES}: the end was cut off" in faults


async def test_a_tail_cut_off_with_an_end_that_was_once_signed(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        old = sign("head", 5, rows[4]["hash"], *Keyring(KEYS).signing_key("audit"))
        await each.run(delete(AuditRow).where(AuditRow.seq > 5))
        await each.set_head(seq=5, hash=old.hash, signature=old.signature)
        told = "entry 7: missing, though a checkpoint vouched for it: the end was cut off"
        assert told in await each.faults(with_outside=False)
        # Its checkpoint in the store goes as well: the one outside tells.
        await each.run(delete(AuditCheckpoint).where(AuditCheckpoint.seq > 5))
        assert await each.faults(with_outside=False) == []
        assert await each.faults() == [told]


async def test_a_checkpoint_does_not_pass_as_an_end(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        found = {checkpoint.seq: checkpoint for checkpoint in await each.checkpoints()}
        await each.run(delete(AuditRow).where(AuditRow.seq > 4))
        await each.run(delete(AuditCheckpoint).where(AuditCheckpoint.seq > 4))
        await each.set_head(seq=4, hash=found[4].hash, signature=found[4].signature)
        (fault,) = await each.faults(with_outside=False)
        assert (
            fault == "the end of the chain, on record as entry 4, is not signed by any key of this deployment"
        )


async def test_checkpoints_that_are_no_longer_outside(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        lines = each.outside.read_bytes().splitlines(keepends=True)
        each.outside.write_bytes(lines[0])
        assert await each.faults() == ["checkpoints missing outside of the store: 1, the last at entry 7"]


@pytest.mark.parametrize("key", ["k1", "k2"])
async def test_an_end_signed_by_another_key(store_url: str, tmp_path: Path, key: str) -> None:
    async with chain(store_url, tmp_path) as each:
        rows = await each.rows()
        rows[-1]["details"] = forged(9)
        await each.replace(rows, relink=True)
        made = sign("head", ENTRIES, rows[-1]["hash"], *Keyring({key: b"2" * 32}).signing_key("audit"))
        await each.set_head(hash=made.hash, key=made.key, signature=made.signature)
        (fault,) = await each.faults(with_outside=False)
        assert "is not signed by any key of this deployment" in fault


@pytest.mark.parametrize(
    "values", [{"signature": ""}, {"signature": "not base64 !"}, {"key": ""}, {"hash": "0" * 64}, {"seq": 8}]
)
async def test_an_end_that_was_edited(store_url: str, tmp_path: Path, values: dict[str, Any]) -> None:
    async with chain(store_url, tmp_path) as each:
        await each.set_head(**values)
        assert await each.faults(with_outside=False)


async def test_an_end_that_is_gone(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        await each.run(delete(AuditHead))
        assert await each.faults(with_outside=False) == ["there is no end of the chain on record"]


async def test_a_chain_begun_anew(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        for table in (AuditRow, AuditCheckpoint):
            await each.run(delete(table))
        await each.set_head(seq=0, hash="0" * 64, key="", signature="")
        assert await each.faults(with_outside=False) == ["there is no end of the chain on record"]
        await each.audit.begin()
        assert len(await each.faults()) == 2  # both checkpoints outside miss their entries


@pytest.mark.parametrize("where", ["store", "outside"])
async def test_a_forged_checkpoint(store_url: str, tmp_path: Path, where: str) -> None:
    async with chain(store_url, tmp_path) as each:
        made = sign("checkpoint", 5, "f" * 64, *Keyring({"k1": b"2" * 32}).signing_key("audit"))
        if where == "store":
            async with each.store.write() as session:
                session.add(
                    AuditCheckpoint(seq=5, hash=made.hash, at_us=1, key=made.key, signature=made.signature)
                )
            faults = await each.faults(with_outside=False)
        else:
            faults = await each.audit.verify([made])
        assert faults == ["the checkpoint at entry 5 is not signed by any key of this deployment"]


async def test_a_key_that_was_rotated_still_vouches(store_url: str, tmp_path: Path) -> None:
    from tests.api.audit.chains import Chain

    async with chain(store_url, tmp_path) as each:
        rotated = Chain(each.store, each.outside, Keyring({**KEYS, "k2": b"2" * 32}))
        each.store.before_commit.pop(0)  # the old process has ended
        await rotated.tell(10)
        await rotated.audit.checkpoint(each.outside)
        assert await rotated.faults() == []
        assert (await rotated.head())["key"] == "k2"
        gone = Chain(each.store, each.outside, Keyring({"k2": b"2" * 32}))
        assert [fault for fault in await gone.faults() if "entry 4 is not signed" in fault]


def test_a_signature_is_of_what_it_stands_beside() -> None:
    from api.audit.chain import is_signed

    key_id, key = Keyring(KEYS).signing_key("audit")
    made = sign("head", 3, "a" * 64, key_id, key)
    public = key.public_key()
    assert is_signed("head", made, public)
    assert not is_signed("checkpoint", made, public)
    assert not is_signed("head", Signed(4, made.hash, made.key, made.signature), public)
    assert not is_signed("head", Signed(3, "b" * 64, made.key, made.signature), public)
