"""What storms on Kafka share."""

from __future__ import annotations

import pytest

from tests.brokers import RealBroker
from tests.kafka.storming import PARTITIONS


@pytest.fixture
def real(real_kafka: RealBroker) -> RealBroker:
    """A Kafka with topics of twelve partitions."""
    real_kafka.create_ours(partitions=PARTITIONS)
    return real_kafka
