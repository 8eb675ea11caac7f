"""The registry of models: what is in force when, and which files are read at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.book import Book, Entry
from models.errors import Frozen, ModelError, NotBetter, OtherVersion, RegistryError, UnknownArtefact
from models.learners import Learners
from models.registry import CHALLENGERS_KEPT, Registry
from models.report import Interval

BETTER = Interval(value=0.05, low=0.01, high=0.09)
MAYBE = Interval(value=0.05, low=-0.01, high=0.11)


def card(number: int) -> bytes:
    return Learners(["deposits"]).scorecard(["deposits"], "cat", [], seed=number, review_share=0.0).to_json()


def in_force(registry: Registry, at_us: int) -> int | None:
    found = registry.in_force(at_us)
    return None if found is None else found.seed


def register(registry: Registry, number: int, at_us: int = 0) -> Entry:
    return registry.register(
        card(number),
        pickle.dumps(number),
        kind="logistic",
        features=["deposits"],
        catalogue="cat",
        at_us=at_us,
        by="key:ann",
        metrics={"roc_auc": 0.7},
    )


def promote(registry: Registry, entry: Entry, at_us: int, gain: Interval | None = BETTER) -> Entry:
    return registry.promote(entry.id, gain, by="key:ann", at_us=at_us)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_the_scorecard_in_force_is_that_of_the_players_clock(registry: Registry) -> None:
    one, two = register(registry, 1), register(registry, 2)
    assert registry.in_force(10**18) is None
    promote(registry, one, 100, None)
    promote(registry, two, 200)
    assert registry.in_force(99) is None
    assert in_force(registry, 100) == in_force(registry, 199) == 1
    assert in_force(registry, 200) == 2
    assert [each.role for each in registry.book().entries] == ["retired", "champion"]


def test_a_challenger_that_may_be_no_better_stays_one_unless_somebody_says_why(registry: Registry) -> None:
    one, two = register(registry, 1), register(registry, 2)
    promote(registry, one, 100, None)
    with pytest.raises(NotBetter, match=r"as low as -0\.0100"):
        promote(registry, two, 200, MAYBE)
    with pytest.raises(NotBetter, match="not compared"):
        promote(registry, two, 200, None)
    with pytest.raises(NotBetter, match="too few players came to harm while both spoke; wait"):
        promote(registry, two, 200, Interval(value=0.9, low=None, high=None))
    assert registry.champion() == registry.entry(one.id)
    registry.promote(two.id, MAYBE, by="key:ann", at_us=200, forced="the first reads a feature that is gone")
    change = registry.book().history[-1]
    assert (change.what, change.gain) == ("promoted", MAYBE)
    assert change.why == "forced: the first reads a feature that is gone"


def test_nothing_is_promoted_while_frozen_but_what_was_before_can_be_put_back(registry: Registry) -> None:
    one, two, three = (register(registry, number) for number in (1, 2, 3))
    promote(registry, one, 100, None)
    promote(registry, two, 200)
    registry.freeze("an audit", by="key:ann", at_us=210)
    with pytest.raises(Frozen, match="an audit"):
        registry.promote(three.id, BETTER, by="key:ann", at_us=220, forced="in a hurry")
    assert registry.rollback("it flagged half of everybody", by="key:bob", at_us=230).id == one.id
    assert in_force(registry, 229) == 2, "what was, was"
    assert in_force(registry, 230) == 1
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        registry.rollback("further", by="key:bob", at_us=240)
    registry.unfreeze("the audit is over", by="key:ann", at_us=250)
    promote(registry, three, 260)
    assert [each.what for each in registry.book().history] == [
        *["registered"] * 3,
        *["promoted"] * 2,
        "frozen",
        "rolled_back",
        "unfrozen",
        "promoted",
    ]


def test_the_past_is_not_rewritten(registry: Registry) -> None:
    one, two = register(registry, 1), register(registry, 2)
    promote(registry, one, 100, None)
    with pytest.raises(RegistryError, match="began at 100"):
        registry.promote(two.id, BETTER, by="key:ann", at_us=300, effective_from_us=50)
    assert in_force(registry, 200) == 1


def test_a_scorecard_is_registered_once(registry: Registry) -> None:
    assert register(registry, 1) == register(registry, 1, at_us=5)
    assert len(registry.book().entries) == 1


def test_a_scorecard_that_was_changed_is_neither_read_nor_put_in_force(registry: Registry) -> None:
    one = register(registry, 1)
    path = registry.folder / "cards" / f"{one.card_sha256}.json"
    path.write_bytes(card(9))
    with pytest.raises(UnknownArtefact, match="its hash is another"):
        registry.card(one.id)
    with pytest.raises(UnknownArtefact):
        promote(registry, one, 100, None)
    assert registry.champion() is None


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_a_state_that_is_not_the_one_written_is_never_unpickled(registry: Registry, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    one = register(registry, 1)
    registry.checkpoint(pickle.dumps("a trainer"), 5)
    for path in (registry.folder / "states").iterdir():
        path.write_bytes(pickle.dumps(Trap(sprung)))
    for id_ in (one.id, None):
        with pytest.raises(UnknownArtefact, match="its hash is another"):
            registry.load_state(pickle.loads, id_)
    with pytest.raises(UnknownArtefact, match="knows no model"):
        registry.load_state(pickle.loads, "0" * 16)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap works"


def test_a_state_of_another_river_is_refused_before_it_is_read(registry: Registry) -> None:
    one = register(registry, 1)
    registry.checkpoint(pickle.dumps("a trainer"), 5)
    path = registry.folder / "registry.json"
    book = msgspec.json.decode(path.read_bytes(), type=Book)
    assert book.checkpoint is not None
    older = msgspec.structs.replace(
        book,
        entries=[msgspec.structs.replace(one, river="0.1")],
        checkpoint=msgspec.structs.replace(book.checkpoint, river="0.1"),
    )
    path.write_bytes(msgspec.json.encode(older))

    def never(_: bytes) -> None:
        raise AssertionError("it was read")

    for id_ in (one.id, None):
        with pytest.raises(OtherVersion, match=r"river 0\.1"):
            registry.load_state(never, id_)


def test_of_checkpoints_the_latest_is_kept_and_states_of_entries_stay(registry: Registry) -> None:
    assert registry.load_state(pickle.loads) is None
    one = register(registry, 1)
    for number in range(3):
        registry.checkpoint(pickle.dumps(f"trainer {number}"), number)
    assert registry.load_state(pickle.loads) == "trainer 2"
    assert registry.load_state(pickle.loads, one.id) == 1
    assert len(list((registry.folder / "states").iterdir())) == 2


def test_one_writes_at_a_time(registry: Registry) -> None:
    with registry._writing(), pytest.raises(RegistryError, match="somebody else"):
        register(Registry(registry.folder), 1)
    register(registry, 1)


def test_a_registry_that_cannot_be_read_says_so(registry: Registry) -> None:
    (registry.folder / "registry.json").write_bytes(b'{"entries": 5}')
    with pytest.raises(ModelError, match=r"registry\.json: not a registry: .*entries"):
        registry.book()


def test_a_crash_amid_writing_leaves_the_old_registry(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry, 1)
    before = registry.book()

    def torn(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", torn)
    with pytest.raises(RegistryError, match="No space left"):
        register(registry, 2)
    monkeypatch.undo()
    assert registry.book() == before
    assert not list(registry.folder.rglob("*.part"))


def test_nobody_else_may_look_into_the_folder(registry: Registry) -> None:
    register(registry, 1)
    for path in (registry.folder, *registry.folder.rglob("*")):
        if path.name != "registry.lock":
            assert path.stat().st_mode & 0o077 == 0, path


def test_old_challengers_that_were_never_in_force_keep_their_scorecard_alone(registry: Registry) -> None:
    first = register(registry, 0)
    promote(registry, first, 100, None)
    later = [register(registry, number) for number in range(1, CHALLENGERS_KEPT + 2)]
    registry.checkpoint(b"latest", 200)
    assert registry.load_state(bytes, first.id) == pickle.dumps(0)
    assert registry.load_state(bytes, later[1].id) == pickle.dumps(2)
    assert registry.card(later[0].id) == card(1)
    with pytest.raises(UnknownArtefact, match="never in force"):
        registry.load_state(bytes, later[0].id)
