"""A log that goes wrong in every way which the splitting of lines between workers has to bear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random

from detector.simulator import Config, events


def spoilt_log(count: int, seed: int = 5) -> Iterator[bytes]:
    """Simulated lines, late by hours, repeated and broken, oddly spelt; ticks and conflicts between."""
    dice = Random(seed)
    config = Config(
        players=10,
        events=count,
        seed=seed,
        troubled=0.8,
        repeats=0.03,
        late=0.1,
        late_by=timedelta(hours=3),
        corrupt=0.02,
        corrections=0.03,
    )
    for line in events(config):
        draw = dice.random()
        yield from _spelt(line, draw) if draw < 0.2 else (line,)


def _spelt(line: bytes, draw: float) -> Iterator[bytes]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("player"), str):
        yield line
        return
    player, way = event["player"], int(draw * 100)
    if way == 0:
        yield json.dumps(event).encode()
    elif way == 1:
        yield json.dumps(event).replace('"player":', ' "player"  :').encode() + b"\r"
    elif way == 2:
        yield line.replace(b'"player"', b'"pl\\u0061yer"')
    elif way == 3:
        yield line.replace(player.encode(), b"\\u%04x" % ord(player[0]) + player[1:].encode())
    elif way == 4:
        yield json.dumps({"about": {"player": "somebody else"}, **event}).encode()
    elif way == 5:
        yield json.dumps({**event, "note": 'not the "player":"p1" of old', "player": player}).encode()
    elif way == 6:
        yield line[:-1] + b',"player":"twice"}'
        yield line
    elif way == 7:
        yield json.dumps({**event, "brand": "another"}).encode()
        yield line
    elif way == 8:
        yield json.dumps(
            {"type": "tick", "id": f"t{event['id']}", "source": "sim", "ts": event["ts"]}
        ).encode()
        yield line
    elif way == 9:
        yield json.dumps({"type": "tick", "ts": event["ts"], "player": player, "wrong": 1}).encode()
        yield line
    elif way == 10:
        yield from (b"", b"   ", b"null", b'{"player":"p1"', b"\xff\xfe", b'{"player":"tick"}', line)
    elif way == 11:
        yield line.replace(b'"' + player.encode() + b'"', b'"tick"')
    elif way == 12:
        yield line.replace(b'"brand"', b'"\\"player"')
    else:
        yield line
