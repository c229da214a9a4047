"""A model's SELECT against the columns that are known: what is not there, and where.

sqlglot reads it as Snowflake would. It names the first fault only and not always where
it is, so the columns are walked here, each against the relations of its own SELECT.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from lambdas.core.dataset import SqlModel
from lambdas.core.models.graph import REF
from lambdas.core.sql import names
from project.column_lineage import column_origins

Known = Mapping[str, tuple[str, ...] | None]
"""Columns of each relation in their order, by the name that `ref` takes; None: not
known before the data are."""
_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SqlFault:
    """What is wrong in a SELECT, on which of its lines."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledModel:
    """What a SELECT gives: its columns, None if they are not known; its faults; and
    from which columns each of its own is computed, `relation.COLUMN`.
    """

    columns: tuple[str, ...] | None
    faults: tuple[SqlFault, ...]
    expression: exp.Expr | None = None
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compiled(model: SqlModel, known: Known) -> CompiledModel:
    """Read a model's SELECT. Never raises: what is wrong is among the faults."""
    try:
        statements = sqlglot.parse(_with_names(model.sql), read="snowflake")
    except ParseError as error:
        return CompiledModel(columns=None, faults=(_unread(error),))
    except SqlglotError as error:
        return _failed(1, f"cannot be read as SQL ({error})")
    found = [one for one in statements if one is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        return _failed(1, "must be one SELECT and nothing else")
    try:
        scopes = traverse_scope(found[0])
        faults = [fault for scope in scopes for fault in _faults(scope, known)]
        columns = _output(scopes[-1], known) if scopes else None
        origins = column_origins(scopes[-1], known) if scopes else ()
    except SqlglotError as error:
        return _failed(1, f"cannot be understood ({error})")
    return CompiledModel(
        columns=columns,
        faults=tuple(sorted(set(faults))),
        expression=found[0],
        origins={name: tuple(sorted(of)) for name, of in origins if name and of},
    )


def _failed(line: int, why: str) -> CompiledModel:
    sentence = f"{why}; accepted: a SELECT in Snowflake's SQL"
    return CompiledModel(columns=None, faults=(SqlFault(line=line, sentence=sentence),))


def _unread(error: ParseError) -> SqlFault:
    first = error.errors[0] if error.errors else {}
    near = str(first.get("highlight") or "").strip()
    what = str(first.get("description") or "it is no SQL").rstrip(".")
    return SqlFault(
        line=int(first.get("line") or 1),
        sentence=f"cannot be read at `{near}`: {what[:1].lower()}{what[1:]}; "
        "accepted: a SELECT in Snowflake's SQL",
    )


def _with_names(sql: str) -> str:
    """With names in place of `ref`, as long as those were: lines and columns stay."""
    return REF.sub(lambda match: names.quoted(match["name"]).ljust(len(match[0])), sql)


def _faults(scope: Scope, known: Known) -> Iterator[SqlFault]:
    for table in scope.tables:
        if not _is_ref(table, scope):
            yield SqlFault(
                line=_line(table.this),
                sentence=f"reads `{table.sql('snowflake')}` without ref; accepted: "
                "{{ ref('NAME') }} with the name of a dataset or a model",
            )
    # not `scope.columns`, which leaves out those of HAVING, QUALIFY and ORDER BY
    for column in scope.find_all(exp.Column):
        if isinstance(column.this, exp.Identifier):
            yield from _column_faults(column, scope, known)


def _is_ref(table: exp.Table, scope: Scope) -> bool:
    """A name that stands for a relation, a WITH, or rows that a function makes."""
    if not isinstance(table.this, exp.Identifier):
        return True
    source = scope.sources.get(table.alias_or_name)
    is_ref = table.this.quoted and not table.db
    # a name that nothing has is told of with the ref itself
    return isinstance(source, Scope) or is_ref


def _column_faults(
    column: exp.Column, scope: Scope, known: Known
) -> Iterator[SqlFault]:
    sources = dict(_sources(scope))
    if column.table:
        yield from _qualified_faults(column, sources, known)
        return
    name = _upper(column.this)
    holding = [
        alias
        for alias, source in sources.items()
        if (columns := _columns_of(source, known)) is not None and name in columns
    ]
    is_open = any(_columns_of(one, known) is None for one in sources.values())
    mine = [one for one in holding if one in scope.selected_sources]
    if len(mine) > 1 and not _is_joined_on(name, scope):
        yield SqlFault(
            line=_line(column.this),
            sentence=f"`{column.name}` is ambiguous: {', '.join(mine)} have it; "
            f"accepted: one of {', '.join(f'{one}.{column.name}' for one in mine)}",
        )
    if holding or is_open or name in _aliases(scope):
        return
    every = {one for source in sources.values() for one in _listed(source, known)}
    yield _unknown(column, every | _aliases(scope))


def _qualified_faults(
    column: exp.Column, sources: Mapping[str, exp.Expr | Scope], known: Known
) -> Iterator[SqlFault]:
    by_name = {alias.upper(): source for alias, source in sources.items()}
    source = by_name.get(column.table.upper())
    if source is None:
        if any(isinstance(one, Scope) and one.is_udtf for one in sources.values()):
            return
        yield SqlFault(
            line=_line(column.args["table"]),
            sentence=f"there is no `{column.table}` to take `{column.name}` of; "
            f"accepted: {', '.join(sorted(sources)) or 'a relation after FROM'}",
        )
        return
    columns = _columns_of(source, known)
    if columns is not None and _upper(column.this) not in columns:
        yield _unknown(column, columns)


def _unknown(column: exp.Column, known: Collection[str]) -> SqlFault:
    near = difflib.get_close_matches(_upper(column.this), known, n=1, cutoff=0.5)
    hint = f" (the nearest is `{near[0].lower()}`)" if near else ""
    listed = ", ".join(one.lower() for one in sorted(known)[:_LISTED])
    more = ", …" if len(known) > _LISTED else ""
    return SqlFault(
        line=_line(column.this),
        sentence=f"there is no column `{column.name}`{hint}; accepted: {listed}{more}",
    )


def _sources(scope: Scope) -> Iterator[tuple[str, exp.Expr | Scope]]:
    """What a SELECT reads, and what those around it do; no WITH that it does not."""
    at: Scope | None = scope
    seen: set[str] = set()
    while at is not None:
        for alias, (_, source) in at.selected_sources.items():
            if alias not in seen and source is not scope:
                seen.add(alias)
                yield alias, source
        at = at.parent


def _columns_of(source: exp.Expr | Scope, known: Known) -> tuple[str, ...] | None:
    if isinstance(source, Scope):
        return None if source.is_udtf else _output(source, known)
    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
        # PIVOT and UNPIVOT make columns of values
        return None if source.args.get("pivots") else known.get(source.name)
    return None


def _listed(source: exp.Expr | Scope, known: Known) -> tuple[str, ...]:
    return _columns_of(source, known) or ()


def _output(scope: Scope, known: Known) -> tuple[str, ...] | None:
    """The columns of a SELECT, None if a star stands for some that are not known."""
    expression = scope.expression
    if isinstance(expression, exp.SetOperation):
        first = next(iter(scope.set_operation_scopes), None)
        return None if first is None else _output(first, known)
    found: list[str] = []
    if scope.pivots:
        return None
    selects = expression.selects if isinstance(expression, exp.Query) else []
    for select in selects:
        if not select.is_star:
            found.append(_upper_name(select))
            continue
        if _is_partial(select):
            return None
        for alias, source in scope.selected_sources.items():
            if isinstance(select, exp.Column) and select.table != alias:
                continue
            ordered = _columns_of(source[1], known)
            if ordered is None:
                return None
            found += ordered
    return tuple(found) if all(found) else None


def _is_partial(select: exp.Expr) -> bool:
    """EXCLUDE, ILIKE, REPLACE and RENAME: what a star leaves out is not reckoned."""
    star = select.find(exp.Star)
    return star is not None and any(star.args.values())


def _upper_name(select: exp.Expr) -> str:
    alias = select.args.get("alias")
    if isinstance(alias, exp.Identifier):
        return _upper(alias)
    name = select.this if isinstance(select, exp.Column) else None
    return _upper(name) if isinstance(name, exp.Identifier) else select.alias_or_name


def _upper(identifier: exp.Expr) -> str:
    """As Snowflake stores it."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _aliases(scope: Scope) -> set[str]:
    """Names that the SELECT gives itself, which Snowflake lets it use."""
    query = scope.expression
    selects = query.selects if isinstance(query, exp.Query) else []
    return {_upper_name(one) for one in selects if one.alias}


def _is_joined_on(name: str, scope: Scope) -> bool:
    """Whether USING or NATURAL makes one column of two."""
    for join in scope.expression.args.get("joins") or ():
        using = [one.name.upper() for one in join.args.get("using") or ()]
        if name in using or join.args.get("method") == "NATURAL":
            return True
    return False


def _line(node: exp.Expr) -> int:
    return int(node.meta.get("line") or 1)


_NOT_INCREMENTAL: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Limit, "LIMIT"),
    (exp.Except, "EXCEPT"),
    (exp.Intersect, "INTERSECT"),
    (exp.Rollup, "ROLLUP"),
    (exp.Cube, "CUBE"),
    (exp.GroupingSets, "GROUPING SETS"),
    (exp.PercentileCont, "PERCENTILE_CONT"),
    (exp.PercentileDisc, "PERCENTILE_DISC"),
    (exp.Median, "MEDIAN"),
    (exp.Connect, "CONNECT BY"),
    (exp.CurrentUser, "CURRENT_USER"),
    (exp.CurrentRole, "CURRENT_ROLE"),
    (exp.CurrentWarehouse, "CURRENT_WAREHOUSE"),
    (exp.Seq1, "SEQ1"),
    (exp.Seq2, "SEQ2"),
    (exp.Seq4, "SEQ4"),
    (exp.Seq8, "SEQ8"),
    (exp.Rand, "RANDOM"),
    (exp.Uuid, "UUID_STRING"),
)
_NEVER: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.AnyValue, "ANY_VALUE"),
    (exp.TableSample, "SAMPLE"),
)
_CLOCKS = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime)


def dynamic_faults(model: SqlModel, expression: exp.Expr) -> Iterator[SqlFault]:
    """What Snowflake refuses in a dynamic table, or computes anew each time (its page
    "Supported queries for dynamic tables").
    """
    yield from _never_faults(expression)
    if model.refresh_mode != "full":
        yield from _incremental_faults(expression)


def _never_faults(expression: exp.Expr) -> Iterator[SqlFault]:
    for kind, word in _NEVER:
        for node in expression.find_all(kind):
            yield _refused(node, f"a dynamic table takes no {word}", "another function")
    for select in expression.find_all(exp.Select):
        for projection in select.expressions:
            for node in projection.find_all(*_CLOCKS):
                yield _refused(
                    node,
                    "a dynamic table takes the current time in WHERE, HAVING and "
                    "QUALIFY only",
                    "a column, or a view",
                )


def _incremental_faults(expression: exp.Expr) -> Iterator[SqlFault]:
    accepted = "`refresh_mode: full`, or a SELECT without it"
    for kind, word in _NOT_INCREMENTAL:
        for node in expression.find_all(kind):
            yield _refused(node, f"{word} cannot be refreshed incrementally", accepted)
    for node, word in _odd_relations(expression):
        yield _refused(node, f"{word} cannot be refreshed incrementally", accepted)
    for node in expression.find_all(exp.Subquery, exp.Exists, exp.In):
        if _is_outside_from(node):
            what = "a subquery outside FROM"
            yield _refused(
                node,
                f"{what} cannot be refreshed incrementally",
                f"a join, or {accepted}",
            )


def _odd_relations(expression: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    """What stands after WITH and FROM, and is no plain relation or join of equals."""
    for with_ in expression.find_all(exp.With):
        if with_.args.get("recursive"):
            yield with_, "a recursive WITH"
    for pivot in expression.find_all(exp.Pivot):
        if pivot.args.get("unpivot"):
            yield pivot, "UNPIVOT"
    for lateral in expression.find_all(exp.Lateral):
        if not isinstance(lateral.this, exp.Explode):
            yield lateral, "LATERAL, but with FLATTEN,"
    yield from _odd_columns(expression)


def _odd_columns(expression: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    """What a join or FLATTEN makes of columns."""
    flattened = {one.alias_or_name.upper() for one in expression.find_all(exp.Lateral)}
    for column in expression.find_all(exp.Column):
        if column.name.upper() == "SEQ" and column.table.upper() in flattened:
            yield column, "SEQ of FLATTEN"
    for join in expression.find_all(exp.Join):
        on = join.args.get("on")
        if join.side and on is not None and not _is_of_equals(on):
            yield on, "an outer join on anything but equal columns"


def _is_of_equals(on: exp.Expr) -> bool:
    """That at least one condition of a join says that columns are equal, and that those
    of both sides are: others may narrow it.
    """
    return (
        all(
            isinstance(one, exp.EQ | exp.NullSafeEQ) or not _names_both(one)
            for one in on.flatten()
        )
        if isinstance(on, exp.And)
        else isinstance(on, exp.EQ | exp.NullSafeEQ)
    )


def _names_both(condition: exp.Expr) -> bool:
    tables = {one.table for one in condition.find_all(exp.Column)}
    return len(tables) > 1


def _is_outside_from(node: exp.Expr) -> bool:
    if isinstance(node, exp.In):
        return node.args.get("query") is not None
    if isinstance(node, exp.Exists):
        return True
    return not isinstance(
        node.parent, exp.From | exp.Join | exp.Lateral | exp.SetOperation | exp.In
    ) and not isinstance(node.parent, exp.CTE | exp.Subquery)


def _refused(node: exp.Expr, what: str, accepted: str) -> SqlFault:
    return SqlFault(line=_nearest_line(node), sentence=f"{what}; accepted: {accepted}")


def _nearest_line(node: exp.Expr) -> int:
    for one in node.walk():
        if one.meta.get("line"):
            return int(one.meta["line"])
    return _nearest_line(node.parent) if node.parent is not None else 1
