"""One node of Apache Kafka, as it is started to measure or to test on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

NEEDS_JAVA = 17


def java_version() -> int:
    """Of which version the Java on the path is, 0 where there is none."""
    if shutil.which("java") is None:
        return 0
    told = subprocess.run(
        ["java", "-XshowSettings:properties", "-version"],  # noqa: S607  (the Java on the path)
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", told.stderr)
    return 0 if found is None else int(found[1])


def java(jars: Path, heap_mb: int) -> list[str]:
    """The command that runs a class of Kafka's jars, up to the class."""
    return [
        "java",
        f"-Xmx{heap_mb}m",
        "-XX:-UsePerfData",  # which it would leave behind when it is killed
        "-cp",
        f"{jars.absolute()}/*",
    ]


def settings(data: Path, port: int, control: int) -> dict[str, object]:
    """The settings of a node alone on loopback, which makes no topic that nobody asked for."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{control}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }


def write_settings(path: Path, told: dict[str, object]) -> None:
    """Write settings as Kafka reads them."""
    path.write_text("".join(f"{name}={value}\n" for name, value in told.items()))
