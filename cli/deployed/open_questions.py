"""What could not be settled without an account, as statements that settle it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.errors import CatflapError
from lambdas.core.names import landing_bucket_name
from lambdas.core.ports import Warehouse
from lambdas.core.sql import freshness as watching
from lambdas.core.sql import loading, names
from project.environment import Environment

DAY = timedelta(days=1)
LONGEST = 4_000
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, and the statements whose answers and times tell. They read, or make
    what stands already.
    """

    text: str
    role: str
    statements: tuple[str, ...]


def questions(environment: Environment, *, now: datetime) -> tuple[Question, ...]:
    """Every one of an environment that is deployed."""
    known = environment.snowflake
    database = known.database
    reader, admin = known.reader.role, known.admin.role
    repairer = environment.snowflake.repair_login.role
    landing = loading.LandingLocation(
        database=database,
        bucket=landing_bucket_name(
            environment.name, account=environment.account, region=environment.region
        ),
        integration=loading.integration_name(database),
        topic_arn="",
    )
    state = f"SHOW WAREHOUSES LIKE {names.literal(known.warehouse)}"
    pipe = watching.pipe_status(names.runs_pipe(database))
    mark = watching.change_marks([names.runs_table(database)])
    shown = (
        loading.show_pipes(database),
        watching.copy_history(database, "_runs", now - DAY, until=now, limit=5),
    )
    return (
        Question(
            text="Does PIPE_STATUS wake a suspended warehouse?",
            role=repairer,
            statements=(state, pipe, state),
        ),
        Question(
            text="Does LAST_CHANGE_COMMIT_TIME wake a suspended warehouse?",
            role=repairer,
            statements=(state, mark, state),
        ),
        Question(
            text="Does VALIDATE take a path below an allowed location?",
            role=admin,
            statements=(
                loading.describe_integration(landing),
                loading.validate_integration(landing),
            ),
        ),
        Question(
            text="How long does a statement take that makes what stands already?",
            role=admin,
            statements=(loading.create_runs_table(database),) * 5,
        ),
        Question(
            text="Does CREATE … IF NOT EXISTS ask for the right to create what stands?",
            role=repairer,
            statements=(loading.create_runs_table(database),),
        ),
        Question(
            text="What do SHOW PIPES and COPY_HISTORY show to each role?",
            role=repairer,
            statements=shown,
        ),
        Question(
            text="The same, to the reader",
            role=reader,
            statements=shown,
        ),
        *(
            Question(
                text=f"What is {role} granted?",
                role=admin,
                statements=(f"SHOW GRANTS TO ROLE {role}",),
            )
            for role in (admin, reader, repairer)
        ),
    )


def answers(
    asked: tuple[Question, ...],
    warehouse: Warehouse,
    *,
    seconds: Callable[[], float],
) -> Iterator[dict[str, object]]:
    """Each statement with its answer, or how it was refused, and how long it took."""
    for question in asked:
        for statement in (f"USE ROLE {question.role}", *question.statements):
            began = seconds()
            told: dict[str, object] = {}
            try:
                rows = warehouse.query(statement)
            except CatflapError as error:
                told["error"] = str(error)[:LONGEST]
            else:
                told["answer"] = str([list(map(str, row)) for row in rows])[:LONGEST]
            yield {
                "question": question.text,
                "role": question.role,
                "statement": statement,
                "seconds": round(seconds() - began, 3),
                **told,
            }
