"""Does what people asked for: who may, each thing once, and shown at once.

The same as `catflap incident`: the incident's change and its notices are one
transaction, and the next check delivers them. The message that shows the incident is
updated right away; an update can be made twice.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from lambdas.adapters.slack.api import SlackApi, SlackRefused
from lambdas.adapters.slack.people import Members
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput, DeliveryError
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import (
    IncidentContext,
    context_of,
    loading_context,
    monitor_context,
    removed_context,
)
from lambdas.core.incidents.human import (
    Action,
    Change,
    PersonReport,
    as_seen,
    possible,
    said_by,
)
from lambdas.core.incidents.incident import Incident, NoticeKind, Recipient
from lambdas.core.incidents.ports import IncidentState
from lambdas.core.incidents.texts import engineers_message
from lambdas.core.incidents.verdicts.api import api_context
from lambdas.core.names import API, LOADING, MONITOR
from lambdas.core.people.edit import edit, report
from lambdas.core.quality.due import relations
from lambdas.core.slack.asked import REPORT, PersonRequest, queue_id
from lambdas.core.slack.blocks import as_slack, reply
from lambdas.core.slack.post import SlackPost, SlackPosts, group_of, group_value

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOG = logging.getLogger("catflap.people")
_NOT_HERE = "this incident is not shown in this channel"


class PeopleWorker:
    """Takes one request at a time."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        state: IncidentState,
        posts: SlackPosts,
        members: Members,
        api: SlackApi,
        default_channel: str | None,
        routes: Routes,
        sqs: SQSClient,
        pulls_queue_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._state = state
        self._posts = posts
        self._members = members
        self._api = api
        self._default_channel = default_channel
        self._routes = routes
        self._sqs = sqs
        self._pulls_queue_url = pulls_queue_url
        self._now = now

    def work(self, wanted: PersonRequest) -> None:
        """Do it, or tell the person why not. Raises what another delivery may mend."""
        try:
            if wanted.action == REPORT:
                self._report(wanted)
                return
            if (many := group_of(wanted.target)) is not None:
                self._done_to_many(wanted, *many)
                return
            incident, subject, post = self._permitted(wanted)
            change = _change(wanted)
            if change.pull:
                self._pull(incident.dataset, wanted.key)
            after, _ = edit(
                self._state,
                lambda: self._incident(incident.incident_id),
                change,
                subject=subject,
                routes=self._routes,
                now=self._now,
            )
        except BadInput as refused:
            self._answer(wanted, str(refused))
            return
        LOG.info("%s: %s by %s", after.incident_id, wanted.action, wanted.user)
        self._show(after, subject, post)

    def _report(self, wanted: PersonRequest) -> None:
        """Anybody of the workspace may say that something looks wrong."""
        if wanted.target not in relations(self._catalogue):
            raise BadInput(f"there is no dataset or model {wanted.target}")
        if wanted.team != self._members.team():
            raise BadInput("only members of the app's own workspace can do that")
        subject = self._subject(wanted.target)
        told = PersonReport(
            dataset=wanted.target,
            by=wanted.by,
            words=wanted.words or "",
            key=wanted.key,
            user=wanted.user,
            evidence=as_seen(self._state.watch(wanted.target), subject),
        )
        incident = report(
            self._state, told, subject=subject, routes=self._routes, now=self._now
        )
        LOG.info("%s: reported by %s", incident.incident_id, wanted.user)

    def _permitted(
        self, wanted: PersonRequest
    ) -> tuple[Incident, IncidentContext, SlackPost]:
        """The incident, if its message stands where this was clicked and the person is
        a member there. Raises BadInput.
        """
        incident = self._incident(wanted.target)
        subject = self._subject(incident.dataset)
        told_at = incident.told_at(Recipient.ENGINEERS) or subject.engineers_at
        address = told_at or self._default_channel or ""
        post = self._posts.of(address, [incident.incident_id]).get(incident.incident_id)
        if post is None:
            raise BadInput(_NOT_HERE)
        self._refuse_others(wanted, post.channel)
        return incident, subject, post

    def _refuse_others(self, wanted: PersonRequest, channel: str) -> None:
        """Raises BadInput unless it was clicked in that channel by a member of it."""
        if wanted.channel != channel or wanted.team != self._members.team():
            raise BadInput(_NOT_HERE)
        if wanted.user not in self._members.of(channel):
            raise BadInput("only members of this channel can do that; join it first")

    def _done_to_many(self, wanted: PersonRequest, place: str, ts: str) -> None:
        """The same to each incident that a message shows and that is open; of those
        that are over, only the cause can be said. Raises BadInput, and StateConflict,
        after which the next delivery does the rest: each incident knows the click.
        """
        group = self._posts.group(place, ts)
        if group is None:
            raise BadInput(_NOT_HERE)
        self._refuse_others(wanted, group.channel)
        posts = self._posts.of(place, group.incidents)
        said, refused = "", "all of these are over, or were done before"
        for incident_id in [one for one, post in posts.items() if post.ts == ts]:
            try:
                said = self._done_to_one_of_many(wanted, incident_id) or said
            except BadInput as error:
                refused = str(error)
        LOG.info("%s of %s: %s", wanted.action, len(posts), wanted.user)
        if not said:
            raise BadInput(refused)
        shown = group.having(said)
        value = group_value(place)
        self._update(
            as_slack(shown.shown, actions=shown.actions, incident_id=value),
            channel=group.channel,
            ts=ts,
        )
        self._posts.keep_group(place, shown)

    def _done_to_one_of_many(self, wanted: PersonRequest, incident_id: str) -> str:
        """What was done by this click, now or before; empty if nothing was."""
        incident = self._incident(incident_id)
        change = dataclasses.replace(_change(wanted), is_of_many=True)
        if incident.resolved_at is not None and change.cause is None:
            return ""
        after, _ = edit(
            self._state,
            lambda: self._incident(incident_id),
            change,
            subject=self._subject(incident.dataset),
            routes=self._routes,
            now=self._now,
        )
        done = (one.said for one in after.human.actions if one.key == wanted.key)
        return next(done, "")

    def _incident(self, incident_id: str) -> Incident:
        found = self._state.incident(incident_id)
        if found is None:
            raise BadInput(f"there is no incident {incident_id}")
        return found

    def _subject(self, name: str) -> IncidentContext:
        ours: Mapping[str, Callable[[], IncidentContext]] = {
            MONITOR: monitor_context,
            LOADING: loading_context,
        }
        if name in ours:
            return ours[name]()
        if name.startswith(API):
            return api_context(name, self._catalogue.datasets.values())
        dataset = relations(self._catalogue).get(name)
        return removed_context(name) if dataset is None else context_of(dataset)

    def _pull(self, dataset: str, key: str) -> None:
        """Wake the dataset; the same click again is dropped by the queue."""
        if dataset not in self._catalogue.datasets:
            raise BadInput(f"{dataset} is no dataset that can be pulled")
        body = f'{{"dataset":"{dataset}","reason":"manual"}}'
        self._sqs.send_message(
            QueueUrl=self._pulls_queue_url,
            MessageBody=body,
            MessageGroupId=dataset,
            MessageDeduplicationId=queue_id(key),
        )

    def _show(
        self, incident: Incident, subject: IncidentContext, post: SlackPost
    ) -> None:
        if post.members > 1:
            return
        message = engineers_message(
            NoticeKind.EDITED, incident, said_by(incident), subject, page=False
        )
        said = as_slack(
            message, actions=possible(incident), incident_id=incident.incident_id
        )
        self._update(said, channel=post.channel, ts=post.ts)

    def _update(self, said: Mapping[str, object], *, channel: str, ts: str) -> None:
        where = {"channel": channel, "ts": ts, "parse": "none"}
        try:
            self._api.call("chat.update", {**said, **where})
        except DeliveryError as error:
            LOG.warning("the message is updated by the next check: %s", error)

    def _answer(self, wanted: PersonRequest, sentence: str) -> None:
        """Tell the one person; nobody else sees it."""
        LOG.info("refused %s of %s: %s", wanted.action, wanted.user, sentence)
        said = {**reply(f"That was not done: {sentence}."), "parse": "none"}
        here = {**said, "channel": wanted.channel, "user": wanted.user}
        try:
            try:
                self._api.call("chat.postEphemeral", here)
            except SlackRefused:  # the app is no member there: a message of their own
                self._api.call("chat.postMessage", {**said, "channel": wanted.user})
        except DeliveryError as error:
            LOG.warning("%s was not told why: %s", wanted.user, error)


def _change(wanted: PersonRequest) -> Change:
    action = Action(wanted.action)
    is_promise = action is Action.PROMISE
    return Change(
        by=wanted.by,
        key=wanted.key,
        acknowledge=action is Action.ACKNOWLEDGE,
        promised_for=wanted.when if is_promise else None,
        words=wanted.words if is_promise else None,
        snooze_until=wanted.when if action is Action.SNOOZE else None,
        cause=wanted.cause,
        note=wanted.words if action is Action.CAUSE else None,
        fix_url=wanted.fix_url,
        false_alarm=action is Action.FALSE_ALARM,
        resolve=action is Action.RESOLVE,
        pull=action is Action.PULL,
    )
