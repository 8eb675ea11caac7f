"""Which time zone and which jurisdiction hold where, for players of whom neither they nor their events say.

A deployment says so in a file of places, YAML whose every part may be left out:

    jurisdictions:
      US-NV: {zone: America/Los_Angeles}
    brands:
      acme: {jurisdiction: CA-ON}
      acme-west: {jurisdiction: CA-BC, zone: America/Vancouver}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from detector.errors import SettingsError
from detector.events.instants import known_zones
from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Scalar, read_file, read_source, shorten
from detector.language.source import Mapping as Block

JURISDICTIONS: Mapping[str, str] = MappingProxyType(
    {
        # Where there are several zones, that of the largest city; a deployment may name another.
        "CA-ON": "America/Toronto",
        "CA-QC": "America/Toronto",
        "CA-BC": "America/Vancouver",
        "CA-AB": "America/Edmonton",
        "CA-MB": "America/Winnipeg",
        "CA-SK": "America/Regina",
        "CA-NS": "America/Halifax",
        "CA-NB": "America/Moncton",
        "CA-NL": "America/St_Johns",
        "CA-PE": "America/Halifax",
        "CA-YT": "America/Whitehorse",
        "CA-NT": "America/Yellowknife",
        "CA-NU": "America/Iqaluit",
        "GB": "Europe/London",
        "IE": "Europe/Dublin",
        "NL": "Europe/Amsterdam",
        "BE": "Europe/Brussels",
        "DE": "Europe/Berlin",
        "AT": "Europe/Vienna",
        "CH": "Europe/Zurich",
        "FR": "Europe/Paris",
        "ES": "Europe/Madrid",
        "PT": "Europe/Lisbon",
        "IT": "Europe/Rome",
        "MT": "Europe/Malta",
        "GI": "Europe/Gibraltar",
        "GR": "Europe/Athens",
        "DK": "Europe/Copenhagen",
        "SE": "Europe/Stockholm",
        "NO": "Europe/Oslo",
        "FI": "Europe/Helsinki",
        "EE": "Europe/Tallinn",
        "LV": "Europe/Riga",
        "LT": "Europe/Vilnius",
        "PL": "Europe/Warsaw",
        "CZ": "Europe/Prague",
        "SK": "Europe/Bratislava",
        "HU": "Europe/Budapest",
        "RO": "Europe/Bucharest",
        "BG": "Europe/Sofia",
        "HR": "Europe/Zagreb",
        "SI": "Europe/Ljubljana",
        "US-NJ": "America/New_York",
        "US-PA": "America/New_York",
        "US-MI": "America/Detroit",
        "US-WV": "America/New_York",
        "US-CT": "America/New_York",
        "US-DE": "America/New_York",
        "US-RI": "America/New_York",
    }
)
"""Jurisdiction → the zone that holds there unless a deployment says otherwise."""

_LONGEST = 128


class Places:
    """Zones and jurisdictions of brands, and zones of jurisdictions; UTC where nothing is known.

    Parameters
    ----------
    brands, jurisdictions
        Name → IANA zone. Jurisdictions given here are added to the built-in ones.
    homes
        Brand → its jurisdiction.
    default
        The jurisdiction of whoever has no other.

    Raises
    ------
    SettingsError
        For a zone or jurisdiction that is not known.
    """

    def __init__(
        self,
        brands: Mapping[str, str] | None = None,
        jurisdictions: Mapping[str, str] | None = None,
        homes: Mapping[str, str] | None = None,
        default: str | None = None,
    ) -> None:
        self.brands = dict(brands or {})
        self.jurisdictions = {**JURISDICTIONS, **(jurisdictions or {})}
        self.homes = dict(homes or {})
        self.default = default
        for name, zone in (*self.brands.items(), *self.jurisdictions.items()):
            if zone not in known_zones():
                raise SettingsError(f"{name}: {_no_zone(zone)}")
        for name, home in self.homes.items():
            if self._zone_in(home) is None:
                raise SettingsError(f"{name}: {_no_jurisdiction(home, self.jurisdictions)}")
        if default is not None and self._zone_in(default) is None:
            raise SettingsError(_no_jurisdiction(default, self.jurisdictions))

    def zone(self, brand: str | None, jurisdiction: str | None) -> str:
        """The zone of the brand, else of its jurisdiction, its brand's or the default one.

        The first that is known counts; UTC where none is.
        """
        found = self.brands.get(brand) if brand is not None else None
        if found is not None:
            return found
        home = self.homes.get(brand) if brand is not None else None
        return self._zone_in(jurisdiction) or self._zone_in(home) or self._zone_in(self.default) or "UTC"

    def jurisdiction(self, brand: str | None, jurisdiction: str | None) -> str | None:
        """The jurisdiction given, else the brand's, else the default; None where nothing says."""
        return jurisdiction or (self.homes.get(brand) if brand is not None else None) or self.default

    def _zone_in(self, jurisdiction: str | None) -> str | None:
        """The zone of a jurisdiction, or of the one it is a part of: DE for DE-BY."""
        while jurisdiction:
            zone = self.jurisdictions.get(jurisdiction)
            if zone is not None:
                return zone
            jurisdiction = jurisdiction.rpartition("-")[0]
        return None


