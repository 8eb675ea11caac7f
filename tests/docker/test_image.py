"""The Dockerfile, by rules of our own: no daemon is needed to see that an image would run as root."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.docker.deployment import DOCKER, ours

ROOT = DOCKER.parent
TEXT = (DOCKER / "Dockerfile").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """Every instruction with its arguments, lines joined and comments left out."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    last = max(place for place, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def ignored_but() -> list[str]:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_there_are_stages_and_their_bases_have_versions() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) > 1
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases), bases


def test_the_last_word_is_that_it_is_nobody() -> None:
    users = [rest for word, rest in final_stage() if word == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1]), "a number, which an orchestrator can check"
    after = [word for word, _ in final_stage()[[word for word, _ in final_stage()].index("USER") :]]
    assert not {"RUN", "COPY", "ADD"} & set(after)


def test_it_tells_its_health_and_has_one_entry_for_all_commands() -> None:
    words = dict(final_stage())
    assert json.loads(words["ENTRYPOINT"]) == ["tiltwatch"]
    assert "CMD" in words
    asked = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
    assert asked[:2] == ["python", "/opt/healthy.py"]


def test_what_is_copied_exists_and_gets_past_the_ignored() -> None:
    let_in = ignored_but()
    for word, rest in instructions():
        assert word != "ADD", "it unpacks and downloads"
        if word != "COPY" or rest.startswith("--from="):
            continue
        *sources, _ = shlex.split(rest)
        for source in sources:
            assert (ROOT / source).exists(), source
            assert source in let_in, source
    assert all((ROOT / each).exists() for each in let_in)


def test_nothing_is_installed_whose_hash_is_not_on_file() -> None:
    installs = [
        each.strip()
        for word, rest in instructions()
        if word == "RUN"
        for each in rest.split("&&")
        if re.match(r"\s*pip\b.* install ", each)
    ]
    assert installs
    for each in installs:
        assert "--require-hashes" in each or "--no-deps ." in each, each
    assert not any(
        re.search(r"\b(apt|apk|curl|wget)\b", rest) for word, rest in instructions() if word == "RUN"
    )


def test_the_final_stage_builds_and_downloads_nothing() -> None:
    for word, rest in final_stage():
        if word == "RUN":
            assert not re.search(r"\bpip\b[^&]* install |gcc|make\b", rest), rest


def test_no_secret_is_baked_in() -> None:
    assert not any(word == "ARG" for word, _ in instructions())
    for word, rest in instructions():
        if word == "ENV":
            assert not re.search("PASSWORD|SECRET|TOKEN|KEY", rest)


def test_volumes_lie_where_the_image_has_folders_of_its_user() -> None:
    made = re.findall(r"install --directory --owner tiltwatch .*?--mode \d+ (\S+)", TEXT)
    targets = {volume.split(":")[1] for each in ours().values() for volume in each.get("volumes", [])}
    assert targets == set(made)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_is_what_the_address_says(status: int, code: int) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/healthz"
        asked = subprocess.run([sys.executable, DOCKER / "healthy.py", url], check=False, timeout=20)
        assert asked.returncode == code


def test_health_of_what_is_not_there() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}/healthz"
    asked = subprocess.run([sys.executable, DOCKER / "healthy.py", url], check=False, timeout=20)
    assert asked.returncode == 1
