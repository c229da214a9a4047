"""A trial that stays up, and how commands in other terminals reach it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from cli.deployed.environment import Deployed, reached_in
from cli.deployed.local import FILE, LOCAL, LocalStack
from cli.trial.choice import Choice
from lambdas.core.errors import CatflapError
from local.loopback import Answer, Asked, LoopbackServer
from local.status_page import page_of
from local.trial.kept_state import KeptMoment, KeptState
from local.trial.live import FileWatch, TrialClock, UpstreamClocks, live
from local.trial.trial import SentMessage, Trial
from local.trial.workspace import OWNER
from project.fault import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A trial of `choice` that stays up; `kept` is the state that it leaves."""

    trial: Trial
    choice: Choice
    clock: TrialClock
    clocks: UpstreamClocks
    console: Console
    kept: KeptState

    def until_interrupted(self) -> None:
        """Let schedules tick until Ctrl-C."""
        with LoopbackServer(self._page) as status:
            slack = self.trial.stack.slack.url
            pages = {"status page": status.url, "Slack look-alike": slack}
            local_stack(self.trial, self.clock, pages).write()
            self._introduce(pages)
            try:
                for sent in self._steps(pages):
                    for one in sent:
                        headline = printable(one.mail.subject)
                        self._say(f"{one.at:%H:%M} {one.mail.audience}: {headline}")
            except KeyboardInterrupt:
                self._save(is_last=True)
                self._say(
                    "Ended; `catflap try --stay` goes on from here, --fresh starts "
                    "over."
                )
            finally:
                FILE.unlink(missing_ok=True)

    def _steps(self, pages: Mapping[str, str]) -> Iterator[list[SentMessage]]:
        folders = self.choice.folders

        def redeploy() -> None:
            self._say(_redeployed(self.trial, self.choice))
            local_stack(self.trial, self.clock, pages).write()

        return live(
            self.trial,
            self.clock,
            clocks=self.clocks,
            redeploy=redeploy,
            save=lambda: self._save(is_last=False),
            watch=FileWatch(
                (folders.datasets, folders.apis, folders.environments, folders.models)
            ),
        )

    def _introduce(self, pages: Mapping[str, str]) -> None:
        self._say("")
        for name, url in pages.items():
            self._say(f"{name + ':':<18}{url}")
        self._say("In another terminal every command takes --env local, such as")
        self._say("  catflap status --env local")
        self._say(f"  catflap pull {self.trial.names[0]} --env local")
        self._say("Ctrl-C ends it.")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def _page(self, _: Asked) -> Answer:
        html = {"Content-Type": "text/html; charset=utf-8"}
        shown = page_of(self.trial.stack, now=self.clock.now())
        return Answer(body=shown.encode(), headers=html)

    def _save(self, *, is_last: bool) -> None:
        moment = KeptMoment(now=self.clock.now(), is_real=self.clock.is_real)
        self.trial.save(self.kept, moment, is_last=is_last)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM be what Ctrl-C is: all that was started ends in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _redeployed(trial: Trial, choice: Choice) -> str:
    """Deploy the changed files; what came of it, in a line."""
    made = trial.folder / f"deploy-{len(list(trial.folder.glob('deploy-*'))) + 1}"
    try:
        project = choice.lay_out(made / "project")
        changed = trial.deploy(project, made)
    except CatflapError as error:
        return f"The changed YAML is not deployed:\n{error}"
    what = ", ".join(changed) or "only the datasets"
    return f"Deployed the changed YAML: {what}"


def reached_of(trial: Trial, clock: TrialClock) -> Deployed:
    """The trial's stack as commands reach it, from this process."""
    stack = local_stack(trial, clock, {})
    stack.enter()
    return reached_in(stack.environments, LOCAL)


def local_stack(
    trial: Trial, clock: TrialClock, pages: Mapping[str, str]
) -> LocalStack:
    """Where the trial's stack answers, and what time it is there."""
    return LocalStack(
        owner=trial.folder / OWNER,
        environments=trial.folder / "project" / "environments",
        variables=trial.variables(),
        began_at=clock.began_at,
        start=clock.start,
        speed=clock.speed,
        pages=pages,
        datasets=trial.names,
    )
