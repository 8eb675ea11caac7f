"""The index beside a segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.archive import index
from api.archive.index import frame_of, player_hash
from api.archive.segments import Damaged, append, packed
from tests.drivers.small import NOON_US, event


def written(folder: Path, frames: int = 4) -> tuple[Path, int]:
    """A segment with its index, and its length: in frame n are p0 and pn."""
    path = folder / "2026-01-01.jsonl.zst"
    length = 0
    for n in range(frames):
        times = [NOON_US + n * 1_000_000, NOON_US - n * 1_000_000]
        frame = packed([event(f"a{n}", times[0], "p0"), event(f"b{n}", times[1], f"p{n}")])
        append(path, length, frame)
        index.append(path, frame_of(length, len(frame), times, ["p0", f"p{n}", ""]))
        length += len(frame)
    return path, length


def test_it_says_who_is_where_and_when(tmp_path: Path) -> None:
    path, length = written(tmp_path)
    found = index.read(path, length)
    assert [frame.events for frame in found] == [2, 2, 2, 2]
    assert [frame.has(player_hash("p0")) for frame in found] == [True] * 4
    assert [frame.has(player_hash("p2")) for frame in found] == [False, False, True, False]
    assert (found[3].min_us, found[3].max_us) == (NOON_US - 3_000_000, NOON_US + 3_000_000)
    assert found[-1].offset + found[-1].length == length


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "flipped", "foreign", "longer"])
def test_it_can_be_made_anew(tmp_path: Path, harm: str) -> None:
    path, length = written(tmp_path)
    told = index.index_path(path)
    whole, data = index.read(path, length), bytearray(told.read_bytes())
    if harm == "gone":
        told.unlink()
    elif harm == "flipped":
        for place in range(0, len(data), 37):
            data[place] ^= 4
            told.write_bytes(data)
            assert index.read(path, length) == whole
            data[place] ^= 4
        data[40] ^= 4
        told.write_bytes(data)
    else:
        others = {"empty": b"", "cut": data[:-9], "foreign": b"x" * 500, "longer": data + data}
        told.write_bytes(bytes(others[harm]))
    assert index.read(path, length) == whole
    index.mend(path, length)
    assert told.read_bytes() == b"".join(map(index.record, whole))


def test_what_is_not_committed_is_not_told(tmp_path: Path) -> None:
    path, length = written(tmp_path)
    two = index.read(path, length)[2].offset
    assert len(index.read(path, two)) == 2


def test_a_segment_that_is_damaged_has_no_index(tmp_path: Path) -> None:
    path, length = written(tmp_path)
    index.index_path(path).unlink()
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged):
        index.read(path, length)
    path.write_bytes(data[:10])
    with pytest.raises(Damaged):
        index.read(path, length)
