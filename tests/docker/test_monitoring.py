"""Alarms and the dashboard ask for metrics that there are, and lead to what helps."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.deployment import DOCKER, read_yaml, services
from tests.docker.metrics import asked_for, told
from tests.docs.markdown import Document, document

PROMETHEUS = DOCKER / "prometheus"
ALERTS = read_yaml(PROMETHEUS / "alerts.yml")
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
SCRAPED = {each["job_name"]: each for each in read_yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana/dashboards/tiltwatch.json").read_text("utf-8"))

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


@each_rule
def test_an_alarm_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    assert asked_for(rule["expr"]) <= told().keys()
    assert asked_for(rule["expr"]) or re.search(r"\bup\{", rule["expr"])
    for job in re.findall(r'job="([^"]+)"', rule["expr"]):
        assert job in SCRAPED


@each_rule
def test_an_alarm_says_how_grave_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in document(page).anchors


@each_rule
def test_an_alarm_stands_where_it_leads(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    for section in re.split(r"^(?=## )", document(page).text, flags=re.MULTILINE)[1:]:
        if Document(Path(), section).anchors == {anchor}:
            assert f"`{rule['alert']}`" in section
            return
    raise AssertionError(f"no section {anchor}")


def test_alarms_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


def test_everything_that_has_metrics_is_asked() -> None:
    targets = {
        target
        for each in SCRAPED.values()
        for config in each["static_configs"]
        for target in config["targets"]
    }
    workers = {f"{name}:9464" for name, each in services().items() if each.get("command") == ["worker"]}
    assert targets == {"api:8420", "localhost:9090"} | workers
    key = SCRAPED["tiltwatch-api"]["authorization"]["credentials_file"]
    assert key in services()["metrics-key"]["command"][-1]
    assert "keys:/keys:ro" in services()["prometheus"]["volumes"]
    assert "watch" in services()["prometheus"]["networks"]
    for target in targets - {"localhost:9090"}:
        assert "watch" in services()[target.partition(":")[0]]["networks"]


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    asked = set().union(*map(asked_for, expressions()))
    assert asked <= told().keys()
    # What a worker tells is all to be seen.
    assert {name for name, of in told().items() if of == "worker"} <= asked


def test_the_dashboard_is_whole() -> None:
    source = read_yaml(DOCKER / "grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]
            assert panel["targets"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = read_yaml(DOCKER / "grafana/provisioning/dashboards/tiltwatch.yml")["providers"]
    grafana = services()["grafana"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/tiltwatch.json"


def test_alarms_fire_when_they_should() -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("no promtool, which comes with Prometheus; Debian's package `prometheus` has it")
    here = Path(__file__).parent
    checked = subprocess.run(
        [tool, "check", "rules", PROMETHEUS / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = subprocess.run(
        [tool, "test", "rules", "alarms.yml"], cwd=here, capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
