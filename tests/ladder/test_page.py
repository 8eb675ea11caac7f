"""What docs/interventions.md shows is so."""

from __future__ import annotations

from typing import get_args

import msgspec

from api.interventions.schemas import Outcome, Reason, State
from detector.ladder.interventions import Intervention, interventions
from detector.ladder.load import LADDERS
from tests.docs.markdown import document
from tests.ladder.samples import TEN, Told

PAGE = document("docs/interventions.md")


def test_the_intervention_shown_is_the_one_of_its_alert() -> None:
    (block,) = [block for block in PAGE.blocks if block.language == "json"]
    shown = msgspec.json.decode(block.text.encode(), type=Intervention)
    assert list(msgspec.json.decode(block.text)) == list(Intervention.__struct_fields__)
    alert = Told(id=shown.alert, response="L3")
    assert shown in interventions(alert, "CA-ON", TEN, LADDERS.packaged)
    (call,) = [block.text for block in PAGE.blocks if block.language == "sh"]
    assert f"/v1/interventions/{shown.id}/acknowledge" in call


def test_every_key_is_told() -> None:
    told = {name.strip(" `") for row in PAGE.table("| key |") for name in row[0].split(",")}
    assert told == set(Intervention.__struct_fields__)


def test_outcomes_states_and_reasons_are_told() -> None:
    assert tuple(row[0].strip("`") for row in PAGE.table("| `outcome` |")) == get_args(Outcome)
    assert tuple(row[0].strip("`") for row in PAGE.table("| `state` |")) == get_args(State)
    assert set(get_args(Reason)) <= set(PAGE.codes)
