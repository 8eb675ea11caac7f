"""The examples of env files: every name is a setting, every value one that it takes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.kafka.connecting import connection_of, inputs_of
from api.settings import PREFIX, Settings, read_settings
from detector.events.money import Currencies
from tests.docker.deployment import DOCKER, example, offered, ours, services

NAMES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
FILE = "tiltwatch.env"


def test_every_name_is_a_setting() -> None:
    set_somewhere = {name for each in ours().values() for name in each.get("environment", {})}
    named = example(FILE).keys() | offered(FILE).keys() | set_somewhere
    assert {name for name in named if name not in NAMES} == set()
    in_image = re.findall(rf"\b{PREFIX}[A-Z_]+", (DOCKER / "Dockerfile").read_text("utf-8"))
    assert set(in_image) <= NAMES


def test_every_setting_of_kafka_and_workers_is_there() -> None:
    telling = ("KAFKA", "WORKER_PORT", "CHECKPOINT_S", "SESSION_S", "MERGE_WAIT_S")
    wanted = {name for name in NAMES if name.removeprefix(PREFIX).startswith(telling)}
    # For stand-ins of brokers, which have no place in a deployment.
    assert wanted - {f"{PREFIX}KAFKA_CHECK_CRCS"} <= example(FILE).keys() | offered(FILE).keys()


@pytest.mark.parametrize("also", [False, True], ids=["as it is", "with all that it offers"])
def test_its_values_are_taken(also: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = example(FILE) | (offered(FILE) if also else {})
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    connection = connection_of(settings)
    assert connection is not None
    assert connection.servers == ("kafka:9092",)
    if not also:
        assert inputs_of(settings, Currencies()).keys() == {"rg.events"}


def test_hosts_are_containers() -> None:
    chosen = example(FILE)
    hosts = {
        chosen["TILTWATCH_KAFKA"].partition(":")[0],
        *(
            urlsplit(chosen[f"TILTWATCH_{name}"]).hostname
            for name in ("REDIS_URL", "DATABASE_URL", "PUBLIC_URL")
        ),
    }
    assert hosts == {"kafka", "redis", "postgres", "api"}
    assert hosts <= services().keys()


def test_the_database_is_the_one_that_is_made() -> None:
    made, url = example("postgres.env"), urlsplit(example(FILE)["TILTWATCH_DATABASE_URL"])
    assert (url.username, url.password) == (made["POSTGRES_USER"], made["POSTGRES_PASSWORD"])
    assert url.path == f"/{made['POSTGRES_DB']}"
    check = services()["postgres"]["healthcheck"]["test"]
    assert check[check.index("--username") + 1] == made["POSTGRES_USER"]
    assert check[check.index("--dbname") + 1] == made["POSTGRES_DB"]


@pytest.mark.parametrize("path", sorted(DOCKER.glob("*.example")), ids=lambda path: str(path.name))
def test_no_example_holds_a_secret(path: Path) -> None:
    for name, value in example(path.name.removesuffix(".example")).items():
        if re.search("PASSWORD|SECRET|KEY", name):
            assert value == "CHANGE", name
    # And what is made of it is in no repository.
    assert "/*.env" in (DOCKER / ".gitignore").read_text("utf-8").split()
