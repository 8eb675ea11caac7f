"""What may be asked of a player."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class RiskQuery(BaseModel):
    """For whom the score is to be explained, and in which language."""

    model_config = ConfigDict(extra="forbid")

    reader: Annotated[
        Literal["agent", "player", "regulator"], Field(description="Who is going to read it.")
    ] = "agent"
    language: Annotated[
        Literal["en", "fr"], Field(description="In which language; a regulator always reads English.")
    ] = "en"
