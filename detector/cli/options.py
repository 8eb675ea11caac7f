"""Options that several commands share."""

from __future__ import annotations

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


def read_currencies(text: str) -> Currencies:
    """ISO 4217 and those of a JSON object such as {"BTC": 8}; SettingsError if it is none."""
    try:
        return Currencies(msgspec.json.decode(text or "{}", type=dict[str, int]))
    except msgspec.DecodeError:
        raise SettingsError('the own currencies are a JSON object such as {"BTC": 8}') from None
