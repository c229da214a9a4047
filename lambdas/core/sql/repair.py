"""What repairs loads and removes rows. Nothing here loads a row a second time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from lambdas.core.dataset import Dataset
from lambdas.core.sql import names
from lambdas.core.sql.views import runs_of_newest_whole_pulls

FILE_NAME = "SPLIT_PART(_FILE, '/', -1)"


def refresh_below(pipe: str, prefix: str, modified_after: datetime) -> str:
    """Tell a pipe of what landed below its path and `prefix`, and that it never took.

    It reaches back seven days; what the pipe took already is left alone, failed files
    included (https://docs.snowflake.com/en/sql-reference/sql/alter-pipe).
    """
    after = modified_after.astimezone(UTC).isoformat(timespec="seconds")
    return (
        f"ALTER PIPE {pipe} REFRESH PREFIX = {names.literal(prefix)} "
        f"MODIFIED_AFTER = {names.literal(after)}"
    )


def resume_pipe(pipe: str) -> str:
    """Let a paused pipe run again; needs OPERATE."""
    return f"ALTER PIPE {pipe} SET PIPE_EXECUTION_PAUSED = FALSE"


def force_resume_pipe(pipe: str) -> str:
    """The same for a pipe that was paused for more than 14 days."""
    return (
        f"SELECT SYSTEM$PIPE_FORCE_RESUME({names.literal(pipe)}, "
        "'staleness_check_override')"
    )


def rows_of_files(database: str, dataset: str, files: Sequence[str]) -> str:
    """(file name, rows, different rows, greatest row number) of those of `files` (last
    parts of keys) that have any. All three are one number n where the first n rows of a
    file are there, each once.
    """
    wanted = ", ".join(names.literal(one) for one in files)
    return (
        f"SELECT {FILE_NAME}, COUNT(*), COUNT(DISTINCT _ROW), MAX(_ROW) "
        f"FROM {names.raw_table(database, dataset)} "
        f"WHERE {FILE_NAME} IN ({wanted}) GROUP BY 1"
    )


def doubles(database: str, dataset: str) -> str:
    """(file name, surplus rows, different rows) of the files that were loaded more than
    once, in whole or in part.
    """
    return (
        f"SELECT {FILE_NAME}, COUNT(*) - COUNT(DISTINCT _ROW), COUNT(DISTINCT _ROW) "
        f"FROM {names.raw_table(database, dataset)} "
        "GROUP BY 1 HAVING COUNT(*) > COUNT(DISTINCT _ROW) ORDER BY 1"
    )


def delete_doubles(database: str, dataset: str) -> str:
    """Delete what a later load brought again of a row of a file; the first stays."""
    table = names.raw_table(database, dataset)
    return (
        f"DELETE FROM {table} USING (SELECT {FILE_NAME} AS DOUBLED_FILE, "
        "_ROW AS DOUBLED_ROW, MIN(_LOADED_AT) AS FIRST_AT "
        f"FROM {table} GROUP BY 1, 2 HAVING COUNT(*) > 1) "
        f"WHERE {FILE_NAME} = DOUBLED_FILE AND _ROW = DOUBLED_ROW "
        "AND _LOADED_AT > FIRST_AT"
    )


def run_files_loaded(database: str, run_ids: Sequence[str]) -> str:
    """The names of the run files of `run_ids` that RAW._RUNS holds."""
    wanted = ", ".join(names.literal(one) for one in run_ids)
    return (
        f"SELECT {FILE_NAME} FROM {names.runs_table(database)} "
        f"WHERE _RUN_ID IN ({wanted})"
    )


def delete_old_runs(database: str, dataset: Dataset) -> str:
    """Delete the rows of pulls older than the newest N whole ones, for `replace`.

    A pull that is not whole is younger than those, or was given up: what is still
    loading is never older than N whole pulls that began after it.
    """
    table = names.raw_table(database, dataset.name)
    oldest_kept = runs_of_newest_whole_pulls(
        database, dataset, newest=dataset.retention.runs
    )
    return f"DELETE FROM {table} WHERE _RUN_ID < ({oldest_kept})"


def count_keys(database: str, dataset: Dataset, keys: Sequence[Sequence[str]]) -> str:
    """How many rows of the raw table have one of `keys` as their primary key."""
    table = names.raw_table(database, dataset.name)
    return f"SELECT COUNT(*) FROM {table} WHERE {_has_key(dataset, keys)}"


def delete_keys(database: str, dataset: Dataset, keys: Sequence[Sequence[str]]) -> str:
    """Delete the rows of the raw table that have one of `keys`."""
    table = names.raw_table(database, dataset.name)
    return f"DELETE FROM {table} WHERE {_has_key(dataset, keys)}"


def rows_left(database: str, dataset: Dataset, keys: Sequence[Sequence[str]]) -> str:
    """(run id, one of its files, rows that stay) of the runs with rows of `keys`."""
    is_key = _has_key(dataset, keys)
    return (
        f"SELECT _RUN_ID, MIN(_FILE), COUNT(*) - COUNT_IF({is_key}) "
        f"FROM {names.raw_table(database, dataset.name)} "
        f"GROUP BY 1 HAVING COUNT_IF({is_key}) > 0"
    )


def _plain(path: str) -> str:
    """A key's part as text; a number without the zeros behind its point."""
    text = names.text_at("PAYLOAD", path)
    value = f"TO_JSON({names.json_access('PAYLOAD', path)})"
    is_text = f"STARTSWITH({value}, '\"')"
    return f"IFF({is_text}, {text}, REGEXP_REPLACE({text}, '[.]0+$', ''))"


def _has_key(dataset: Dataset, keys: Sequence[Sequence[str]]) -> str:
    paths = [_plain(path) for path in dataset.primary_key]
    return " OR ".join(
        "("
        + " AND ".join(
            f"{path} = {names.literal(value)}"
            for path, value in zip(paths, key, strict=True)
        )
        + ")"
        for key in keys
    )
