"""What docs/kafka.md says of topics and settings is so; of metrics, tests/docker says it."""

from __future__ import annotations

from api.settings import PREFIX, Settings
from detector.drivers.kafka.topics import EVENTS, specs
from tests.docs.markdown import document

PAGE = document("docs/kafka.md")
DAY_MS = 86_400_000


def test_topics_are_told() -> None:
    told = {row[0].strip("`"): row[1:4] for row in PAGE.table("| topic |")}
    wanted = {}
    for spec in specs("tiltwatch"):
        kept = spec.config.get("retention.ms")
        wanted[spec.name] = [
            "as inputs" if spec.partitions is None else str(spec.partitions),
            spec.cleanup,
            "the last one" if kept is None else f"{int(kept) // DAY_MS} days",
        ]
    assert told == wanted
    assert EVENTS in told


def test_settings_are_told_with_their_defaults() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in PAGE.table("| setting |")}
    beginnings = ("kafka", "worker_", "checkpoint_s", "session_s", "merge_wait_s")
    wanted = {}
    for name, field in Settings.model_fields.items():
        if name.startswith(beginnings) and name != "checkpoints_file":
            default = field.default
            written = str(default).lower() if isinstance(default, bool) else str(default)
            wanted[f"{PREFIX}{name.upper()}"] = "none" if default is None else written
    assert told == wanted
