"""What may be asked of a player."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class RiskQuery(BaseModel):
    """For whom the score is to be explained, and in which language."""

    model_config = ConfigDict(extra="forbid")

    reader: Annotated[
        Literal["agent", "player", "regulator"], Field(description="Who is going to read it.")
    ] = "agent"
    language: Annotated[
        Literal["en", "fr"], Field(description="In which language; a regulator always reads English.")
    ] = "en"


class TimelineQuery(BaseModel):
    """Which part of a player's timeline is asked for."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[
        AwareDatetime | None, Field(alias="from", description="Happened at this time or later.")
    ] = None
    until: Annotated[AwareDatetime | None, Field(description="Happened before this time.")] = None
    types: Annotated[
        list[Annotated[str, Field(max_length=64, pattern=r"^[a-z_]+$")]] | None,
        Field(max_length=64, description="Only events of these types; `alert` stands for alerts. None: all."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Most items in one answer.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=128, description="`next_cursor` of the answer before.")
    ] = None
