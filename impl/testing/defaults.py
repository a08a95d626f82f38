"""The properties with which the brokers of the double differ from Apache Kafka's defaults.

In a test, waiting is what costs: who is dead is to be found out within a second or two, a group is
to have its assignment at once, and the brokers' own topics are to be small.
"""

from __future__ import annotations

from collections.abc import Mapping


def default_properties(brokers: int) -> Mapping[str, str]:
    replicas = str(min(brokers, 3))
    in_sync = str(min(brokers, 2))
    return {
        # Brokers that died are missed after half a second, controllers after a second.
        "broker.heartbeat.interval.ms": "50",
        "broker.session.timeout.ms": "500",
        "controller.quorum.election.backoff.max.ms": "100",
        "controller.quorum.election.timeout.ms": "100",
        "controller.quorum.fetch.timeout.ms": "750",
        "controller.quorum.request.timeout.ms": "1000",
        # Followers leave the in-sync replicas after a second, and return at once.
        "replica.fetch.backoff.ms": "50",
        "replica.fetch.wait.max.ms": "100",
        "replica.lag.time.max.ms": "1000",
        "replica.socket.timeout.ms": "1000",
        # Groups begin at once, and may have short sessions.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "100",
        # As many replicas as there are brokers, up to three; small topics of the brokers' own.
        "default.replication.factor": replicas,
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": replicas,
    }
