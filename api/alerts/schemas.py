"""What `GET /v1/alerts` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Severity = Literal["low", "medium", "high", "critical"]
Audience = Literal["risk", "follow_up", "compliance", "operations"]


class AlertQuery(BaseModel):
    """Which alerts are asked for; every filter given must hold."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500, description="Most alerts in one answer.")] = 50
    cursor: Annotated[str | None, Field(max_length=64, description="`next_cursor` of the answer before.")] = (
        None
    )
    player: Annotated[str | None, Field(max_length=128)] = None
    rule: Annotated[
        str | None, Field(max_length=128, description="A rule's id for any version, or id@version.")
    ] = None
    severity: Severity | None = None
    audience: Audience | None = None
    since: Annotated[AwareDatetime | None, Field(description="Opened at this time or later.")] = None
