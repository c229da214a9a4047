"""Names and quoting: how our own words become identifiers, and foreign ones text.

Everything made here is upper-case, so that it may be typed unquoted in either case
(Snowflake: "Identifier requirements"). A name that cannot stand unquoted is quoted.
"""

from __future__ import annotations

import re

from lambdas.core.errors import BadInput
from lambdas.core.records.json_path import steps

RAW_SCHEMA = "RAW"
ANALYTICS_SCHEMA = "ANALYTICS"
CATFLAP_SCHEMA = "CATFLAP"
STAGE = "LANDING"
RUNS_TABLE = "_RUNS"
CHECKS_TABLE = "_CHECKS"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

# Snowflake: "Reserved & limited keywords", those that cannot name a table or column
_RESERVED_WORDS = """
ACCOUNT ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONNECTION
CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP
CURRENT_USER DATABASE DELETE DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL
GRANT GROUP GSCLUSTER HAVING ILIKE IN INCREMENT INNER INSERT INTERSECT INTO IS ISSUE
JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP MINUS NATURAL NOT NULL OF ON OR ORDER
ORGANIZATION QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS SAMPLE SCHEMA SELECT SET SOME
START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION UNIQUE UPDATE USING VALUES
VIEW WHEN WHENEVER WHERE WITH
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())


def identifier(name: str) -> str:
    """`name` as an upper-case identifier, quoted only if it must be.

    Raises BadInput if it is empty.
    """
    if not name:
        raise BadInput("an identifier is needed, and an empty text came")
    upper = name.upper()
    if _PLAIN.fullmatch(upper) and upper not in _RESERVED:
        return upper
    return quoted(upper if _PLAIN.fullmatch(upper) else name)


def quoted(name: str) -> str:
    """`name` exactly as it is, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def plain(identifier_text: str) -> str:
    """The name that an identifier stands for, as SHOW has it."""
    if identifier_text.startswith('"'):
        return identifier_text[1:-1].replace('""', '"')
    return identifier_text


def literal(text: str) -> str:
    r"""A text literal. Snowflake reads `\` in it as an escape, so that is doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def raw_table(database: str, dataset: str) -> str:
    """`DB.RAW.<DATASET>`."""
    return f"{identifier(database)}.{RAW_SCHEMA}.{identifier(dataset)}"


def runs_table(database: str) -> str:
    """`DB.RAW._RUNS`."""
    return f"{identifier(database)}.{RAW_SCHEMA}.{RUNS_TABLE}"


def checks_table(database: str) -> str:
    """`DB.RAW._CHECKS`."""
    return f"{identifier(database)}.{RAW_SCHEMA}.{CHECKS_TABLE}"


def released_table(database: str) -> str:
    """`DB.RAW._RELEASED`."""
    return f"{identifier(database)}.{RAW_SCHEMA}._RELEASED"


def analytics_view(database: str, dataset: str) -> str:
    """`DB.ANALYTICS.<DATASET>`."""
    return f"{identifier(database)}.{ANALYTICS_SCHEMA}.{identifier(dataset)}"


def stage(database: str) -> str:
    """`DB.RAW.LANDING`: the whole bucket."""
    return f"{identifier(database)}.{RAW_SCHEMA}.{STAGE}"


def pipe(database: str, dataset: str, generation: int) -> str:
    """`DB.RAW.<DATASET>_G<n>`."""
    return (
        f"{identifier(database)}.{RAW_SCHEMA}.{identifier(f'{dataset}_g{generation}')}"
    )


def runs_pipe(database: str) -> str:
    """`DB.RAW._RUNS`, the pipe (pipes and tables have name spaces of their own)."""
    return f"{identifier(database)}.{RAW_SCHEMA}.{RUNS_TABLE}"


def json_access(document: str, path: str) -> str:
    """`document['a']['b'][0]`: what `path` selects below a variant expression.

    A wildcard takes the first element, as `json_path.find_value` does.
    Raises BadInput for an index from the end, which GET does not know.
    """
    text = document
    for step in steps(path):
        if isinstance(step, str):
            text += f"[{literal(step)}]"
        elif step is None or step == 0:
            text += "[0]"
        elif step > 0:
            text += f"[{step}]"
        else:
            raise BadInput(
                f"`{path}` counts from the end of an array, which the warehouse "
                "cannot; an index from 0 or a name is accepted"
            )
    return text


def text_at(document: str, path: str) -> str:
    """The text of what `path` selects; JSON null and absence are NULL."""
    return f"{json_access(document, path)}::VARCHAR"
