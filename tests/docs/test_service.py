"""What the documentation says of the service: its closed sets and its times."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from api.alerts.schemas import Stage
from api.audit.tables import AuditRow
from api.consent.schemas import NoReferral
from api.consent.wording import TEXTS
from api.demo.aid.organisation import Mood
from api.interventions.schemas import State
from api.referrals.protocol import DonationCreated, HelpCreated, Status
from api.webhooks.retrying import SECOND_US, Options
from api.webhooks.schemas import Outcome
from tests.docs.markdown import document

SECONDS = {"s": 1, "min": 60, "h": 3600}


@pytest.mark.parametrize(
    ("page", "header", "known"),
    [
        ("desk", "| `state` | means |", get_args(Stage)),
        ("interventions", "| `state` | means |", get_args(State)),
        ("consent", "| text | asks |", TEXTS),
        ("consent", "| reason | who |", get_args(NoReferral)),
        ("sandbox", "| mood |", get_args(Mood)),
        ("audit", "| column |", [column.name for column in AuditRow.__table__.columns]),
        (
            "partner-protocol",
            "| field | what it is |",
            {*HelpCreated.__struct_fields__, *DonationCreated.__struct_fields__, "purpose"},
        ),
    ],
)
def test_tables_name_all_there_is_and_nothing_else(page: str, header: str, known: Any) -> None:
    told = [row[0].strip("`") for row in document(f"docs/{page}.md").table(header)]
    assert sorted(told) == sorted(known)


def test_pauses_between_tries_are_told() -> None:
    (told,) = re.findall(r"tried again after ([^.]*?), each up to", document("docs/webhooks.md").text)
    pauses = [
        int(number) * SECONDS[unit] * SECOND_US for number, unit in re.findall(r"(\d+) (s|min|h)\b", told)
    ]
    assert tuple(pauses) == Options().schedule_us


def test_what_may_become_of_an_attempt_is_told() -> None:
    (told,) = re.findall(r"^Outcomes of attempts: (.*?)\n\n", document("docs/webhooks.md").text, re.M | re.S)
    assert sorted(re.findall(r"`(\w+)`", told)) == sorted(get_args(Outcome))


def test_what_an_organisation_may_say_is_told() -> None:
    rows = dict(document("docs/partner-protocol.md").table("| field | |"))
    assert tuple(re.findall(r"`(\w+)`", rows["`status`"])) == get_args(Status)
