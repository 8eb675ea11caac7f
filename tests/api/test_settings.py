from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from api.cli import app
from api.settings import PREFIX, Settings, is_loopback, read_settings
from detector.errors import SettingsError


def test_every_setting_says_what_it_is_for() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_defaults_stay_on_this_machine() -> None:
    settings = read_settings({})
    assert settings.host == "127.0.0.1"
    assert settings.redis_url is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_hosts(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILTWATCH_HOST", host)
    assert read_settings().host == host
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "192.0.2.7", "localhost.example.com", "", "::ffff:1.2.3.4"]
)
def test_other_hosts_need_to_be_allowed(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^TILTWATCH_HOST: |TILTWATCH_ALLOW_REMOTE"):
        read_settings({}, host=host)
    assert not is_loopback(host)


def test_a_host_may_be_opened_on_purpose() -> None:
    assert read_settings({}, host="0.0.0.0", allow_remote=True).host == "0.0.0.0"


def test_an_unknown_setting_is_told_with_a_suggestion() -> None:
    with pytest.raises(
        SettingsError, match="TILTWATCH_REDIS_ULR is no setting; did you mean TILTWATCH_REDIS_URL"
    ):
        read_settings({"TILTWATCH_REDIS_ULR": "redis://:secret@host", "PATH": ""})


@pytest.mark.parametrize("name", ["TILTWATCH_PORT", "TILTWATCH_CURRENCIES"])
def test_a_wrong_value_is_told_but_not_repeated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert str(caught.value).startswith(f"{name}: Input should be")
    assert "s3cret" not in str(caught.value)


def test_values_of_the_command_line_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILTWATCH_PORT", "1111")
    monkeypatch.setenv("TILTWATCH_CURRENCIES", '{"BTC": 8}')
    settings = read_settings(port=2222, host=None)
    assert (settings.port, settings.host, settings.currencies) == (2222, "127.0.0.1", {"BTC": 8})


def test_the_redis_url_does_not_show_its_password() -> None:
    assert "secret" not in repr(read_settings({}, redis_url="redis://:secret@host"))


@pytest.mark.parametrize(
    "own", ['{"btc": 8}', '{"BTC": -1}', '{"BTC": 19}', '{"CAD": 3}', '{"BTC": "x"}', '{"BTC": 8.5}', "[8]"]
)
def test_own_currencies_are_checked_at_once(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILTWATCH_CURRENCIES", own)
    with pytest.raises(SettingsError, match=r"^TILTWATCH_CURRENCIES: "):
        read_settings()


def test_zones_of_brands_stand_in_one_place() -> None:
    with pytest.raises(SettingsError, match="TILTWATCH_BRAND_ZONES goes into the file"):
        read_settings({}, places_file=Path("places.yml"), brand_zones={"acme": "Europe/Oslo"})


def options(command: Any) -> Iterator[Any]:
    for below in getattr(command, "commands", {}).values():
        yield from options(below)
    yield from command.params


def test_options_that_read_the_environment_read_settings() -> None:
    names = {param.envvar for param in options(typer.main.get_command(app)) if param.envvar}
    assert names == {
        f"{PREFIX}{each}" for each in ("CURRENCIES", "RATES_FILE", "PLACES_FILE", "JURISDICTION")
    }
    assert names <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
