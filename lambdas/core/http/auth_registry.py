"""All auths there are: each module of `auths` holds one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from lambdas.core.http import auths
from lambdas.core.http.auth import BaseAuth
from lambdas.core.registry import classes_of

if TYPE_CHECKING:
    Auth: TypeAlias = BaseAuth
else:
    Auth = Annotated[
        Union[tuple(classes_of(auths, BaseAuth))],  # noqa: UP007 - of what is found
        Field(discriminator="type"),
    ]
