"""Options that several commands share: what a deployment chooses, by the names its settings have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from detector.errors import SettingsError
from detector.events.money import Currencies

OwnCurrencies = Annotated[
    str,
    typer.Option(
        "--currencies",
        envvar="TILTWATCH_CURRENCIES",
        help="The deployment's own currencies with their decimals, as JSON.",
    ),
]
RatesFile = Annotated[
    Path | None,
    typer.Option(
        "--rates", envvar="TILTWATCH_RATES_FILE", help="Dated exchange rates: CSV date,from,to,rate."
    ),
]
PlacesFile = Annotated[
    Path | None,
    typer.Option(
        "--places", envvar="TILTWATCH_PLACES_FILE", help="Brands and jurisdictions with their zones: YAML."
    ),
]
DefaultJurisdiction = Annotated[
    str | None,
    typer.Option(
        "--jurisdiction",
        envvar="TILTWATCH_JURISDICTION",
        help="Where players are of whom nothing says it; their local time is UTC if left out.",
    ),
]


def read_currencies(text: str) -> Currencies:
    """ISO 4217 and those of a JSON object such as {"BTC": 8}; SettingsError if it is none."""
    try:
        return Currencies(msgspec.json.decode(text or "{}", type=dict[str, int]))
    except msgspec.DecodeError:
        raise SettingsError('the own currencies are a JSON object such as {"BTC": 8}') from None
