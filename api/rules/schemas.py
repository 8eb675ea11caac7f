"""What `/v1/rules` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SetId = Annotated[str, Field(pattern=r"^rs_[0-9a-f]{32}$")]


class RunningRule(BaseModel):
    """A rule that runs."""

    id: str
    version: int
    status: str
    title: str
    category: str
    audience: str
    severity: str
    respond: dict[str, str]
    why: str
    sources: list[str]
    params: dict[str, dict[str, str]]


class Running(BaseModel):
    """The set that the detector runs."""

    set: str
    effective_from: Annotated[
        str | None, Field(description="The event time from which it judges; null: from the beginning.")
    ]
    since: Annotated[str, Field(description="Since when, by the detector's clock.")]
    rules: list[RunningRule]


class Refused(BaseModel):
    """A set that was asked for and did not come into force; the one before goes on."""

    set: str
    why: Annotated[
        Literal["changed", "unusable"],
        Field(description="The files were changed after they were checked, or cannot run."),
    ]


class WorkerRules(BaseModel):
    """What a worker says of the rules it runs."""

    worker: str
    state: Literal["recovering", "running", "stopping"]
    set: Annotated[str | None, Field(description="Null: its partitions differ at this moment.")]
    said_at: str


class RulesInForce(BaseModel):
    """The rules that are in force, those that lie in the folder, and what is in between."""

    running: Annotated[Running | None, Field(description="Null: no detector has run here yet.")]
    wanted: Annotated[str | None, Field(description="Asked for, and not yet taken up.")]
    refused: Refused | None
    on_disk: Annotated[str | None, Field(description="The set in the folder; null: it cannot be read.")]
    workers: Annotated[
        list[WorkerRules],
        Field(description="The workers on Kafka that are at work; only where there are any."),
    ] = []


class Activation(BaseModel):
    """Which set is to come into force."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"set": "rs_0123456789abcdef0123456789abcdef"}]}
    )

    set: Annotated[
        SetId | None,
        Field(description="As `on_disk` names it; another one is refused. None: whatever lies there."),
    ] = None


class Activated(BaseModel):
    """What was asked for; `running` where it was in force already."""

    set: str
    state: Literal["wanted", "running"]


class ActivatedOnWorkers(Activated):
    """The same in front of Kafka, where each partition changes over when it comes to the event time given."""

    effective_from: str
    waiting_for: Annotated[
        list[str],
        Field(description="Workers that do not run it everywhere yet; empty too while none is there."),
    ] = []
