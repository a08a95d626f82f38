"""What a broker says that its settings are, for checks of limits that depend on them."""

from conformance.session import Session
from conformance.verdict import Broken
from spec.wire.errors import ErrorCode

BROKER = 4
"""The type of resource for which DescribeConfigs tells a broker's settings."""


def broker_number(session: Session, name: str) -> int | None:
    """A setting that is a number, or None if the broker does not tell."""
    client = session.broker
    if "DescribeConfigs" not in client.versions:
        return None
    try:
        node = client.call("Metadata", topics=[]).brokers[0].node_id
        resource = {
            "resource_type": BROKER,
            "resource_name": str(node),
            "configuration_keys": [name],
        }
        result = client.call("DescribeConfigs", resources=[resource]).results[0]
    except Broken:
        return None
    if result.error_code != ErrorCode.NONE:
        return None
    told = [config.value for config in result.configs if config.name == name and config.value]
    return int(told[0]) if told else None


def broker_limit(session: Session, name: str) -> int:
    """A setting that the check cannot do without; inconclusive if the broker does not tell."""
    limit = broker_number(session, name)
    if limit is None:
        session.inconclusive(f"the broker does not tell its {name}")
    return limit
