"""What the demonstration is started with, and what it says."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from api.demo.company import demonstration
from api.settings import Settings
from detector.bench.service import COMMAND
from detector.errors import SettingsError


@pytest.mark.parametrize("name", ["redis_url", "database_url"])
def test_it_never_touches_a_real_deployment(tmp_path: Path, name: str) -> None:
    url = {"redis_url": "redis://example", "database_url": "sqlite:///real.db"}[name]
    with pytest.raises(SettingsError, match="must not mix with real ones"):
        demonstration(Settings.model_validate({name: url}), tmp_path, quiet=True)


def test_what_it_keeps_lies_in_its_own_folder_and_no_mail_is_sent(tmp_path: Path) -> None:
    real = Settings.model_validate(
        {
            "data_dir": "real",
            "keyring_file": "real/keyring.json",
            "checkpoints_file": "real/checkpoints.jsonl",
            "archive_dir": "real/archive",
            "smtp_url": "smtp://mail.example",
            "port": 0,
        }
    )
    found = demonstration(real, tmp_path, quiet=False)
    kept = (found.data_dir, found.keyring_file, found.checkpoints_file, found.archive_dir, found.smtp_url)
    assert kept == (tmp_path, None, None, None, None)
    assert found.port
    assert found.public_url == f"http://127.0.0.1:{found.port}"
    assert found.log_level == real.log_level


def test_it_says_which_pages_to_open_and_they_open(tmp_path: Path) -> None:
    own = {"TILTWATCH_PORT": "0", "TILTWATCH_DATA_DIR": str(tmp_path / "untouched")}
    command: list[str | Path] = [COMMAND, "run", "--demo"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **own}
    ) as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C stops it" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()
            said += line
        links = re.findall(r"http://\S+", said)
        answers = [httpx.get(link, timeout=60) for link in links]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert [(answer.status_code, answer.url.path) for answer in answers] == [
        (200, "/v1/alerts"),
        (200, "/v1/reports/alerts-without-action"),
        (200, "/"),
        (200, "/docs"),
    ]
    told = base64.b64decode(answers[0].request.headers["authorization"].split()[1]).decode()
    assert told.startswith("agent:tw_")
    assert not (tmp_path / "untouched").exists()


def test_a_plain_start_says_how_to_issue_the_first_key(tmp_path: Path) -> None:
    own = {"TILTWATCH_PORT": "0", "TILTWATCH_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(
        [COMMAND, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **own}
    ) as process:
        assert process.stdout is not None
        said = ""
        while "keys issue" not in said:
            line = process.stdout.readline()
            assert line, process.communicate()
            said += line
        address = said.split("alerts   ")[1].split("/v1")[0]
        issued = subprocess.run(
            [COMMAND, "keys", "issue", "agent", "night desk"],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            check=True,
        )
        key = issued.stdout.strip()
        answer = httpx.get(f"{address}/v1/alerts", headers={"authorization": f"Bearer {key}"})
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert answer.status_code == 200
    assert process.returncode == 0
