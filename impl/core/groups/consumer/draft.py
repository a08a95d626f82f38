"""A change to a group in the making: the records to append, and the group as it is after them.

A group changes by records alone, and the records of one change are one batch: after a failure the
whole change is there, or nothing of it. So each step here sees the group with the steps before it,
while the group itself changes only when the batch is written.
"""

from __future__ import annotations

from collections.abc import Iterable

from impl.core.groups.consumer.assigning import ASSIGNORS, Subscriber
from impl.core.groups.consumer.group import ConsumerGroup, Member
from impl.core.groups.consumer.messages import LEAVING_FOR_A_WHILE
from impl.core.groups.consumer.reconciling import Target, reconcile
from impl.core.groups.consumer.records import (
    NO_PARTITIONS,
    STABLE,
    ConsumerRecord,
    CurrentAssignment,
    CurrentRecord,
    GroupEpoch,
    GroupEpochRecord,
    MemberRecord,
    Partitions,
    RegexRecord,
    ResolvedRegex,
    Subscription,
    TargetEpochRecord,
    TargetRecord,
)
from impl.core.groups.consumer.topics import Topics


class Draft:
    def __init__(self, group: ConsumerGroup, topics: Topics, now_ms: int) -> None:
        self.group = group
        self.records: list[ConsumerRecord] = []
        self._topics = topics
        self._now_ms = now_ms

    def put(self, *records: ConsumerRecord) -> None:
        if not self.records:
            self.group = self.group.copy()
        for record in records:
            self.records.append(record)
            self.group.apply(record)

    # Members

    def subscribe(self, member_id: str, subscription: Subscription) -> bool:
        """Says whether the member wants other topics than before."""
        group_id, known = self.group.group_id, self.group.members.get(member_id)
        if known is not None and known.subscription == subscription:
            return False
        self.put(MemberRecord(group_id, member_id, subscription))
        if known is None:
            return True
        before = known.subscription
        return (before.topics, before.regex) != (subscription.topics, subscription.regex)

    def replace(self, old: Member, member_id: str) -> None:
        """GRPS-24: another member id takes the place of a static member that left for a while."""
        group_id, target = self.group.group_id, self.group.target_of(old.member_id)
        current = CurrentAssignment(assigned=old.current.assigned)
        self.remove(old.member_id)
        self.put(
            MemberRecord(group_id, member_id, old.subscription),
            TargetRecord(group_id, member_id, target),
            CurrentRecord(group_id, member_id, current),
        )

    def leave_for_a_while(self, member: Member) -> None:
        """GRPS-24. What it was about to lose it has lost."""
        current = CurrentAssignment(
            LEAVING_FOR_A_WHILE, member.current.previous_epoch, STABLE, member.current.assigned
        )
        self.put(CurrentRecord(self.group.group_id, member.member_id, current))

    def remove(self, member_id: str) -> None:
        self.put(*list(self.group.without(member_id)))

    # The epoch of the group

    def refresh(self, *, subscriptions_changed: bool) -> None:
        """Begin another epoch where members want other topics, or these are others than before."""
        if not subscriptions_changed and self.group.metadata_revision == self._topics.revision:
            return
        matches_changed = self._match_topics()
        found = self._topics.hash_of(self.group.subscribed_topics())
        before = self.group.at_epoch
        if subscriptions_changed or matches_changed or found != before.metadata_hash:
            at_epoch = GroupEpoch(before.epoch + 1, found)
            self.put(GroupEpochRecord(self.group.group_id, at_epoch))

    def _match_topics(self) -> bool:
        """Look up anew which topics the expressions match; says whether it is others."""
        group, in_use = self.group, self.group.regexes_in_use()
        has_changed = False
        for regex in in_use:
            topics, known = self._topics.matching(regex), group.regexes.get(regex)
            if known is None or known.topics != topics:
                resolved = ResolvedRegex(topics, self._topics.revision, self._now_ms)
                self.put(RegexRecord(group.group_id, regex, resolved))
                has_changed = True
        for regex in sorted(group.regexes.keys() - in_use):
            self.put(RegexRecord(group.group_id, regex, None))
        return has_changed

    # The target of the group

    def assign(self, default_assignor: str) -> None:
        """Give the members the targets of this epoch."""
        group = self.group
        if group.epoch <= group.target_epoch:
            return
        assignor = ASSIGNORS[group.preferred_assignor() or default_assignor]
        sizes = self._topics.sizes(group.subscribed_topics())
        targets = assignor(list(self._subscribers(group)), sizes)
        for member_id, target in targets.items():
            if group.targets.get(member_id) != target:
                self.put(TargetRecord(group.group_id, member_id, target))
        self.put(TargetEpochRecord(group.group_id, group.epoch))

    def _subscribers(self, group: ConsumerGroup) -> Iterable[Subscriber]:
        for member_id, member in group.members.items():
            yield Subscriber(
                member_id,
                member.subscription.group_instance_id,
                self._topics.ids_for(group, member),
                group.targets.get(member_id, NO_PARTITIONS),
            )

    # One member

    def reconcile(self, member_id: str, owned: Partitions | None) -> CurrentAssignment:
        group = self.group
        current = group.members[member_id].current
        target = Target(group.target_epoch, group.target_of(member_id))
        step = reconcile(
            current, target, owned, lambda partitions: group.held_by_others(member_id, partitions)
        )
        if step != current:
            self.put(CurrentRecord(group.group_id, member_id, step))
        return step
