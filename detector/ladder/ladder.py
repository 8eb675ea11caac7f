"""A ladder as loaded: for each jurisdiction what each level asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LADDER_FILE = "ladder.yml"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Rung:
    """What one level asks for.

    `actions` maps each action to its deadline in µs after the alert was opened. `expires_us` says how long
    what is automated holds (from L3 up, else None), `marketing_us` how long what suppresses does (from L2
    up).
    """

    level: str
    title: str
    actions: Mapping[str, int]
    expires_us: int | None
    marketing_us: int | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One jurisdiction's ladder, with what it has from the default filled in.

    `least` maps bands of the score to the level that an alert has at least; `again_us` is how long an action
    asked for is not asked for again; `within_us` what no deadline is longer than, where the law says so.
    """

    name: str
    rungs: Mapping[str, Rung]
    least: Mapping[str, str]
    again_us: int
    within_us: int | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """What every jurisdiction's levels ask for."""

    version: int
    jurisdictions: Mapping[str, Jurisdiction]
    path: str = ""
    behaviour: str = ""  # SHA-256 of everything but version, titles and sources

    def jurisdiction(self, name: str | None) -> Jurisdiction:
        """Return the ladder that holds in a jurisdiction: its own, its country's, or the default."""
        if name is not None:
            own = self.jurisdictions.get(name) or self.jurisdictions.get(name.partition("-")[0])
            if own is not None:
                return own
        return self.jurisdictions[DEFAULT]

    def level(self, respond: str, band: str | None, jurisdiction: str | None) -> str:
        """Return the level of an alert: its rule's, raised to the least for the player's band.

        Parameters
        ----------
        respond
            The level that the rule proposes.
        band
            The band of the player's score; None for an alert whose audience is not `risk`, which is never
            raised.
        """
        least = None if band is None else self.jurisdiction(jurisdiction).least.get(band)
        return respond if least is None else max(respond, least)
