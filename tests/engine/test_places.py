"""Which zone holds where, and what a file of places may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.engine.places import JURISDICTIONS, Places, read_places
from detector.errors import SettingsError
from detector.events.instants import known_zones

FILE = """\
# Three brands in two provinces.
brands:
  acme: {jurisdiction: CA-ON}
  acme-west: {jurisdiction: CA-BC, zone: America/Edmonton}
  "no": {zone: Europe/Oslo}
jurisdictions:
  CA-BC: {zone: America/Vancouver}
  US-NV: {zone: America/Los_Angeles}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "places.yml"


def read(path: Path, text: str, default: str | None = None) -> Places:
    path.write_text(text, "utf-8")
    return read_places(path, default)


def test_known_jurisdictions_have_zones_and_ontario_comes_first() -> None:
    assert set(JURISDICTIONS.values()) <= known_zones()
    assert next(iter(JURISDICTIONS)) == "CA-ON"
    provinces = ["ON", "QC", "BC", "AB", "MB", "SK", "NS", "NB", "NL", "PE", "YT", "NT", "NU"]
    assert {f"CA-{each}" for each in provinces} | {"GB", "NL", "ES", "DE"} <= JURISDICTIONS.keys()


@pytest.mark.parametrize(
    ("brand", "jurisdiction", "zone"),
    [
        (None, None, "UTC"),
        (None, "CA-ON", "America/Toronto"),
        (None, "XX", "UTC"),
        (None, "", "UTC"),
        (None, "US-NV", "America/Los_Angeles"),
        (None, "DE-BY", "Europe/Berlin"),
        (None, "CA", "UTC"),
        ("acme", None, "America/Toronto"),
        ("acme", "CA-BC", "America/Vancouver"),
        ("acme", "XX", "America/Toronto"),
        ("acme-west", None, "America/Edmonton"),
        ("acme-west", "CA-ON", "America/Edmonton"),
        ("no", "CA-ON", "Europe/Oslo"),
        ("other", "GB", "Europe/London"),
    ],
)
def test_the_brand_comes_first_then_the_jurisdiction(
    path: Path, brand: str | None, jurisdiction: str | None, zone: str
) -> None:
    places = read(path, FILE)
    assert places.zone(brand, jurisdiction) == zone


@pytest.mark.parametrize(
    ("brand", "jurisdiction", "zone"),
    [
        (None, None, "Europe/Amsterdam"),
        (None, "XX", "Europe/Amsterdam"),
        (None, "GB", "Europe/London"),
        ("acme", "XX", "America/Toronto"),
        ("other", None, "Europe/Amsterdam"),
    ],
)
def test_a_default_takes_the_place_of_utc(
    path: Path, brand: str | None, jurisdiction: str | None, zone: str
) -> None:
    assert read(path, FILE, "NL").zone(brand, jurisdiction) == zone


def test_whose_jurisdiction_it_is(path: Path) -> None:
    places = read(path, FILE, "NL")
    assert places.jurisdiction("acme", "GB") == "GB"
    assert places.jurisdiction("acme", None) == "CA-ON"
    assert places.jurisdiction("no", None) == "NL"
    assert Places().jurisdiction("acme", None) is None


def test_a_default_may_be_one_of_the_file(path: Path) -> None:
    assert read(path, FILE, "US-NV").zone(None, None) == "America/Los_Angeles"
    assert read_places(None, "CA-NL").zone(None, None) == "America/St_Johns"


def test_brands_may_have_zones_without_a_file() -> None:
    assert read_places(None, None, {"acme": "Europe/Oslo"}).zone("acme", "GB") == "Europe/Oslo"


@pytest.mark.parametrize("default", ["CA-OM", "XX", "", "ca-on"])
def test_a_default_must_be_known(default: str) -> None:
    with pytest.raises(SettingsError, match="is no known jurisdiction"):
        read_places(None, default)


def test_a_part_may_be_left_out(path: Path) -> None:
    assert read(path, "brands: {acme: {zone: Europe/Oslo}}\n").zone("acme", None) == "Europe/Oslo"
    assert read(path, "jurisdictions: {}\n").zone(None, "GB") == "Europe/London"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "1:1", "mapping"),
        ("- acme\n", "1:1", "mapping"),
        ("brand:\n  acme: {zone: UTC}\n", "1:1", 'did you mean "brands"'),
        ("brands: [acme]\n", "1:9", "keys with values"),
        ("brands:\n  acme: CA-ON\n", "2:9", "keys with values"),
        ("brands:\n  acme: {}\n", "2:9", "needs its `jurisdiction`"),
        ("brands:\n  acme: {zones: UTC}\n", "2:10", 'did you mean "zone"'),
        ("brands:\n  acme: {zone: America/Tronto}\n", "2:16", 'did you mean "America/Toronto"'),
        ("brands:\n  acme: {zone: }\n", "2:15", "a single value"),
        ("brands:\n  acme: {zone: [UTC]}\n", "2:16", "a single value"),
        ("brands:\n  acme:\n    jurisdiction: CA-OM\n", "3:19", 'did you mean "CA-'),
        ("brands:\n  acme: {zone: UTC}\n  acme: {zone: UTC}\n", "3:3", "comes twice"),
        ("jurisdictions:\n  CA-ON: {}\n", "2:10", "needs its `zone`"),
        ("jurisdictions:\n  CA-ON: {zone: Mars/Olympus}\n", "2:17", "is no time zone"),
        ('jurisdictions:\n  "": {zone: UTC}\n', "2:3", "1 to 128"),
        ("brands: &a {}\n", "1:9", "anchors"),
        ("brands:\n\tacme: {}\n", "2:1", "tab"),
        ("brands: {\n", "2:1", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: Path, text: str, place: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(path, text)
    assert re.match(rf"{re.escape(str(path))}:{place}: ", str(caught.value)), str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"places\.yml:1:1: no such file"):
        read_places(path)
