"""The scenario: which steps there are, in which order."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from api.access.roles import Role
from api.demo.aid.running import Plan
from api.demo.client import client
from api.demo.neighbour import neighbour
from api.demo.receiver import receiver
from api.qa import account, desk, opening, proof, referral
from api.qa.running import Row, Step, do
from api.qa.scene import PATIENCE_S, Scene

PARTS: Mapping[str, Sequence[Step]] = {
    "opening": (
        opening.answer_at_all,
        opening.enter_the_partner,
        opening.open_the_platforms_endpoint,
    ),
    "account": (
        account.open_accounts,
        account.play_normally,
        account.send_a_deposit_twice,
        account.contradict_it,
        account.keep_what_was_refused,
        account.take_back,
        account.fail_and_reconcile,
        account.alert_on_what_is_left,
        account.read_the_timeline,
        account.say_words_of_distress,
        account.leave_the_normal_one_alone,
    ),
    "desk": (
        desk.find_it_in_the_queue,
        desk.take_it,
        desk.tell_the_platform,
        desk.carry_it_out,
        desk.keep_marketing_away,
        desk.act,
        desk.act_once,
        desk.judge,
        desk.leave_nothing_undone,
    ),
    "referral": (
        referral.press_help,
        referral.see_the_prompt,
        referral.refuse_other_words,
        referral.agree,
        referral.reach_the_partner,
        referral.show_the_link,
        referral.hear_that_the_player_was_reached,
        referral.refuse_a_forged_report,
        referral.withdraw,
        referral.refuse,
    ),
    "proof": (
        proof.give_nothing_away,
        proof.deliver_everything,
        proof.tell_what_was_done,
        proof.verify_the_chain,
    ),
}
INSIDE: frozenset[Step] = frozenset((account.keep_what_was_refused,))
"""Steps that look into Redis, which only the system that we started ourselves lets us."""


@asynccontextmanager
async def scene(
    url: str,
    keys: Mapping[Role, str],
    *,
    patience_s: float = PATIENCE_S,
    dead_letters: Callable[[], Awaitable[list[Mapping[str, str]]]] | None = None,
) -> AsyncIterator[Scene]:
    """Everybody who takes part, with names that no other run has."""
    async with (
        client(url, keys) as service,
        receiver() as platform,
        neighbour(Plan(service=url)) as aid,
    ):
        made = Scene(
            service, aid, platform, secrets.token_hex(4), patience_s=patience_s, dead_letters=dead_letters
        )
        try:
            yield made
        finally:
            await _leave(made)


async def play(
    made: Scene, tell: Callable[[Row], None], parts: Mapping[str, Sequence[Step]] = PARTS
) -> list[Row]:
    """Do every step there is; returns how each ended."""
    rows: list[Row] = []
    for part, steps in parts.items():
        possible = [each for each in steps if made.dead_letters is not None or each not in INSIDE]
        rows += await do(part, possible, made, tell)
    return rows


async def _leave(made: Scene) -> None:
    """Have the service send nothing more to those who are about to go."""
    kept: Any = made.kept_or_none("partner")
    endpoint = made.kept_or_none("platform's endpoint")
    if kept is not None:
        await made.service.post("admin", f"/v1/partners/{made.partner}/suspend")
    for each in (endpoint, None if kept is None else kept["endpoint"]):
        if each is not None:
            await made.service.post("admin", f"/v1/endpoints/{each}/disable")
