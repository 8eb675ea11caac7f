"""What `/v1/audit` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class AuditQuery(BaseModel):
    """Which entries are asked for; every filter given must hold."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[
        str | None, Field(max_length=256, description="As the entry has it, such as `alert:…`.")
    ] = None
    action: Annotated[str | None, Field(max_length=64, description="Such as `key.issued`.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Written at this time or later.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Most entries in one answer.")] = 50
    cursor: Annotated[str | None, Field(max_length=64, description="`next_cursor` of the answer before.")] = (
        None
    )


class AuditEntry(BaseModel):
    """An entry of the chain."""

    seq: int
    at: str
    at_us: Annotated[int, Field(description="The same in µs since the epoch, as it is hashed.")]
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    """Entries, the newest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Verification(BaseModel):
    """The chain and the archive, gone through from beginning to end."""

    entries: Annotated[int, Field(description="The length of the chain as it is on record.")]
    checkpoints: Annotated[int, Field(description="Places that were vouched for, in the store or outside.")]
    faults: Annotated[list[str], Field(description="Everything that is wrong, in words; at most 1,000.")]
