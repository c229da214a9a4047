"""What came of a trial, for a person and for a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli.deployed.diagnosis import judged
from cli.deployed.environment import Deployed
from cli.deployed.local import LOCAL
from cli.documents import (
    check_as_line,
    check_document,
    incident_document,
    verdict_as_text,
)
from cli.output import iso, when
from cli.rows import rows_as_json, rows_as_table
from cli.run_documents import run_document
from lambdas.core.text.count import counted
from local.trial.trial import Rows, Trial, TriedDataset, TriedModel
from project.fault import printable


class Outcome:
    """What came of a trial, for a person and for a script."""

    def __init__(
        self,
        trial: Trial,
        queries: Sequence[str],
        *,
        began: datetime,
        ended: datetime,
    ) -> None:
        self._trial = trial
        self._began = began
        self._ended = ended
        self._tried = [trial.tried(name) for name in trial.names]
        relations = (*trial.names, *trial.project.catalogue.models)
        checked = (trial.checks(name) for name in relations)
        self._checks = [one for one in checked if one is not None]
        self._held = {name: trial.held(name) for name in trial.names}
        self._models = trial.models(ended)
        self._answers = [(query, _asked(trial, query)) for query in queries]
        self._verdicts: dict[str, str] = {}

    @property
    def is_well(self) -> bool:
        """Whether nothing is late, failed or unknown."""
        is_checked = all(
            one.state == "pass" for checks in self._checks for one in checks.results
        )
        is_made = all(
            one.rows is not None and one.state.state == "pass" for one in self._models
        )
        is_answered = all(not isinstance(answer, str) for _, answer in self._answers)
        return (
            is_checked
            and is_made
            and is_answered
            and all(one.is_well for one in self._tried)
        )

    def judge(self, reached: Deployed, *, datasets: Path, apis: Path) -> None:
        """Say where the data stopped, of what is not well."""
        for one in (one for one in self._tried if not one.is_well):
            name = one.dataset.name
            found = judged(name, reached, datasets=datasets, apis=apis)
            text = verdict_as_text(found.verdict)
            self._verdicts[name] = reached.pointers.in_text(text)

    def document(self, files: Mapping[str, str]) -> dict[str, object]:
        """For scripts. `files` are what stays: the page, and the messages."""
        return {
            "environment": LOCAL,
            "started_at": iso(self._began),
            "ended_at": iso(self._ended),
            "ok": self.is_well,
            "datasets": [_dataset_document(one) for one in self._tried],
            "models": [_model_document(one) for one in self._models],
            "checks": [
                check_document(checks, one)
                for checks in self._checks
                for one in checks.results
            ],
            "incidents": [
                incident_document(one, self._ended) for one in self._trial.incidents()
            ],
            "messages": [
                {
                    "at": iso(one.at),
                    "audience": one.mail.audience,
                    "channel": one.channel,
                    "kind": one.mail.kind,
                    "page": one.mail.page,
                    "headline": one.mail.subject,
                    "text": one.mail.body,
                }
                for one in self._trial.messages
            ],
            "sql": [
                {"query": query, "columns": [], "rows": [], "error": answer}
                if isinstance(answer, str)
                else {"query": query, **rows_as_json(answer.columns, answer.rows)}
                for query, answer in self._answers
            ],
            "files": dict(files),
        }

    def _check_lines(self, dataset: str) -> list[str]:
        return [
            check_as_line(result)
            for checks in self._checks
            if checks.dataset == dataset
            for result in checks.results
        ]

    def _show_models(self, console: Console) -> None:
        for made in self._models:
            console.print(
                f"\nmodel {made.state.model}: {made.state.state}, "
                f"{_rows(made.rows)}; newest {when(made.state.newest_at)}",
                markup=False,
            )
            for text in self._check_lines(made.state.model):
                console.print(f"  {text}", markup=False)

    def show(self, console: Console) -> None:
        """For a person."""
        for one in self._tried:
            console.print()
            state = _state(one)
            console.print(
                f"{one.dataset.name}: {state}, "
                f"{counted(one.rows_landed, 'row')} landed, "
                f"{_known(one.rows_in_table)} in the table, "
                f"{_known(one.rows_in_relation)} shown; "
                f"newest {when(one.watch.newest_at if one.watch else None)}",
                markup=False,
            )
            if one.relation is not None and one.relation.rows:
                console.print(_shown(one.relation, console.width))
            for text in self._check_lines(one.dataset.name):
                console.print(f"  {text}", markup=False)
            if held := self._held.get(one.dataset.name):
                console.print(
                    f"  held back by its circuit breaker: run {', '.join(held)}",
                    markup=False,
                )
            verdict = self._verdicts.get(one.dataset.name)
            if verdict:
                console.print(verdict, markup=False)
        self._show_models(console)
        for query, answer in self._answers:
            console.print(f"\n{query}", markup=False)
            console.print(
                printable(answer)
                if isinstance(answer, str)
                else _shown(answer, console.width)
            )
        for sent in self._trial.messages:
            console.print(
                f"\nto {sent.mail.audience}: {printable(sent.mail.subject)}",
                markup=False,
            )
            for line in sent.mail.body.split("\n"):
                console.print(f"  {printable(line)}", markup=False)
        if not self._trial.messages:
            console.print("\nNobody had to be told anything.")


def _asked(trial: Trial, query: str) -> Rows | str:
    try:
        return trial.query(query)
    except Exception as error:  # noqa: BLE001 - the person's SQL, and its error
        return f"{error}"


def _dataset_document(one: TriedDataset) -> dict[str, object]:
    return {
        "dataset": one.dataset.name,
        "state": one.state,
        "cause": one.watch.cause if one.watch else None,
        "at_risk": one.is_at_risk,
        "rows_landed": one.rows_landed,
        "rows_in_table": one.rows_in_table,
        "rows_in_relation": one.rows_in_relation,
        "newest_at": iso(one.watch.newest_at) if one.watch else None,
        "runs": [run_document(result) for result in one.results],
    }


def _model_document(one: TriedModel) -> dict[str, object]:
    return {
        "model": one.state.model,
        "rows": one.rows,
        "state": one.state.state if one.rows is not None else "unknown",
        "newest_at": iso(one.state.newest_at),
    }


def _state(one: TriedDataset) -> str:
    if one.has_failed:
        return "PULL FAILED"
    words = {"pass": "well", "no_promise": "no promise"}
    return words.get(one.state, one.state.upper())


def _known(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"


def _rows(count: int | None) -> str:
    return "rows not known" if count is None else counted(count, "row")


def _shown(answer: Rows, width: int) -> Table:
    return rows_as_table(answer.columns, answer.rows, width=width)
