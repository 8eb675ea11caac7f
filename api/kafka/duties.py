"""What the back office does where workers on Kafka detect."""

from __future__ import annotations

from collections.abc import Sequence

from api.backoffice.lease import OfficeLease
from api.backoffice.office import Duty
from api.deployment import Deployment
from api.kafka.bridge import Copying
from api.kafka.connecting import connection_of, inputs_of
from api.kafka.copies import CopiesOfEffects, CopiesOfEvents
from api.kafka.keeping import KeepingStreams
from api.kafka.telling import telling_workers
from api.kafka.watching import WatchingScoring
from api.rules.workers_duty import RulesOfWorkers
from detector.events.money import Currencies

MOST_WAITING = 100_000
"""Events on the stream in Redis beyond which no more are copied: they wait in Kafka."""


def on_kafka(deployment: Deployment, lease: OfficeLease) -> Sequence[Duty]:
    """The duties; none where Redis carries the events.

    Raises
    ------
    TiltwatchError
        The inputs that the settings name cannot be read.
    """
    settings, line = deployment.settings, deployment.line
    connection = connection_of(settings)
    if connection is None or line is None:
        return []
    currencies = Currencies(settings.currencies)
    events = CopiesOfEvents(deployment.redis, inputs_of(settings, currencies), currencies, MOST_WAITING)
    return [
        Copying(deployment, lease, connection, "effects", CopiesOfEffects(settings)),
        Copying(deployment, lease, connection, "events", events),
        KeepingStreams(deployment),
        telling_workers(deployment, lease, line),
        RulesOfWorkers(deployment, lease),
        WatchingScoring(deployment, lease),
    ]
