"""From an event to a confirmed referral, over real HTTP, on each database, with the back office killed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from api.backoffice.running import back_office
from api.embedded import Embedded
from api.processes import beside
from api.qa import account, referral, scenario
from api.qa.running import Row, do
from api.qa.scene import Scene
from api.qa.system import dead_letters, parts, system
from api.settings import Settings
from tests.api.demo.sender import until

_detected = scenario.PARTS["account"].index(account.alert_on_what_is_left)
SENT, FOUND = scenario.PARTS["account"][:_detected], scenario.PARTS["account"][_detected:]
ASKED = (referral.press_help, referral.see_the_prompt, referral.agree)
ANSWERED = (
    referral.reach_the_partner,
    referral.show_the_link,
    referral.hear_that_the_player_was_reached,
    referral.withdraw,
    referral.refuse,
)


def failed(rows: list[Row]) -> dict[str, str]:
    return {row.what: f"{row.expected} != {row.seen}" for row in rows if not row.passed}


async def passes(made: Scene, *names: str) -> None:
    rows = await scenario.play(made, lambda _: None, {name: scenario.PARTS[name] for name in names})
    assert failed(rows) == {}


class Offices:
    """The back office of a deployment: killed, and another in its place."""

    def __init__(self, settings: Settings, running: Embedded, stack: ExitStack) -> None:
        self._settings = settings
        self._redis_url = running.redis_url
        self._stack = stack
        self._process = running.back_office

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def open(self) -> None:
        self._process = self._stack.enter_context(beside(back_office, self._settings, self._redis_url))


async def test_a_referral_arrives_once_and_is_confirmed_whenever_the_back_office_dies(store_url: str) -> None:
    # A trainer takes seconds to begin, and nothing here is about it.
    with parts(database_url=store_url, learn=False) as (settings, running), ExitStack() as stack:
        offices = Offices(settings, running, stack)
        async with (
            system(settings, running) as found,
            scenario.scene(
                found.url,
                found.keys,
                patience_s=60,
                dead_letters=lambda: dead_letters(running.redis_url),
            ) as made,
        ):
            await passes(made, "opening")
            # Nobody is there to take over what the detector finds meanwhile.
            offices.kill()
            assert failed(await do("account", SENT, made, lambda _: None)) == {}
            offices.open()
            assert failed(await do("account", FOUND, made, lambda _: None)) == {}
            await passes(made, "desk")

            # The organisation has the message, and we never learn of it.
            await made.aid.practise(mood="slow", slow_s=120)
            assert failed(await do("referral", ASKED, made, lambda _: None)) == {}

            async def received() -> Any:
                return (await made.aid.look())["counts"].get("referral.created")

            await until(received)
            offices.kill()
            await made.aid.practise(mood="normal")
            offices.open()
            assert failed(await do("referral", ANSWERED, made, lambda _: None)) == {}
            await passes(made, "proof")
            counts = (await made.aid.look())["counts"]
    # What was on its way came again, under the same id, and was counted once.
    assert counts["referral.created"] == 1
    assert counts["repeated"] >= 1
    assert counts["referral.withdrawn"] == 1
