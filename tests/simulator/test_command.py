"""`tiltwatch simulate` as somebody types it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
import zstandard
from typer.testing import CliRunner

from detector.cli import simulate
from detector.cli.simulate import command
from detector.errors import InputError, SettingsError
from detector.simulator import Config, Truth, events

app = typer.Typer()
app.command()(command)
SMALL = ["--players", "20", "--days", "10"]
EXPECTED = b"".join(line + b"\n" for line in events(Config(players=20, days=10)))


def run(*arguments: str) -> bytes:
    result = CliRunner().invoke(app, [*SMALL, *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout_bytes


def test_standard_output() -> None:
    assert run() == EXPECTED


def test_files_plain_and_compressed(tmp_path: Path) -> None:
    plain, packed, dense = (tmp_path / name for name in ("log.jsonl", "log.jsonl.gz", "log.jsonl.zst"))
    for path in (plain, packed, dense):
        assert run("--out", str(path)) == b""
    assert plain.read_bytes() == EXPECTED
    assert gzip.decompress(packed.read_bytes()) == EXPECTED
    assert zstandard.ZstdDecompressor().decompressobj().decompress(dense.read_bytes()) == EXPECTED
    before = packed.read_bytes()
    run("--out", str(packed))
    assert packed.read_bytes() == before


def test_truth_and_options(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    out = run(
        "--truth", str(path), "--troubled", "1", "--seed", "9", "--events", "5000", "--jurisdiction", "GB",
        "--start", "2026-03-01", "--repeats", "0.01", "--late", "0.01", "--late-by", "90",
        "--corrupt", "0.01", "--corrections", "0.01",
    )  # fmt: skip
    assert out.count(b"\n") == 5000
    assert b'"jurisdiction":"GB"' in out
    told = [msgspec.json.decode(line, type=Truth) for line in path.read_bytes().splitlines()]
    assert told
    assert all(each.joined >= "2026-03-01" for each in told)
    assert any(each.days for each in told)


@pytest.mark.parametrize("wrong", [["--corrupt", "2"], ["--start", "yesterday"], ["--late-by", "nan"]])
def test_a_wrong_value_is_one_clear_error(wrong: list[str]) -> None:
    with pytest.raises(SettingsError):
        run(*wrong)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        run("--out", str(tmp_path / "nowhere" / "log.jsonl"))


def test_a_log_that_is_broken_off_does_not_look_like_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(_: Config) -> Iterator[tuple[int, bytes]]:
        yield from ((number, b"{}") for number in range(100_000))
        raise KeyboardInterrupt

    path = tmp_path / "log.jsonl"
    path.write_bytes(b"the one before")
    monkeypatch.setattr(simulate, "arrivals", broken_off)
    with pytest.raises(KeyboardInterrupt):
        simulate._write_log(Config(), str(path))
    assert [each.name for each in tmp_path.iterdir()] == ["log.jsonl"]
    assert path.read_bytes() == b"the one before"
