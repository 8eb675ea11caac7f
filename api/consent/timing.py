"""For how long things hold, and how often somebody is asked: this project's own proposals, all of them."""

from __future__ import annotations

from collections.abc import Mapping

from api.referrals.protocol import Purpose
from detector.events.instants import DAY_US, HOUR_US

PROMPT_US = 72 * HOUR_US
"""A question nobody answered in three days is taken away: an old one comes at a bad time."""

CONSENT_US: Mapping[Purpose, int] = {"help": 60 * DAY_US, "donation": 30 * DAY_US}
"""How long a yes counts, from the question on: several tries to get in touch take weeks, not months; for a
gift a link is all there is to wait for."""

AFTER_NO_US = 30 * DAY_US
"""How long agents leave somebody alone who has said no."""

BETWEEN_OFFERS_US = 7 * DAY_US
"""How long they do after having asked at all, whatever came of it."""
