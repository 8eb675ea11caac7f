"""Which time zone holds where, for players whose profile does not say."""

from __future__ import annotations

from collections.abc import Mapping

from detector.errors import SettingsError
from detector.events.instants import known_zones

JURISDICTIONS: Mapping[str, str] = {
    # The largest city of each province; a deployment may name others.
    "CA-ON": "America/Toronto",
    "CA-QC": "America/Montreal",
    "CA-BC": "America/Vancouver",
    "CA-AB": "America/Edmonton",
    "CA-MB": "America/Winnipeg",
    "CA-SK": "America/Regina",
    "CA-NS": "America/Halifax",
    "CA-NB": "America/Moncton",
    "CA-NL": "America/St_Johns",
    "CA-PE": "America/Halifax",
    "GB": "Europe/London",
    "NL": "Europe/Amsterdam",
    "ES": "Europe/Madrid",
    "DE": "Europe/Berlin",
    "SE": "Europe/Stockholm",
    "DK": "Europe/Copenhagen",
    "BE": "Europe/Brussels",
    "FR": "Europe/Paris",
}


class Places:
    """Zones of brands and jurisdictions; UTC where neither is known.

    Parameters
    ----------
    brands, jurisdictions
        Name → IANA zone. Jurisdictions given here are added to the built-in ones. SettingsError for a zone
        that is not known.
    """

    def __init__(
        self, brands: Mapping[str, str] | None = None, jurisdictions: Mapping[str, str] | None = None
    ) -> None:
        self.brands = dict(brands or {})
        self.jurisdictions = {**JURISDICTIONS, **(jurisdictions or {})}
        for name, zone in (*self.brands.items(), *self.jurisdictions.items()):
            if zone not in known_zones():
                raise SettingsError(
                    f"{name}: {zone!r} is no time zone; use an IANA name, such as America/Toronto"
                )

    def zone(self, brand: str | None, jurisdiction: str | None) -> str:
        """The brand's zone, else the jurisdiction's, else UTC."""
        found = self.brands.get(brand) if brand is not None else None
        if found is None and jurisdiction is not None:
            found = self.jurisdictions.get(jurisdiction)
        return found or "UTC"
