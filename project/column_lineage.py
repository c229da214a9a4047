"""From which columns each column of a model is computed, for those who draw lineage.

What decides only which rows there are (joins, filters, groups) is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

Known = Mapping[str, tuple[str, ...] | None]
Origins = tuple[tuple[str, frozenset[str]], ...]
"""Columns in their order, each with `relation.COLUMN` of what it is computed from."""
_DEEPEST = 50
"""SELECTs within one another; a recursive WITH ends here as well."""


def column_origins(scope: Scope, known: Known, depth: int = 0) -> Origins:
    """Of each column that a SELECT gives, as far as names tell; a star of a relation
    whose columns are not known gives none.
    """
    if depth > _DEEPEST:
        return ()
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        return _united([column_origins(one, known, depth + 1)
                        for one in scope.set_operation_scopes])  # fmt: skip
    if not isinstance(query, exp.Query):
        return ()
    sources = {
        alias.upper(): _source_origins(source, known, depth)
        for alias, (_, source) in scope.selected_sources.items()
    }
    found: list[tuple[str, frozenset[str]]] = []
    for select in query.selects:
        if select.is_star:
            found += _starred(select, sources)
            continue
        columns = [one for one in select.find_all(exp.Column) if not one.is_star]
        own = dict(found)
        origins = [_of_column(column, sources, own) for column in columns]
        found.append((_name(select), frozenset[str]().union(*origins)))
    return tuple(found)


def _source_origins(source: exp.Expr | Scope, known: Known, depth: int) -> Origins:
    if isinstance(source, Scope):
        if source.is_udtf:  # FLATTEN: all of its columns are of what it is given
            of = source.expression.find_all(exp.Column)
            outer = source.parent.selected_sources if source.parent else {}
            given = {
                alias.upper(): _source_origins(one, known, depth + 1)
                for alias, (_, one) in outer.items()
                if one is not source and depth < _DEEPEST
            }
            origins = [_of_column(column, given, {}) for column in of]
            return (("*", frozenset[str]().union(*origins)),)
        return column_origins(source, known, depth + 1)
    if isinstance(source, exp.Table):
        columns = known.get(source.name)
        if columns is not None:
            return tuple((one, frozenset([f"{source.name}.{one}"])) for one in columns)
    return ()


def _of_column(
    column: exp.Column,
    sources: Mapping[str, Origins],
    own: Mapping[str, frozenset[str]],
) -> frozenset[str]:
    name = _upper(column.this)
    if column.table:
        return _within(sources.get(column.table.upper(), ()), name)
    for origins in sources.values():
        if found := dict(origins).get(name):
            return found
    if name in own:  # a name that the SELECT has given before
        return own[name]
    return frozenset().union(*(dict(one).get("*", ()) for one in sources.values()))


def _within(origins: Origins, name: str) -> frozenset[str]:
    by_name = dict(origins)
    return by_name.get(name, by_name.get("*", frozenset()))


def _starred(
    select: exp.Expr, sources: Mapping[str, Origins]
) -> Iterator[tuple[str, frozenset[str]]]:
    wanted = select.table.upper() if isinstance(select, exp.Column) else ""
    for alias, origins in sources.items():
        if not wanted or wanted == alias:
            yield from (one for one in origins if one[0] != "*")


def _united(parts: list[Origins]) -> Origins:
    """Of a UNION: columns are one by their place, and bear the first one's names."""
    if not parts:
        return ()
    first, *others = parts
    return tuple(
        (name, origins.union(*(one[at][1] for one in others if at < len(one))))
        for at, (name, origins) in enumerate(first)
    )


def _name(select: exp.Expr) -> str:
    alias = select.args.get("alias")
    if isinstance(alias, exp.Identifier):
        return _upper(alias)
    if isinstance(select, exp.Column):
        return _upper(select.this)
    return str(select.alias_or_name).upper()


def _upper(identifier: exp.Expr) -> str:
    """As Snowflake stores it."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()
