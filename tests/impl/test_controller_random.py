"""Random histories of brokers, proposals, elections and reassignments, under one controller.

Beside the records goes a ghost: who holds everything that may have been committed. While the
in-sync replicas reach the minimum, that is they; below it nothing is committed, so who leaves
still holds it, and who enters has caught up. A broker back from an unclean stop may hold less.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from impl.core.cluster.catalogue import Assignment, Catalogue
from impl.core.cluster.electing import PREFERRED, UNCLEAN
from impl.core.cluster.metadata_records import PartitionChangeRecord, PartitionRecord
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import TOPIC, ControllerWorld

BROKERS = (1, 2, 3, 4)

broker_ids = st.sampled_from(BROKERS)
replica_lists = st.permutations(BROKERS).flatmap(
    lambda order: st.integers(1, 3).map(lambda count: tuple(order[:count]))
)


class Controlled(RuleBasedStateMachine):
    @initialize(replicas=replica_lists, minimum=st.integers(1, 3))
    def begin(self, replicas: tuple[int, ...], minimum: int) -> None:
        self.world = ControllerWorld(brokers=len(BROKERS))
        self.minimum = minimum
        self.holders: set[int] = set()
        self.catalogue = Catalogue()
        self.read = 0
        self.broker_epochs: dict[int, int] = {}
        self.world.create(*replicas, min_insync_replicas=str(minimum))

    # What happens

    @rule(broker_id=broker_ids)
    def is_silent(self, broker_id: int) -> None:
        self.world.fall_silent(broker_id)

    @rule(broker_id=broker_ids)
    def all_but_one_are_silent(self, broker_id: int) -> None:
        self.world.fall_silent(*(each for each in BROKERS if each != broker_id))

    @rule(broker_id=broker_ids, wants_fence=st.booleans())
    def is_heard_of(self, broker_id: int, wants_fence: bool) -> None:
        self.world.beat(broker_id, wants_fence=wants_fence)

    @rule(broker_id=broker_ids)
    def wants_to_stop(self, broker_id: int) -> None:
        self.world.beat(broker_id, wants_shut_down=True)

    @rule(broker_id=broker_ids, cleanly=st.booleans(), catches_up=st.booleans())
    def starts_again(self, broker_id: int, cleanly: bool, catches_up: bool) -> None:
        former = self.world.epochs[broker_id] if cleanly else -1
        registered = self.world.register(broker_id, previous_broker_epoch=former)
        if registered.error is ErrorCode.NONE:
            if not cleanly:
                self.holders.discard(broker_id)
            if catches_up:
                self.world.beat(broker_id)

    @precondition(lambda self: self.world.partition().leader != -1)
    @rule(isr=st.sets(broker_ids))
    def leader_proposes(self, isr: set[int]) -> None:
        leader = self.world.partition().leader
        altered = self.world.propose(*sorted({leader, *isr}))
        if altered.error in (ErrorCode.NONE, ErrorCode.NEW_LEADER_ELECTED):
            self.holders |= {leader, *isr}

    @rule(kind=st.sampled_from((PREFERRED, UNCLEAN)))
    def operator_elects(self, kind: int) -> None:
        self.world.elect(kind)

    @rule(replicas=replica_lists)
    def operator_reassigns(self, replicas: tuple[int, ...]) -> None:
        assert self.world.reassign(*replicas) is ErrorCode.NONE

    @rule()
    def operator_cancels(self) -> None:
        self.world.reassign(cancel=True)

    @rule()
    def another_controller_takes_office(self) -> None:
        self.world.take_office()

    # What must be so

    @invariant()
    def every_record_keeps_what_is_committed(self) -> None:
        while self.read < len(self.world.log):
            record = self.world.log[self.read]
            self.read += 1
            is_change = isinstance(record, PartitionChangeRecord)
            before = self.catalogue.topics[TOPIC].partitions[0] if is_change else None
            self.catalogue.apply(record)
            if isinstance(record, PartitionChangeRecord | PartitionRecord):
                self._follow(before, self.catalogue.topics[TOPIC].partitions[0])

    def _follow(self, before: Assignment | None, after: Assignment) -> None:
        isr, eligible = set(after.isr), set(after.eligible_leader_replicas)
        assert isr | eligible <= set(after.replicas)
        assert not isr & eligible
        assert after.leader == -1 or after.leader in isr
        if before is not None:
            assert after.partition_epoch == before.partition_epoch + 1
            assert after.leader_epoch >= before.leader_epoch
            if after.leader != before.leader:
                assert after.leader_epoch > before.leader_epoch
                self._elected(after)
        if len(isr) >= min(self.minimum, len(after.replicas)):
            self.holders = isr
        self.holders = (self.holders | isr) & set(after.replicas)
        assert self.holders == isr | eligible

    def _elected(self, after: Assignment) -> None:
        if after.leader == -1:
            return
        if after.leader_recovery_state:
            assert after.isr == (after.leader,)
            self.holders = {after.leader}
        assert after.leader in self.holders

    @invariant()
    def leaders_and_those_in_sync_are_alive(self) -> None:
        partition = self.world.partition()
        for replica in partition.isr if partition.leader != -1 else ():
            assert self.world.catalogue.is_active(replica)

    @invariant()
    def nobody_waits_for_a_leader_in_vain(self) -> None:
        partition = self.world.partition()
        candidates = partition.isr or partition.eligible_leader_replicas
        if partition.leader == -1:
            assert not any(map(self.world.catalogue.is_active, candidates))

    @invariant()
    def broker_epochs_grow(self) -> None:
        for broker_id, broker in self.world.catalogue.brokers.items():
            assert broker.broker_epoch >= self.broker_epochs.get(broker_id, -1)
            self.broker_epochs[broker_id] = broker.broker_epoch

    @invariant()
    def a_reassignment_that_can_end_has_ended(self) -> None:
        partition = self.world.partition()
        if partition.adding_replicas or partition.removing_replicas:
            target = set(partition.replicas) - set(partition.removing_replicas)
            assert not target <= set(partition.isr)


Controlled.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestControlled = Controlled.TestCase
