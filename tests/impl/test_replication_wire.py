"""What followers ask and hear is the same on both sides of the wire."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from impl.api.asked import ASKED
from impl.api.fetch import FETCH_APIS
from impl.api.produce import PRODUCE_APIS
from impl.api.translation import Translation
from impl.core.cluster.messages import Endpoint
from impl.core.data.messages import (
    EARLIEST,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
    ListedOffset,
    ListedOffsets,
    ListOffsets,
    PartitionTimestamp,
    Produced,
    ProducedPartition,
)
from impl.core.log.leader_epochs import EpochEnd
from impl.wire import (
    Request,
    Struct,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from spec.wire.errors import ErrorCode

ONE, OTHER = UUID(int=1), UUID(int=5)
LEADER = Endpoint(3, "there", 9094, "rack")


def across(api_name: str, version: int, body: Struct) -> Request:
    """A request as the other node gets it."""
    parts = encode_request(api_name, version, 1, "", body)
    return decode_request(b"".join(parts[1:]))


def back(request: Request, answer: Struct) -> Struct:
    frame = b"".join(encode_response(request, answer)[1:])
    return decode_response(request.api_name, request.api_version, frame)[1]


def asked(request: Any) -> tuple[Request, Any]:
    asking = ASKED[type(request)]
    arrived = across(asking.api_name, asking.version, asking.write(request))
    return arrived, FETCH_APIS[asking.api_name].read(arrived, "localhost")


def heard(request: Any, result: Any) -> Any:
    arrived, _ = asked(request)
    asking = ASKED[type(request)]
    return asking.read(back(arrived, FETCH_APIS[asking.api_name].write(arrived, result)))


FETCH = Fetch(
    max_wait_ms=500,
    min_bytes=1,
    max_bytes=1 << 20,
    partitions=(
        FetchPartition(ONE, 0, 5, 100, 2, 1, high_watermark=4, log_start_offset=3),
        FetchPartition(ONE, 1, 0, 100),
        FetchPartition(OTHER, 0, 7, 100, 2, 2),
    ),
    forgotten=((ONE, 2), (ONE, 3), (OTHER, 1)),
    session_id=77,
    session_epoch=4,
    replica_id=2,
    replica_epoch=42,
    uses_topic_ids=True,
    cluster_id="cluster",
    may_read_from_follower=True,
)


def test_a_fetch_arrives_as_it_was_asked() -> None:
    assert asked(FETCH)[1] == FETCH


def test_what_was_fetched_comes_back_as_it_was_answered() -> None:
    fetched = Fetched(
        (
            FetchedPartition(ONE, 0, ErrorCode.NONE, 9, 8, 3, b"some records"),
            FetchedPartition(ONE, 1, diverging_epoch=EpochEnd(1, 6), current_leader=(-1, 7)),
            FetchedPartition(
                OTHER,
                0,
                ErrorCode.FENCED_LEADER_EPOCH,
                lists_aborted_transactions=True,
                aborted=((4, 11), (5, 12)),
                current_leader=(3, 7),
            ),
        ),
        session_id=77,
        endpoints=(LEADER,),
    )
    assert heard(FETCH, fetched) == fetched
    refused = Fetched(error=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    assert heard(FETCH, refused) == refused


def test_fetched_records_are_not_copied() -> None:
    fetched = Fetched((FetchedPartition(ONE, 0, records=b"some records"),))
    assert isinstance(heard(FETCH, fetched).partitions[0].records, memoryview)


def test_offsets_are_asked_for_and_come_back() -> None:
    request = ListOffsets(
        (PartitionTimestamp("a", 0, EARLIEST, 3), PartitionTimestamp("b", 1, EARLIEST, 3)),
        replica_id=2,
    )
    assert asked(request)[1] == request
    listed = ListedOffsets(
        (
            ListedOffset("a", 0, offset=4, leader_epoch=2),
            ListedOffset("b", 1, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        )
    )
    assert heard(request, listed) == listed


@pytest.mark.parametrize(
    ("api", "versions", "result", "named_since"),
    [
        (
            PRODUCE_APIS["Produce"],
            (3, 9, 10, 12),
            Produced((ProducedPartition("a", 0, ErrorCode(6), current_leader=(3, 7)),), (LEADER,)),
            10,
        ),
        (
            FETCH_APIS["Fetch"],
            (4, 11, 12),
            Fetched((FetchedPartition("a", 0, ErrorCode(6), current_leader=(3, 7)),)),
            12,
        ),
    ],
)
def test_who_does_not_lead_names_the_leader_where_the_version_can(
    api: Translation, versions: tuple[int, ...], result: Any, named_since: int
) -> None:
    """ELEC-14, KIP-951."""
    name = "Produce" if isinstance(result, Produced) else "Fetch"
    for version in versions:
        request = across(name, version, Struct())
        answer = back(request, api.write(request, result))
        topic = answer.responses[0]
        answers = topic.partition_responses if name == "Produce" else topic.partitions
        leader = answers[0].current_leader
        is_named = (leader.leader_id, leader.leader_epoch) == (3, 7)
        assert is_named == (version >= named_since), version
        if name == "Produce":
            assert len(answer.node_endpoints) == is_named
