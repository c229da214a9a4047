"""Say where the data stopped: of a deployed dataset, or from signals in a file.

FILE holds one JSON document, or one per line. Nothing is printed on stdout unless every
document is valid; each fault is listed with its line and key.

Example: catflap diagnose flights; catflap diagnose --signals signals.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.documents import verdict_as_text
from lambdas.core.diagnosis.signals import Signals, signals_from_json
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from lambdas.core.errors import BadInput
from project.fault import printable

WELL, NOT_WELL, BAD_INPUT = 0, 1, 2


def run(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A deployed dataset."),
    ] = None,
    *,
    signals: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Signals instead of NAME; - is stdin."),
    ] = None,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with FILE a verdict a line.")
    ] = False,
) -> int:
    """Print verdicts; 0 if all are pass, 1 if not. Raises BadInput, NotReached."""
    if signals is not None and name is None:
        return of_file(signals, as_json=as_json)
    if name is None or signals is not None:
        came = "neither" if name is None else "both"
        raise BadInput(f"one of NAME and --signals FILE is needed; {came} came")
    from cli.deployed.diagnosis import judged  # noqa: PLC0415 - signals need no boto3
    from cli.deployed.environment import deployed  # noqa: PLC0415 - as above

    reached = deployed(environment, environments=environments)
    found = judged(name, reached, datasets=datasets, apis=apis)
    if as_json:
        collected = found.signals.model_dump(mode="json")
        print(json.dumps({"signals": collected, "verdict": found.verdict.to_json()}))
    else:
        print(reached.pointers.in_text(verdict_as_text(found.verdict)))
        print(signals_as_text(found.signals))
    return exit_code([found.verdict])


def of_file(source: str, *, as_json: bool) -> int:
    """Print a verdict for each document in the file `source`, or in stdin for `-`.

    Returns the exit code: 0 all pass, 1 any warn, error or unknown, 2 bad input.
    """
    try:
        verdicts = verdicts_of(_read(source))
    except BadInput as error:
        name = "stdin" if source == "-" else source
        for fault in str(error).splitlines():
            print(f"{name}: {printable(fault)}", file=sys.stderr)
        return BAD_INPUT
    for verdict in verdicts:
        print(as_json_line(verdict) if as_json else verdict_as_text(verdict))
    return exit_code(verdicts)


def verdicts_of(text: str) -> list[Verdict]:
    """One verdict for each document, in their order.

    Raises BadInput with one line for each fault of all documents.
    """
    signals: list[Signals] = []
    faults: list[str] = []
    for line, document in _documents(text):
        try:
            signals.append(signals_from_json(document))
        except BadInput as error:
            faults += [f"line {line}: {fault}" for fault in str(error).splitlines()]
    if faults:
        raise BadInput("\n".join(faults))
    if not signals:
        raise BadInput(
            "line 1: nothing came; accepted: one JSON document of signals, or one a "
            "line"
        )
    return [diagnose(each) for each in signals]


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """0 if all are well, else 1."""
    return WELL if all(v.state.value == "pass" for v in verdicts) else NOT_WELL


def as_json_line(verdict: Verdict) -> str:
    """The verdict as one line of JSON, in ASCII: no terminal's locale can harm it."""
    return json.dumps(verdict.to_json())


def _read(source: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror}; accepted: a file, or - for stdin"
        raise BadInput(message) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"line {line}: the text is not UTF-8; accepted: JSON in UTF-8"
        raise BadInput(message) from None


def _documents(text: str) -> list[tuple[int, str]]:
    """The documents and the lines on which they begin.

    The text is one document if it parses as one, or if no line of it does: then it is
    one broken document, and not many. Only a line feed ends a line: JSON strings may
    hold what `splitlines` takes for an end.
    """
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
    if not lines:
        return []
    many = (
        len(lines) > 1
        and not _is_json(text)
        and any(_is_json(line) for _, line in lines if line.lstrip().startswith("{"))
    )
    return lines if many else [(lines[0][0], text)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def signals_as_text(signals: Signals) -> str:
    """Every signal that is known, one section a paragraph, and those that are not."""
    lines: list[str] = []
    for section, values in signals.model_dump(mode="json").items():
        if not isinstance(values, dict):
            continue
        flat = _flat(values)
        known = {key: value for key, value in flat.items() if value is not None}
        lines.append(f"{section}:")
        lines += [f"  {key:<22}{_shown(value)}" for key, value in known.items()]
        missing = [key for key in flat if key not in known]
        if missing:
            lines.append(f"  not known: {', '.join(missing)}")
    return "\n".join(lines)


def _flat(values: dict[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": found for inner, found in value.items()}
        else:
            flat[key] = value
    return flat


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text)
