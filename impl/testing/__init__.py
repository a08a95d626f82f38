"""A Kafka cluster inside a test: real TCP on free ports of this machine, and trouble on demand.

    from impl.testing import Cluster

    def test_orders_survive_the_death_of_a_broker():
        with Cluster(brokers=3) as cluster:
            cluster.create_topic("orders", replication_factor=3)
            producer = Producer({"bootstrap.servers": cluster.bootstrap_servers})
            ...
            cluster.kill(cluster.leader("orders", 0))

The brokers are the reference broker itself, each in a thread of its own. Whatever speaks Kafka's
protocol is a client of theirs.
"""

from impl.testing.cluster import Cluster
from impl.testing.faults import Fault
from impl.testing.journal import Asked
from impl.testing.machine import ClusterError
from impl.testing.network import CLIENTS
from spec.wire.errors import ErrorCode

__all__ = ["CLIENTS", "Asked", "Cluster", "ClusterError", "ErrorCode", "Fault"]
