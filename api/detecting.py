"""The detector as the settings describe it, with what it needs and nothing of HTTP."""

from __future__ import annotations

import threading

import structlog

from api.settings import Settings
from detector.drivers.detection import Detection
from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.rates import WatchedRates
from detector.drivers.rulesets import WatchedRules
from detector.drivers.streams import ARCHIVE
from detector.engine.places import Places, read_places
from detector.events.money import Currencies
from detector.language.pack import default_pack

log = structlog.get_logger()


def make_detector(settings: Settings, redis_url: str) -> EmbeddedDetector:
    """The detector that the settings describe.

    Raises
    ------
    TiltwatchError
        A rule, the score, the ladder, the rates, the places or a currency cannot be used.
    """
    currencies = Currencies(settings.currencies)
    folder = settings.rules_dir or default_pack()
    rules = WatchedRules(folder, currencies)
    watched, places = read_rates_and_places(settings, currencies)
    rates = None if watched is None else watched.rates
    options = Options(
        tick_every_s=settings.tick_every_s,
        alerts_kept=settings.alerts_kept,
        dead_kept=settings.dead_kept,
        interventions_kept=settings.interventions_kept,
        samples_kept=settings.samples_kept,
        intervene_within_s=settings.intervene_within_h * 3600,
        readers=(ARCHIVE,),
    )
    return EmbeddedDetector(
        redis_url,
        lambda: Detection.of(rules.set, currencies, rates, places, keep_samples=settings.learn).engine(
            keep_records=True, grace_us=settings.grace_s * 1_000_000
        ),
        currencies,
        options,
        rates=watched,
        rules=rules,
    )


def read_rates_and_places(settings: Settings, currencies: Currencies) -> tuple[WatchedRates | None, Places]:
    """The deployment's exchange rates and places; TiltwatchError where one cannot be used."""
    watched = None if settings.rates_file is None else WatchedRates(settings.rates_file, currencies)
    places = read_places(settings.places_file, settings.jurisdiction, settings.brand_zones)
    if settings.jurisdiction is None:
        log.info("no jurisdiction is set: the local time of players of unknown place is taken to be UTC")
    return watched, places


def detector(settings: Settings, redis_url: str, stop: threading.Event) -> None:
    """The part that `tiltwatch run` has beside it."""
    make_detector(settings, redis_url).run(stop)
