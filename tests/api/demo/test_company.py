"""What the demonstration is started with, and what it says."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def run(until: str, *arguments: str, **settings: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What `tiltwatch run` says up to a word, and its environment; ended by Ctrl-C, in order."""
    environment = {**os.environ, "TILTWATCH_PORT": "0", **settings}
    command: list[str | Path] = [COMMAND, "run", *arguments]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = ""
            while until not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield said, environment
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            finally:
                process.kill()
        errors.seek(0)
        told = errors.read()
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_it_says_which_pages_to_open_and_they_open(tmp_path: Path) -> None:
    untouched = tmp_path / "untouched"
    with run("Ctrl-C stops it", "--demo", TILTWATCH_DATA_DIR=str(untouched)) as (said, _):
        answers = [httpx.get(link, timeout=60) for link in re.findall(r"http://\S+", said)]
    assert [(answer.status_code, answer.url.path) for answer in answers] == [
        (200, "/v1/alerts"),
        (200, "/v1/reports/alerts-without-action"),
        (200, "/"),
        (200, "/docs"),
    ]
    told = base64.b64decode(answers[0].request.headers["authorization"].split()[1]).decode()
    assert told.startswith("agent:tw_")
    assert not untouched.exists()


def test_a_plain_start_says_how_to_issue_the_first_key(tmp_path: Path) -> None:
    # A trainer takes seconds to begin; the demonstration above has one.
    with run("keys issue", TILTWATCH_DATA_DIR=str(tmp_path), TILTWATCH_LEARN="false") as (said, environment):
        address = said.split("alerts   ")[1].split("/v1")[0]
        issued = subprocess.run(
            [COMMAND, "keys", "issue", "agent", "night desk"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        headers = {"authorization": f"Bearer {issued.stdout.strip()}"}
        answer = httpx.get(f"{address}/v1/alerts", headers=headers, timeout=60)
    assert answer.status_code == 200
