"""The keyring: what is sealed opens in its place alone, and the file is nobody else's."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.keyring import Keyring, read_keyring
from detector.errors import SettingsError, StateError

OLD, NEW = b"1" * 32, b"2" * 32
PLAIN = b"a secret"


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    keyring = Keyring({"k1": OLD})
    sealed = keyring.seal("table.column:1", PLAIN)
    assert keyring.unseal("table.column:1", sealed) == PLAIN
    for context in ("table.column:2", "table.other:1", ""):
        with pytest.raises(StateError):
            keyring.unseal(context, sealed)


def test_a_fingerprint_is_this_keyrings_alone_and_outlives_a_rotation() -> None:
    keyring = Keyring({"k1": OLD})
    assert keyring.fingerprint(b"x") == Keyring({"k1": OLD, "k2": NEW}).fingerprint(b"x")
    assert keyring.fingerprint(b"x") != Keyring({"k1": NEW}).fingerprint(b"x")
    assert keyring.fingerprint(b"x") != keyring.fingerprint(b"y")


def test_sealing_twice_gives_two_texts() -> None:
    keyring = Keyring({"k1": OLD})
    assert keyring.seal("c", PLAIN) != keyring.seal("c", PLAIN)


def test_one_changed_letter_is_noticed() -> None:
    keyring = Keyring({"k1": OLD})
    sealed = keyring.seal("c", PLAIN)
    for place in range(len(sealed)):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(StateError):
            keyring.unseal("c", changed)
    for rubbish in ("", "k1", "k1.", "k1.AAAA", "k1.!!!"):
        with pytest.raises(StateError):
            keyring.unseal("c", rubbish)


def test_the_message_says_nothing_of_the_secret() -> None:
    with pytest.raises(StateError) as raised:
        Keyring({"k1": NEW}).unseal(
            "table.column:row-7", Keyring({"k1": OLD}).seal("table.column:row-7", PLAIN)
        )
    assert str(raised.value) == "a secret in the store cannot be opened: table.column"


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    before, after = Keyring({"k1": OLD}), Keyring({"k1": OLD, "k2": NEW})
    sealed = before.seal("c", PLAIN)
    assert after.unseal("c", sealed) == PLAIN
    assert after.seal("c", PLAIN).startswith("k2.")
    with pytest.raises(StateError, match="no key 'k1'"):
        Keyring({"k2": NEW}).unseal("c", sealed)


def test_pseudonyms_outlive_a_rotation() -> None:
    before, after = Keyring({"k1": OLD}), Keyring({"k1": OLD, "k2": NEW})
    assert before.pseudonym("p1") == after.pseudonym("p1")
    assert before.pseudonym("p1") != before.pseudonym("p2")
    assert before.pseudonym("p1") != Keyring({"k2": NEW}).pseudonym("p1")
    assert len(before.pseudonym("p1")) == 27


def test_each_purpose_has_a_key_of_its_own() -> None:
    keyring = Keyring({"k1": OLD, "k2": NEW})
    keys = [
        keyring.signing_key(purpose, key_id)[1].private_bytes_raw()
        for purpose in ("audit", "webhooks")
        for key_id in ("k1", "k2")
    ]
    assert len(set(keys)) == 4
    assert keyring.signing_key("audit")[0] == "k2"
    with pytest.raises(StateError):
        keyring.signing_key("audit", "k3")


# The file


def test_one_is_made_that_nobody_else_can_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keyring.json"
    made = read_keyring(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_keyring(path).unseal("c", made.seal("c", PLAIN)) == PLAIN
    assert list(path.parent.iterdir()) == [path]


def test_many_that_start_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read_keyring(tmp_path / "keyring.json"), range(8)))
    assert len({keyring.pseudonym("p") for keyring in found}) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_one_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    read_keyring(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="is open to others"):
        read_keyring(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "rubbish",
        "[]",
        '{"keys": []}',
        '{"keys": [{"id": "k1"}]}',
        '{"keys": [{"id": "k1", "secret": "!!!"}]}',
        '{"keys": [{"id": "k1", "secret": "c2hvcnQ="}]}',
        json.dumps({"keys": [{"id": "k.1", "secret": "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="}]}),
        json.dumps({"keys": [{"id": "", "secret": "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="}]}),
    ],
)
def test_one_that_is_spoilt_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError) as raised:
        read_keyring(path)
    assert "\n" not in str(raised.value)
    assert "MTEx" not in str(raised.value)


def test_two_keys_of_one_id_are_refused(tmp_path: Path) -> None:
    key = {"id": "k1", "secret": "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="}
    path = tmp_path / "keyring.json"
    path.write_text(json.dumps({"keys": [key, key]}))
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="twice"):
        read_keyring(path)


def test_one_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        read_keyring(tmp_path / "file" / "keyring.json")