def read_places(
    path: Path | None, default: str | None = None, brands: Mapping[str, str] | None = None
) -> Places:
    """The places of a deployment.

    Parameters
    ----------
    path
        A file of places, if there is one.
    default
        As for `Places`.
    brands
        Zones of brands, where they are given without a file.

    Raises
    ------
    SettingsError
        The file cannot be used; the message names line and column of the first finding.
    """
    if path is None:
        return Places(brands, default=default)
    try:
        return _Reader().read(path, default)
    except Fault as fault:
        raise SettingsError(f"{path}:{fault.place.line}:{fault.place.column}: {fault.message}") from None


class _Reader:
    def __init__(self) -> None:
        self.zones: dict[str, str] = {}
        self.brands: dict[str, str] = {}
        self.homes: dict[str, str] = {}

    def read(self, path: Path, default: str | None) -> Places:
        root = read_source(read_file(path), "places")
        parts = _members(root, ("jurisdictions", "brands"))
        # Jurisdictions first, wherever they stand: brands name them.
        for name, node in _named(parts.get("jurisdictions")):
            zone = _members(node, ("zone",)).get("zone")
            if zone is None:
                raise Fault(node.place, "a jurisdiction needs its `zone`")
            self.zones[name.text] = _zone(zone)
        known = {**JURISDICTIONS, **self.zones}
        for name, node in _named(parts.get("brands")):
            members = _members(node, ("jurisdiction", "zone"))
            if not members:
                raise Fault(node.place, "a brand needs its `jurisdiction`, its `zone`, or both")
            if "zone" in members:
                self.brands[name.text] = _zone(members["zone"])
            if "jurisdiction" in members:
                home = _text(members["jurisdiction"])
                if home.text not in known:
                    raise Fault(home.place, _no_jurisdiction(home.text, known))
                self.homes[name.text] = home.text
        return Places(self.brands, self.zones, self.homes, default)


def _named(node: Node | None) -> list[tuple[Scalar, Node]]:
    if node is None:
        return []
    entries = list(_block(node))
    for name, _ in entries:
        if not 0 < len(name.text) <= _LONGEST:
            raise Fault(name.place, f"a name has 1 to {_LONGEST} characters")
    return entries


def _members(node: Node, known: tuple[str, ...]) -> dict[str, Node]:
    for key, _ in _block(node):
        if key.text not in known:
            near = suggestion(key.text, known) or f"; there are {' and '.join(known)}"
            raise Fault(key.place, f'unknown key "{shorten(key.text)}"{near}')
    return {key.text: value for key, value in _block(node)}


def _block(node: Node) -> Block:
    if not isinstance(node, Block):
        raise Fault(node.place, "keys with values are needed here, such as {zone: Europe/London}")
    return node


def _text(node: Node) -> Scalar:
    if not isinstance(node, Scalar) or node.is_null:
        raise Fault(node.place, "a single value is needed here")
    return node


def _zone(node: Node) -> str:
    text = _text(node)
    if text.text not in known_zones():
        raise Fault(text.place, _no_zone(text.text))
    return text.text


def _no_zone(zone: str) -> str:
    near = suggestion(zone, known_zones()) or "; use an IANA name, such as America/Toronto"
    return f'"{shorten(zone)}" is no time zone{near}'


def _no_jurisdiction(name: str, known: Mapping[str, str]) -> str:
    near = suggestion(name, known) or "; name it with its zone in the file of places"
    return f'"{shorten(name)}" is no known jurisdiction{near}'
