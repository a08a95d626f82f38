"""Mistakes of a coordinator in the consumer protocol, each a rule that is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from impl.core.groups.consumer.consumers import Consumers
from impl.core.groups.consumer.draft import Draft
from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.consumer.records import (
    NO_PARTITIONS,
    CurrentAssignment,
    CurrentRecord,
    MemberRecord,
    TargetRecord,
)
from impl.core.groups.coordinator_log import CoordinatorLog
from spec.wire.errors import ErrorCode

Mistake = Callable[[pytest.MonkeyPatch], None]


def _held_by_others_is_given_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ConsumerGroup, "held_by_others", lambda *_: NO_PARTITIONS)


def _giving_up_needs_no_word(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("impl.core.groups.consumer.reconciling.has_given_up", lambda *_: True)


def _what_is_to_be_given_up_has_no_owner(patch: pytest.MonkeyPatch) -> None:
    own = ConsumerGroup._own

    def forget(self: ConsumerGroup, member_id: str, value: CurrentAssignment | None) -> None:
        own(self, member_id, value)
        for at in NO_PARTITIONS if value is None else value.to_revoke:
            self.owners.pop(at, None)

    patch.setattr(ConsumerGroup, "_own", forget)


def _answers_do_not_wait_for_the_log(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CoordinatorLog, "when_committed", lambda _, __, then: then(ErrorCode.NONE))


def _steps_are_not_written(patch: pytest.MonkeyPatch) -> None:
    put = Draft.put

    def leave_out(self: Draft, *records: Any) -> None:
        put(self, *records)
        self.records = [each for each in self.records if not isinstance(each, CurrentRecord)]

    patch.setattr(Draft, "put", leave_out)


def _who_leaves_keeps_its_partitions(patch: pytest.MonkeyPatch) -> None:
    def without(self: ConsumerGroup, member_id: str) -> Any:
        yield TargetRecord(self.group_id, member_id, None)
        yield MemberRecord(self.group_id, member_id, None)

    own = ConsumerGroup._own

    def keep(self: ConsumerGroup, member_id: str, value: CurrentAssignment | None) -> None:
        if value is not None:
            own(self, member_id, value)

    patch.setattr(ConsumerGroup, "without", without)
    patch.setattr(ConsumerGroup, "_own", keep)


def _topics_are_looked_at_once(patch: pytest.MonkeyPatch) -> None:
    refresh = Draft.refresh

    def only_with_the_member(self: Draft, *, subscriptions_changed: bool) -> None:
        if subscriptions_changed:
            refresh(self, subscriptions_changed=True)

    patch.setattr(Draft, "refresh", only_with_the_member)


def _matches_are_looked_up_once(patch: pytest.MonkeyPatch) -> None:
    match = Draft._match_topics

    def once(self: Draft) -> bool:
        return not self.group.regexes and match(self)

    patch.setattr(Draft, "_match_topics", once)


def _silence_is_forgiven(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Consumers, "_restart_session", lambda *_: None)


def _a_loaded_member_has_no_session(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Consumers, "loaded", lambda *_: None)


def _who_leaves_changes_no_epoch(patch: pytest.MonkeyPatch) -> None:
    refresh = Draft.refresh

    def only_while_it_is_there(self: Draft, *, subscriptions_changed: bool) -> None:
        if not isinstance(self.records[-1] if self.records else None, MemberRecord) or (
            self.records[-1].value is not None
        ):
            refresh(self, subscriptions_changed=subscriptions_changed)

    patch.setattr(Draft, "refresh", only_while_it_is_there)


MISTAKES: dict[str, Mistake] = {
    name.removeprefix("_"): mistake
    for name, mistake in list(globals().items())
    if name.startswith("_") and callable(mistake) and not name.startswith("__")
}
