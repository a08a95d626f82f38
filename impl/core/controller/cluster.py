"""What the controller decides by: the catalogue, the options that hold now, and the ledger.

Shared by the rooms of the controller; each change of a partition is planned and written here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from impl.core.cluster.catalogue import Assignment, Catalogue, Registration, Topic
from impl.core.cluster.current_options import CurrentOptions
from impl.core.controller.ledger import Ledger
from impl.core.controller.partition_change import Election, Rules, change_record, plan_change
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

ELIGIBLE_LEADER_REPLICAS = "eligible.leader.replicas.version"


class Cluster:
    def __init__(self, ledger: Ledger, options: CurrentOptions) -> None:
        self.ledger = ledger
        self.options = options

    @property
    def catalogue(self) -> Catalogue:
        return self.ledger.catalogue

    @property
    def has_eligible(self) -> bool:
        return self.catalogue.features.get(ELIGIBLE_LEADER_REPLICAS, 0) > 0

    def registered(self, broker_id: int, broker_epoch: int) -> Registration:
        """CLUS-04. Raises KafkaError."""
        found = self.catalogue.brokers.get(broker_id)
        if found is None or found.broker_epoch != broker_epoch:
            raise KafkaError(ErrorCode.STALE_BROKER_EPOCH)
        return found

    def partitions(self) -> Iterator[tuple[Topic, int, Assignment]]:
        """All of them, as they are when the iteration begins."""
        for topic in tuple(self.catalogue.topics.values()):
            for index, assignment in tuple(topic.partitions.items()):
                yield topic, index, assignment

    def may_elect_uncleanly(self, topic: Topic) -> bool:
        return self.options.of_topic(topic).unclean_leader_election_enable

    def change(
        self,
        topic: Topic,
        index: int,
        wanted: Assignment,
        election: Election | None = None,
        struck: Collection[int] = (),
    ) -> bool:
        """Bring a partition as near to `wanted` as the rules allow; whether anything changed.

        Without an election the topic's own option says which one is held.
        """
        options = self.options.of_topic(topic)
        if election is None:
            unclean = options.unclean_leader_election_enable
            election = Election.UNCLEAN if unclean else Election.ONLINE
        rules = Rules(
            self.catalogue.is_active,
            options.min_insync_replicas,
            self.has_eligible,
            election,
        )
        old = topic.partitions[index]
        new = plan_change(old, wanted, rules, struck)
        record = change_record(topic.topic_id, index, old, new)
        if record is None:
            return False
        self.ledger.write(record)
        return True
