"""What the CloudEvents SDK for JavaScript makes of events is taken in, in every mode it has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from detector.events.bindings import decode_kafka
from detector.events.decode import Decoder
from detector.events.money import Currencies
from tests.contract.taking import EVENTS, plain, take_http

VECTORS = Path(__file__).with_name("vectors")
MADE: list[dict[str, Any]] = json.loads((VECTORS / "javascript.json").read_text("utf-8"))


def test_every_event_has_its_messages() -> None:
    assert len(MADE) == len(EVENTS)


@pytest.mark.parametrize("mode", ["http_binary", "http_structured"])
def test_http(mode: str) -> None:
    for event, messages in zip(EVENTS, MADE, strict=True):
        message = messages[mode]
        assert take_http(message["headers"], message["body"].encode()) == [plain(event)]


def test_http_batch() -> None:
    # The SDK reads batches but has no way to write one; an array of its events is one.
    body = ",".join(messages["http_structured"]["body"] for messages in MADE)
    taken = take_http({"content-type": "application/cloudevents-batch+json"}, f"[{body}]".encode())
    assert taken == [plain(event) for event in EVENTS]


@pytest.mark.parametrize("mode", ["kafka_binary", "kafka_structured"])
def test_kafka(mode: str) -> None:
    for event, messages in zip(EVENTS, MADE, strict=True):
        message = messages[mode]
        headers: list[tuple[str, bytes | None]] = [
            (name, value.encode()) for name, value in message["headers"].items()
        ]
        taken = decode_kafka(
            Decoder(Currencies()), headers, message["value"].encode(), message["key"].encode()
        )
        assert taken == plain(event)


def test_the_messages_are_what_the_sdk_makes() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the committed messages are tried alone")
    environment = {"PATH": os.environ.get("PATH", ""), "NODE_PATH": os.environ.get("NODE_PATH", "")}
    command = [node, str(VECTORS / "make_javascript.mjs")]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    if "Cannot find module 'cloudevents'" in made.stderr:
        pytest.skip("the npm package cloudevents is not installed (tests/contract/vectors/README.md)")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == MADE
