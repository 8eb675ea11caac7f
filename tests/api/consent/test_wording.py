"""Texts are locked, plain, calm, and the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.consent import phrases, wording
from api.consent.lock import locked
from api.consent.signposts import signposts
from api.consent.wording import LANGUAGES, PLACEHOLDERS, TEXTS, Text, Told, every_text, in_force, show
from detector.errors import StateError

each_text = pytest.mark.parametrize("text", every_text(), ids=lambda each: f"{each.name} {each.language}")

LONGEST_SENTENCE = {"en": 24, "fr": 27}
"""Words; French needs more of them."""
LONGEST_MEAN_WORD = {"en": 4.6, "fr": 5.1}
EASE = {"en": 70, "fr": 70}

HARD = re.compile(
    r"addict|compuls|disorder|diagnos|problem|pathol|risk|harm|should|must|fault|shame|never again"
    r"|dépendan|trouble|problème|malad|risque|devez|faut|faute|honte|danger",
    re.IGNORECASE,
)


def words_of(text: Text) -> list[str]:
    words = text.words
    return [words.title, *words.body, words.agree, words.refuse, words.withdraw]


def sentences(text: Text) -> list[str]:
    return [each for part in words_of(text) for each in re.split(r"(?<=[.?!;:])\s+", part) if each]


def tokens(sentence: str) -> list[str]:
    return re.findall(r"[\w’'-]+", re.sub(r"\{\w+\}", "X", sentence))


def syllables(word: str) -> int:
    # A word's groups of vowels, one less for a silent e at the end.
    groups = re.findall(r"[aeiouyàâéèêëîïôùûü]+", word.lower())
    silent = word.lower().endswith("e") and len(groups) > 1
    return max(1, len(groups) - silent)


@each_text
def test_sentences_are_short_and_words_are_plain(text: Text) -> None:
    said = [tokens(each) for each in sentences(text)]
    assert max(map(len, said)) <= LONGEST_SENTENCE[text.language]
    words = [word for each in said for word in each]
    assert sum(map(len, words)) / len(words) <= LONGEST_MEAN_WORD[text.language]
    assert len(" ".join(words_of(text))) <= 1_000


@each_text
def test_reading_is_easy(text: Text) -> None:
    said = [tokens(each) for each in sentences(text)]
    words = [word for each in said for word in each]
    per_sentence, per_word = len(words) / len(said), sum(map(syllables, words)) / len(words)
    if text.language == "en":  # Flesch
        ease = 206.835 - 1.015 * per_sentence - 84.6 * per_word
    else:  # Kandel and Moles, for French
        ease = 207 - 1.015 * per_sentence - 73.6 * per_word
    assert ease >= EASE[text.language]


@each_text
def test_nobody_is_blamed_or_labelled(text: Text) -> None:
    assert HARD.search(" ".join(words_of(text))) is None


def test_the_same_holds_for_what_is_told_later() -> None:
    for told in (phrases.STATES, phrases.OUTCOMES):
        for language in LANGUAGES:
            for sentence in told[language].values():
                assert HARD.search(sentence) is None
                assert set(re.findall(r"\{(\w+)\}", sentence)) <= {"partner"}
        assert told["en"].keys() == told["fr"].keys()


@pytest.mark.parametrize("text_id", TEXTS)
def test_both_languages_say_the_same(text_id: wording.TextId) -> None:
    en, fr = (in_force(text_id, language) for language in LANGUAGES)
    assert wording.placeholders(en.words) == wording.placeholders(fr.words)
    assert {"partner", "until", "withdraw"} <= wording.placeholders(en.words) <= PLACEHOLDERS
    assert len(en.words.body) == len(fr.words.body)
    for name in wording.Sent.__struct_fields__:
        one, other = getattr(en.words.sent, name), getattr(fr.words.sent, name)
        assert type(one) is type(other), name
        if isinstance(one, dict):
            assert one.keys() == other.keys()


def test_the_lock_knows_every_version() -> None:
    texts = every_text()
    assert {each.id for each in texts} == set(TEXTS)
    for text_id in TEXTS:
        versions = sorted({each.version for each in texts if each.id == text_id})
        assert versions == list(range(1, len(versions) + 1))


def test_a_changed_text_is_not_loaded_and_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in Path(str(wording.FOLDER)).glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(wording, "FOLDER", tmp_path)
    monkeypatch.setattr(wording, "LOCK", tmp_path / "lock.json")
    before = {each.name: {each.language: each.hash} for each in wording.read_texts()}
    changed = tmp_path / "outcome.yml"
    changed.write_text(changed.read_text("utf-8").replace("Yes, they may tell you", "Yes"), "utf-8")
    every_text.cache_clear()
    try:
        with pytest.raises(StateError, match=r"outcome@1 \(en\) is not what its lock says"):
            every_text()
        hashes = {
            each.name: {each.language: each.hash} for each in wording.read_texts() if each.language == "en"
        }
        assert hashes["outcome@1"] != before["outcome@1"]
        import msgspec

        with pytest.raises(StateError, match="give it a new version"):
            locked(msgspec.json.decode((tmp_path / "lock.json").read_bytes()))
    finally:
        every_text.cache_clear()


def test_only_what_is_sent_is_said_to_be() -> None:
    text = in_force("referral", "en")
    told = Told("X", 0, "urgent", (), contact=False)
    said = " ".join(show(text, told).body)
    assert "as soon as they can" in said
    assert "that it is about" not in said
    assert "contact details" not in said
    more = " ".join(show(text, Told("X", 0, "soon", ("money", "time", "contact"), contact=True)).body)
    assert "that it is about money, time and something you told us" in more
    assert "locked so that only they can read them" in more


def test_a_name_with_braces_stays_a_name() -> None:
    shown = show(in_force("referral", "en"), Told("{sent} & {until}", 0, "soon", (), contact=False))
    assert shown.title == "Would you like {sent} & {until} to help you?"


def test_whatever_is_filled_in_is_in_the_hash() -> None:
    text = in_force("referral", "en")
    told = Told("X", 0, "soon", ("money",), contact=True)
    others = [
        Told("Y", 0, "soon", ("money",), contact=True),
        Told("X", 86_400_000_000, "soon", ("money",), contact=True),
        Told("X", 0, "urgent", ("money",), contact=True),
        Told("X", 0, "soon", ("time",), contact=True),
        Told("X", 0, "soon", ("money",), contact=False),
    ]
    hashes = {show(text, each).hash for each in (told, *others)}
    assert len(hashes) == 6


def test_there_is_always_somewhere_to_turn() -> None:
    assert [each.phone for each in signposts("CA-ON", "en")] == ["1-866-531-2600", None, None]
    for language in LANGUAGES:
        for place in ("CA-ON", "CA-QC", "XX", None):
            assert all(each.what for each in signposts(place, language))
            assert signposts(place, language)
