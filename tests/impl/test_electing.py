"""ElectLeaders, as one broker can answer it."""

import pytest

from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.electing import PREFERRED, UNCLEAN, ElectLeaders, elect_leaders
from impl.core.cluster.topics import NO_TOPIC_ID
from spec.wire.errors import ErrorCode

LED = Assignment(replicas=(1, 2), isr=(1, 2), leader=1, leader_epoch=0, partition_epoch=0)
LED_BY_ANOTHER = Assignment(
    replicas=(1, 2), isr=(1, 2), leader=2, leader_epoch=1, partition_epoch=0
)
LEADERLESS = Assignment(replicas=(1, 2), isr=(1,), leader=-1, leader_epoch=2, partition_epoch=0)


@pytest.fixture
def catalogue() -> Catalogue:
    found = Catalogue()
    partitions = {0: LED, 1: LED_BY_ANOTHER, 2: LEADERLESS}
    found.topics["events"] = Topic("events", NO_TOPIC_ID, dict(partitions))
    return found


@pytest.mark.parametrize(
    ("kind", "partition", "error"),
    [
        (PREFERRED, 0, ErrorCode.ELECTION_NOT_NEEDED),
        (PREFERRED, 1, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE),
        (UNCLEAN, 1, ErrorCode.ELECTION_NOT_NEEDED),
        (UNCLEAN, 2, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE),
        (PREFERRED, 9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_the_answer_says_why_nothing_is_elected(
    catalogue: Catalogue, kind: int, partition: int, error: ErrorCode
) -> None:
    held = elect_leaders(catalogue, ElectLeaders(kind, [("events", [partition])]))
    assert [each.error for _, outcomes in held.topics for each in outcomes] == [error]


def test_an_election_for_all_leaves_out_what_needs_none(catalogue: Catalogue) -> None:
    held = elect_leaders(catalogue, ElectLeaders(PREFERRED, None))
    assert [each.partition for _, outcomes in held.topics for each in outcomes] == [1, 2]


def test_an_unknown_type_of_election_is_refused(catalogue: Catalogue) -> None:
    held = elect_leaders(catalogue, ElectLeaders(7, None))
    assert held.error == ErrorCode.INVALID_REQUEST
