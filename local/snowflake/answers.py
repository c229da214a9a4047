"""What a statement answers, and the words in which several statements are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from local.snowflake.access_control import Session
from local.snowflake.text import NAME

SUCCESS = "Statement executed successfully."
OR_NOT = r"(?P<replace>OR\s+REPLACE\s+)?"
IF_NOT = r"(?P<lenient>IF\s+NOT\s+EXISTS\s+)?"
IF = r"(?P<lenient>IF\s+EXISTS\s+)?"
NAMED = rf"(?P<name>{NAME})"
REST = r"(?P<rest>.*)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result: column names, and rows of texts, numbers, times or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


Handler: TypeAlias = Callable[[re.Match[str], Session, datetime], Answer]


def done(text: str = SUCCESS) -> Answer:
    """One row that says so."""
    return Answer(columns=("status",), rows=((text,),))
