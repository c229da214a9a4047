"""`make generate`: the JSON schemas for editors, the reference of the YAML,
the settings, the index of the runbooks and the page of the events, from the models
and rules.

`--check` writes nothing, and ends with 1 if a file is not what the models say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from cli import events, settings_page
from cli.reference import sections
from lambdas.core.dataset import Api, Dataset
from lambdas.core.diagnosis.causes import RULES
from lambdas.core.diagnosis.causes.rule import Audience, Group, Rule
from lambdas.core.paging.auto import AutoPaginator
from lambdas.core.paging.base import BasePaginator
from lambdas.core.paging.registry import PAGINATORS
from lambdas.core.quality.registry import METRICS

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "make generate"

HEAD = f"""\
# Datasets and APIs
<!-- Written by `{COMMAND}` from the models; edit those. -->
One table is one file in `datasets/`; its name is the table's: a lower-case letter, then
letters, digits and `_`, 48 at most. One upstream is one file in `apis/`, or a mapping
in place of its name.

`catflap check` reads both folders and prints every fault on a line of its own, as
`FILE:LINE: key.path: what is wrong; what is accepted`.

The words are the field's own: dlt's `rest_api` for sources, dbt's for freshness, ODCS
for quality. YAML is read as 1.2: `true` and `false` are the only booleans, so the
country `NO` is text, and so are dates and times. For completion and checks in an
editor, begin a file with

```yaml
# yaml-language-server: $schema=../schemas/dataset.schema.json
```

A text `secret:NAME#KEY` is the member KEY of the secret NAME in Secrets Manager; on
your own machine it is the variable `CATFLAP_SECRET_<NAME>_<KEY>`, in upper case, with
`_` for every other character. Secrets in plain text are refused, told by their name
(`api_key`, `X-Auth-Token`) or shape (`ghp_…`, `Bearer …`), in auth, headers, params,
JSON bodies, paths and options alike, unless the API is on loopback.
"""


def documents() -> dict[Path, str]:
    """Every generated file, by its path below the repository."""
    return {
        Path("schemas/dataset.schema.json"): _schema(Dataset, "A dataset of catflap"),
        Path("schemas/api.schema.json"): _schema(Api, "An API of catflap"),
        Path("docs/datasets.md"): _reference(),
        Path("docs/runbooks/README.md"): _runbooks(),
        Path("schemas/events.schema.json"): events.schema(),
        Path("docs/events.md"): events.page(),
        Path("docs/settings.md"): settings_page.page(),
        Path("docs/quality.md"): _with_metrics((ROOT / "docs/quality.md").read_text()),
        Path("docs/paging.md"): _with_promises((ROOT / "docs/paging.md").read_text()),
    }


def stale(root: Path) -> list[Path]:
    """The files below `root` that are not what the models say."""
    return [
        path
        for path, text in documents().items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the files, or look whether they are right."""
    if list(arguments) == ["--check"]:
        for path in stale(ROOT):
            print(f"{path} is not what the models say: run {COMMAND}")
        return 1 if stale(ROOT) else 0
    for path, text in documents().items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text)
    return 0


def _schema(model: type[BaseModel], title: str) -> str:
    schema = model.model_json_schema(by_alias=True)
    if model is Dataset:  # its name is the file's
        del schema["properties"]["name"]
        schema["required"].remove("name")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": title,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _reference() -> str:
    parts = [HEAD]
    seen: set[type[BaseModel]] = set()
    for model, path, title in (
        (Dataset, "", "`datasets/<dataset>.yaml`"),
        (Api, "", "`apis/<api>.yaml`"),
    ):
        parts.append(f"## {title}\n")
        parts += sections(model, path, seen)
    return "\n".join(parts)


_PROMISES = ("<!-- paginators -->\n", "<!-- end of paginators -->\n")


def _with_promises(page: str) -> str:
    """docs/paging.md with the table of what each paginator promises."""
    begin, end = _PROMISES
    before, _, rest = page.partition(begin)
    head = (
        "| paginator | `auto` knows it by | rows added at the end while a pull reads "
        "| rows inserted or changed before the reading place | rows deleted while a "
        "pull reads |"
    )
    rows = [head, "|---|---|---|---|---|"]
    paginators: list[type[BasePaginator]] = [AutoPaginator]
    paginators += sorted(PAGINATORS, key=lambda one: one.kind())
    for one in paginators:
        said = one.promises
        cells = (one.known_by, said.appended, said.inserted, said.deleted)
        rows.append(f"| `{one.kind()}` | {' | '.join(cells)} |")
    return before + begin + "\n".join(rows) + "\n" + end + rest.partition(end)[2]


_METRICS = ("<!-- metrics -->\n", "<!-- end of metrics -->\n")


def _with_metrics(page: str) -> str:
    """docs/quality.md with the table of metrics."""
    begin, end = _METRICS
    before, _, rest = page.partition(begin)
    rows = ["| metric | of | counts | `arguments` |", "|---|---|---|---|"]
    for one in METRICS.values():
        taken = ", ".join(f"`{name}`" for name in one.arguments) or "none"
        of = "ODCS" if one.is_odcs else "catflap"
        column = "" if one.needs_column else "; takes no column"
        rows.append(f"| `{one.name}` | {of} | {one.meaning}{column} | {taken} |")
    return before + begin + "\n".join(rows) + "\n" + end + rest.partition(end)[2]


_RUNBOOKS_HEAD = f"""\
# What to do about a verdict

`catflap diagnose` names one cause and what else holds. The causes in their order: the
first that holds is *the* cause, the others are listed with it. This page is generated
from the rules by `{COMMAND}`.
"""
_GROUPS = {
    Group.ALWAYS: "Bites as soon as there is data: the cause in any case",
    Group.STUCK: "Stuck on our way, while the table lacks what upstream has",
    Group.PASSING: "Passes by itself; only where nothing above holds",
    Group.UNCONFIRMED: "The source is unknown, and our own side is seen to be at fault",
    Group.SOURCE: "The source",
    Group.REST: "Nothing else holds",
    Group.MONITOR: "The alerting itself",
    Group.NOTE: "Notes beside a verdict",
}


def _runbooks() -> str:
    """The page of all runbooks, from the rules."""
    parts = [_RUNBOOKS_HEAD]
    for group, title in _GROUPS.items():
        rows = [_row(rule) for rule in RULES if rule.group is group]
        head = "| code | stage | holds when | pages | tells |\n|---|---|---|---|---|"
        parts.append("\n".join([f"## {title}\n", head, *rows]) + "\n")
    return "\n".join(parts)


def _row(rule: Rule) -> str:
    stage = "" if rule.stage is None else rule.stage.value
    told = {frozenset(Audience): "both", frozenset(): "nobody"}.get(
        rule.tell, ", ".join(sorted(rule.tell))
    )
    return (
        f"| [`{rule.code}`]({rule.code}.md) | {stage} | {rule.condition} "
        f"| {rule.pages.value} | {told} |"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
