"""What the log of a new cluster begins with: which features the cluster has, and at which level.

The levels are those of Apache Kafka 4.0; `impl.api.metadata_records` writes the versions of
records that belong to them.
"""

from __future__ import annotations

from impl.core.cluster.current_options import ALL_BROKERS, MIN_INSYNC_REPLICAS
from impl.core.cluster.messages import BROKER_RESOURCE
from impl.core.cluster.metadata_records import ConfigRecord, FeatureLevelRecord, MetadataRecord
from impl.core.config import Properties, render_option
from impl.core.controller.cluster import ELIGIBLE_LEADER_REPLICAS

FEATURES = {
    "metadata.version": 25,
    ELIGIBLE_LEADER_REPLICAS: 1,
    "group.version": 1,
    "transaction.version": 2,
}


def bootstrap_records(properties: Properties) -> tuple[MetadataRecord, ...]:
    """Who is eligible to lead depends on the minimum, so all brokers get one and the same."""
    minimum = render_option(properties.topic_defaults.min_insync_replicas)
    features = (FeatureLevelRecord(name, level) for name, level in FEATURES.items())
    return (*features, ConfigRecord(BROKER_RESOURCE, ALL_BROKERS, MIN_INSYNC_REPLICAS, minimum))
