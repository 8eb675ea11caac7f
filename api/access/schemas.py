"""What `/v1/keys` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.access.roles import GRANTS, Role, Scope


class NewKey(BaseModel):
    """A key to be issued."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "night desk", "role": "agent"}]}
    )

    name: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[\w .@-]+$", description="Who or what uses it.")
    ]
    role: Role
    scopes: Annotated[
        list[Scope] | None, Field(max_length=32, description="Fewer scopes than the role has. None: all.")
    ] = None
    partner: Annotated[
        str | None, Field(max_length=64, description="Of which partner, where the role is `partner`.")
    ] = None
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.role == "partner") != (self.partner is not None):
            raise ValueError("`partner` is named where the role is partner, and only there")
        beyond = set(self.scopes or ()) - GRANTS[self.role]
        if beyond:
            raise ValueError(f"the role {self.role} does not have {', '.join(sorted(beyond))}")
        return self


class Key(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    role: Role
    scopes: list[Scope]
    partner: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class IssuedKey(Key):
    """A key with its secret, which is shown this once."""

    key: Annotated[str, Field(description="Send it as `Authorization: Bearer KEY`. It is not kept.")]


class Keys(BaseModel):
    """Every key there ever was, the oldest first."""

    items: list[Key]
