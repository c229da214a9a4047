"""What people read: one typed relation a dataset, a view or a dynamic table.

`merge` keeps, for each primary key, the newest row of the newest pull, (_EXTRACTED_AT,
cursor, _FILE, _ROW): a replayed object has a new name and its old run id, so that its
rows never win over newer ones. `replace` shows the newest pull of which every row of
every segment is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from lambdas.core.columns.observed import MAX_NAME, ObservedType
from lambdas.core.dataset import Column, ColumnType, Dataset, Incremental, zone_of
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import OF_PULL
from lambdas.core.sql import names
from lambdas.core.sql.casts import try_column, try_instant
from lambdas.core.sql.target_lag import target_lag_text

METADATA = ("_EVENT_AT", "_FILE", "_ROW", "_RUN_ID", "_EXTRACTED_AT", "_LOADED_AT")
_TAKEN = frozenset({"PAYLOAD", *METADATA})


def create_view(
    database: str,
    dataset: Dataset,
    observed: Mapping[str, ObservedType] | None = None,
) -> str:
    """`ANALYTICS.<DATASET>`; replaced in place, which keeps its grants.

    `observed` are columns seen in the data, used where the dataset declares none.
    With neither, the record stands as PAYLOAD. Raises BadInput if two declared columns
    would have one name, or one of catflap's own.
    """
    return (
        f"CREATE OR REPLACE VIEW {names.analytics_view(database, dataset.name)} "
        f"COPY GRANTS AS {_select(database, dataset, observed)}"
    )


def create_dynamic_table(
    database: str,
    dataset: Dataset,
    warehouse: str,
    observed: Mapping[str, ObservedType] | None = None,
) -> str:
    """The same as a table that Snowflake refreshes with `warehouse`.

    To replace it computes it anew from all that has landed, so that its comment
    (`dynamic_table_mark`) tells whether it is the one that is wanted.
    """
    return _dynamic_table(
        database,
        dataset,
        warehouse,
        observed,
        comment=dynamic_table_mark(database, dataset, warehouse, observed),
    )


def dynamic_table_mark(
    database: str,
    dataset: Dataset,
    warehouse: str,
    observed: Mapping[str, ObservedType] | None = None,
) -> str:
    """What tells a dynamic table from one made of another statement."""
    text = _dynamic_table(database, dataset, warehouse, observed, comment="")
    digest = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    return f"catflap {dataset.name} {digest}"


def _dynamic_table(
    database: str,
    dataset: Dataset,
    warehouse: str,
    observed: Mapping[str, ObservedType] | None,
    *,
    comment: str,
) -> str:
    lag = target_lag_text(dataset.table.target_lag or "")
    return (
        "CREATE OR REPLACE DYNAMIC TABLE "
        f"{names.analytics_view(database, dataset.name)} "
        f"TARGET_LAG = {lag} WAREHOUSE = {names.identifier(warehouse)} "
        f"REFRESH_MODE = {(dataset.table.refresh_mode or 'incremental').upper()} "
        f"COMMENT = {names.literal(comment)} COPY GRANTS "
        f"AS {_select(database, dataset, observed)}"
    )


def drop_view(database: str, dataset: str) -> str:
    """To make a dynamic table of the same name."""
    return f"DROP VIEW IF EXISTS {names.analytics_view(database, dataset)}"


def drop_dynamic_table(database: str, dataset: str) -> str:
    """To make a view of the same name."""
    return f"DROP DYNAMIC TABLE IF EXISTS {names.analytics_view(database, dataset)}"


def show_dynamic_tables(database: str) -> str:
    """All: `name` is the second column. Needs no warehouse."""
    return (
        f"SHOW DYNAMIC TABLES IN SCHEMA {names.identifier(database)}."
        f"{names.ANALYTICS_SCHEMA}"
    )


def candidate_select(
    database: str,
    dataset: Dataset,
    observed: Mapping[str, ObservedType] | None,
    runs: str,
) -> str:
    """What the relation would show if it showed these runs: a SELECT of
    RELEASED_RUN_ID.
    """
    return _select(database, dataset, observed, runs)


def released_runs(database: str, dataset: str) -> str:
    """The runs that a circuit breaker shows, as RELEASED_RUN_ID."""
    return (
        "SELECT DISTINCT RUN_ID AS RELEASED_RUN_ID FROM "
        f"{names.released_table(database)} "
        f"WHERE DATASET = {names.literal(dataset)} AND IS_SHOWN"
    )


def _select(
    database: str,
    dataset: Dataset,
    observed: Mapping[str, ObservedType] | None,
    runs: str | None = None,
) -> str:
    if dataset.columns:
        columns = _declared(dataset, dataset.columns)
    elif dataset.columns is None and observed:
        columns = _observed(dataset, observed)
    else:
        columns = ("PAYLOAD",)
    selected = ", ".join((*columns, *METADATA))
    table = names.raw_table(database, dataset.name)
    if runs is None and dataset.breaker is not None:
        runs = released_runs(database, dataset.name)
    return f"SELECT {selected} FROM {table}{_which_rows(database, dataset, runs)}"


def _declared(
    dataset: Dataset, declared: Mapping[str, ColumnType | Column]
) -> tuple[str, ...]:
    expressions: dict[str, str] = {}
    for name, written in declared.items():
        column = written if isinstance(written, Column) else Column(type=written)
        path = column.path if column.path is not None else f"$[{_step(name)}]"
        alias = names.identifier(name)
        if alias.strip('"').upper() in _TAKEN or alias in expressions:
            raise BadInput(
                f"datasets/{dataset.name}.yaml: columns.{name}: the name {alias} is "
                "taken; give the column another one and say where it is by `path`"
            )
        expressions[alias] = _typed(dataset, path, column.type)
    return tuple(f"{text} AS {alias}" for alias, text in expressions.items())


def _observed(
    dataset: Dataset, observed: Mapping[str, ObservedType]
) -> tuple[str, ...]:
    """The columns as they were seen. Their names are data: one that is taken, in
    whatever case, gets a number; in the order in which they came, so that a later one
    never takes the name of an earlier.
    """
    taken = set(_TAKEN)
    columns = []
    for name, kind in observed.items():
        wanted, number = name or "UNNAMED", 1
        while wanted.upper() in taken:
            number += 1
            wanted = f"{(name or 'UNNAMED')[: MAX_NAME - 5]}_{number}"
        taken.add(wanted.upper())
        text = _typed(
            dataset, f"$[{_step(name)}]", "variant" if kind == "null" else kind
        )
        columns.append(f"{text} AS {names.identifier(wanted)}")
    return tuple(columns)


def _typed(dataset: Dataset, path: str, column_type: ColumnType) -> str:
    return try_column(
        names.text_at("PAYLOAD", path),
        names.json_access("PAYLOAD", path),
        column_type,
        zone_of(dataset, path),
    )


def _step(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _which_rows(database: str, dataset: Dataset, runs: str | None) -> str:
    """`runs` are those that may show, before any row hides another."""
    only = "" if runs is None else _only(runs)
    match dataset.write_disposition:
        case "append":
            return only
        case "merge":
            return f"{only}{_newest_per_key(dataset)}"
        case "replace":
            shown = _runs_of_newest_whole_pull(database, dataset, runs)
            return f" INNER JOIN ({shown}) ON SHOWN_RUN_ID = _RUN_ID"


def _only(runs: str) -> str:
    return f" INNER JOIN ({runs}) ON RELEASED_RUN_ID = _RUN_ID"


def _newest_per_key(dataset: Dataset) -> str:
    if not dataset.primary_key:
        raise BadInput(
            f"datasets/{dataset.name}.yaml: primary_key: is empty; "
            "`write_disposition: merge` needs at least one path"
        )
    keys = ", ".join(names.text_at("PAYLOAD", path) for path in dataset.primary_key)
    newest = (
        f" QUALIFY ROW_NUMBER() OVER (PARTITION BY {keys} "
        f"ORDER BY {', '.join(_newest_first(dataset))}) = 1"
    )
    if dataset.deleted_when is None:
        return newest
    mark = names.text_at("PAYLOAD", dataset.deleted_when)
    return f"{newest} AND NVL(LOWER({mark}), 'false') IN ('false', '0', '')"


def _newest_first(dataset: Dataset) -> tuple[str, ...]:
    """By pull; within one by the cursor, then by where a row came, in the order that
    the API declares. All segments of a pull share its start.
    """
    incremental = dataset.source.cursor
    if incremental is None:
        return ("_EXTRACTED_AT DESC", "_FILE DESC", "_ROW DESC")
    last_came = "ASC" if incremental.row_order == "desc" else "DESC"
    return (
        "_EXTRACTED_AT DESC",
        f"SUBSTR(_RUN_ID, 1, {OF_PULL}) DESC",
        *(f"{text} DESC NULLS LAST" for text in _cursor_order(dataset, incremental)),
        f"_FILE {last_came}",
        f"_ROW {last_came}",
    )


def _cursor_order(dataset: Dataset, incremental: Incremental) -> tuple[str, ...]:
    """What a cursor compares by, one expression for each kind that it may be of: those
    of other kinds are NULL in all rows. None where `cursor_format` says how its times
    are written: their place tells.
    """
    text = names.text_at("PAYLOAD", incremental.cursor_path)
    if incremental.cursor_type == "text":
        return (text,)
    number = f"TRY_TO_NUMBER({text}, 38, 9)"
    if incremental.cursor_format is not None:
        is_count = incremental.cursor_format in ("epoch", "epoch_ms", "%s", "%Q")
        return (number,) if is_count else ()
    if incremental.cursor_type == "number":
        return (number,)
    instant = try_instant(text, incremental.timezone)
    if dataset.freshness.loaded_at_field == incremental.cursor_path:
        instant = "_EVENT_AT"
    # dates, and times in a form that the warehouse does not read
    other = f"IFF({number} IS NULL AND {instant} IS NULL, {text}, NULL)"
    return (number, instant, other)


_PULL_ID = "NVL(R.PAYLOAD['pull_id']::VARCHAR, R._RUN_ID)"
_SEGMENT = "NVL(TRY_TO_NUMBER(R.PAYLOAD['segment']::VARCHAR, 38, 0), 1)"
_IS_LAST = "NVL(R.PAYLOAD['is_last']::VARCHAR, 'true') = 'true'"
_ROWS = "TRY_TO_NUMBER(R.PAYLOAD['rows']::VARCHAR, 38, 0)"


def _runs_of_newest_whole_pull(
    database: str, dataset: Dataset, shown: str | None
) -> str:
    """The runs whose rows `replace` shows: the segments of one pull, mostly one.

    Joined, not asked by IN: a dynamic table with a subquery outside FROM is computed
    anew at each refresh (Snowflake: "Supported queries for dynamic tables").
    """
    runs = _latest_run_files(database, dataset, shown)
    return (
        f"SELECT R._RUN_ID AS SHOWN_RUN_ID FROM ({runs}) AS R INNER JOIN "
        "(SELECT MAX(W.PULL_ID) AS NEWEST_PULL_ID FROM "
        f"({_whole_pulls(database, dataset, shown)}) AS W) "
        f"ON NEWEST_PULL_ID = {_PULL_ID}"
    )


def runs_of_newest_whole_pulls(database: str, dataset: Dataset, *, newest: int) -> str:
    """One row: the id of the oldest of the `newest` whole pulls, NULL if there are
    fewer. Run ids sort by their start, and a pull's is that of its first segment.
    """
    shown = None if dataset.breaker is None else released_runs(database, dataset.name)
    return (
        "SELECT CASE WHEN COUNT(*) < "
        f"{newest} THEN NULL ELSE MIN(N.PULL_ID) END FROM (SELECT W.PULL_ID FROM "
        f"({_whole_pulls(database, dataset, shown)}) AS W ORDER BY W.PULL_ID DESC "
        f"LIMIT {newest}) AS N"
    )


def _latest_run_files(database: str, dataset: Dataset, shown: str | None) -> str:
    """The newest word of each run of a dataset: its file, or the last amendment."""
    return (
        f"SELECT * FROM {names.runs_table(database)}{_only(shown) if shown else ''} "
        f"WHERE DATASET = {names.literal(dataset.name)} "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY _RUN_ID ORDER BY "
        "NVL(TRY_TO_NUMBER(PAYLOAD['amendment']::VARCHAR, 38, 0), 0) DESC, "
        "_FILE DESC) = 1"
    )


def loaded_runs(database: str, dataset: Dataset) -> str:
    """(RUN_ID, IS_WHOLE, LOADED_AT) of every run of which a row or the file is loaded;
    it is whole with as many rows as its file says.
    """
    table = names.raw_table(database, dataset.name)
    files = _latest_run_files(database, dataset, None)
    return (
        "SELECT NVL(R._RUN_ID, L._RUN_ID) AS RUN_ID, "
        f"NVL(NVL(L.LOADED, 0) >= {_ROWS}, FALSE) AS IS_WHOLE, "
        "NVL(L.LOADED_AT, R._LOADED_AT) AS LOADED_AT "
        f"FROM ({files}) AS R FULL OUTER JOIN (SELECT _RUN_ID, COUNT(*) AS LOADED, "
        f"MIN(_LOADED_AT) AS LOADED_AT FROM {table} GROUP BY _RUN_ID) AS L "
        "ON L._RUN_ID = R._RUN_ID"
    )


def _whole_pulls(database: str, dataset: Dataset, shown: str | None) -> str:
    """The ids of pulls of which every row of every segment is loaded.

    A pull is whole when its last segment is there, as many as that one counts, and each
    with as many loaded rows as it has by its newest word. Pull ids are run ids, which
    sort by their start. A run of no rows is whole at once: the table is empty then,
    because the API said so.
    """
    table = names.raw_table(database, dataset.name)
    return (
        f"SELECT {_PULL_ID} AS PULL_ID "
        f"FROM ({_latest_run_files(database, dataset, shown)}) AS R "
        f"LEFT JOIN (SELECT _RUN_ID, COUNT(*) AS LOADED FROM {table} GROUP BY _RUN_ID) "
        f"AS L ON L._RUN_ID = R._RUN_ID GROUP BY {_PULL_ID} "
        f"HAVING MAX(CASE WHEN {_IS_LAST} THEN {_SEGMENT} ELSE 0 END) = COUNT(*) "
        f"AND SUM(CASE WHEN NVL(L.LOADED, 0) = {_ROWS} THEN 1 ELSE 0 END) = COUNT(*)"
    )
