"""Brokers with all topics for every test that asks for some."""

from __future__ import annotations

import pytest

from tests.brokers import Broker


@pytest.fixture
def kafka(kafka: Broker) -> Broker:
    """Brokers with all topics of ours, and one of a platform's own."""
    kafka.create_ours("platform.payments")
    return kafka
