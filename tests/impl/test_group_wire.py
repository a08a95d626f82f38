"""The group APIs in every version, from the bytes of a request to the bytes of its response."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from impl.api.group_offsets import TRANSACTIONAL_GROUP_APIS
from impl.api.group_records import decode_record, encode_record, read_subscription
from impl.api.groups import GROUP_APIS
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import TopicPartition
from impl.core.groups.lookup import (
    GROUP as GROUP_KEY,
)
from impl.core.groups.lookup import (
    TRANSACTION,
    FindCoordinators,
    FoundCoordinator,
    FoundCoordinators,
    find_coordinators,
)
from impl.core.groups.messages import ProducerIdentity
from impl.core.groups.records import (
    CommittedOffset,
    CoordinatorRecord,
    GroupRecord,
    OffsetRecord,
    StoredGroup,
    StoredMember,
)
from impl.wire import (
    Struct,
    decode_request,
    decode_response,
    encode_message,
    encode_request,
    encode_response,
)
from spec.wire import request
from spec.wire.errors import ErrorCode
from tests.impl.group_world import CONFIG, GROUP, World, catalogue_of

APIS = GROUP_APIS | TRANSACTIONAL_GROUP_APIS
DELAY_MS = CONFIG.group_initial_rebalance_delay_ms
ORDERS_ID = UUID(int=1)
AT = TopicPartition("orders", 0)


def versions(*names: str) -> list[tuple[str, int]]:
    return [(name, version) for name in names for version in APIS[name].versions]


def test_every_version_that_is_known_is_served() -> None:
    for name, api in APIS.items():
        assert list(api.versions) == list(request(name).valid_versions), name


class WireWorld(World):
    """Asks in bytes, and reads the answer from bytes."""

    def call(self, name: str, version: int, **fields: Any) -> Struct:
        return self.answer(*self.send(name, version, **fields))

    def send(self, name: str, version: int, **fields: Any) -> tuple[Any, Any]:
        frame = b"".join(encode_request(name, version, 7, "tester", Struct(**fields)))[4:]
        decoded = decode_request(frame)
        return decoded, self.ask(APIS[name].read(decoded, "/127.0.0.1"))

    def answer(self, decoded: Any, ticket: Any) -> Struct:
        body = APIS[decoded.api_name].write(decoded, ticket.reply)
        frame = b"".join(encode_response(decoded, body))[4:]
        correlation_id, response = decode_response(decoded.api_name, decoded.api_version, frame)
        assert correlation_id == 7
        return response

    def join_by_wire(self, version: int) -> Struct:
        fields: dict[str, Any] = {
            "group_id": GROUP,
            "session_timeout_ms": 10_000,
            "protocol_type": "consumer",
            "protocols": [Struct(name="range", metadata=b"orders")],
        }
        if version >= 1:
            fields["rebalance_timeout_ms"] = 60_000
        if version >= 4:
            told = self.call("JoinGroup", version, **fields)
            assert told.error_code == ErrorCode.MEMBER_ID_REQUIRED
            fields["member_id"] = told.member_id
        sent = self.send("JoinGroup", version, **fields)
        self.pass_time(DELAY_MS)
        return self.answer(*sent)


def topic(name: str, version: int, ids_since: int, **fields: Any) -> Struct:
    if version >= ids_since:
        return Struct(topic_id=UUID(int=0) if name == "none" else ORDERS_ID, **fields)
    return Struct(name=name, **fields)


@pytest.mark.parametrize(("name", "version"), versions("JoinGroup"))
def test_join_group(name: str, version: int) -> None:
    world = WireWorld()
    joined = world.join_by_wire(version)
    assert joined.error_code == 0
    assert joined.generation_id == 1
    assert joined.leader == joined.member_id
    assert joined.protocol_name == "range"
    assert [(m.member_id, m.metadata) for m in joined.members] == [(joined.member_id, b"orders")]
    assert world.describe().members[0].client_id == "tester"
    refused = world.call(name, version, group_id="", session_timeout_ms=10_000)
    assert refused.error_code == ErrorCode.INVALID_GROUP_ID


def test_the_first_join_group_takes_the_session_timeout_for_the_rebalance_timeout() -> None:
    world = WireWorld()
    member_id = world.join_by_wire(0).member_id
    world.commits_at_once = True
    named = Struct(member_id=member_id, assignment=b"")
    world.call(
        "SyncGroup", 0, group_id=GROUP, generation_id=1, member_id=member_id, assignments=[named]
    )
    _, joined = world.first_join()
    world.pass_time(10_000)
    assert joined.reply.generation_id == 2


@pytest.mark.parametrize(("name", "version"), versions("SyncGroup"))
def test_sync_group(name: str, version: int) -> None:
    world = WireWorld()
    member_id = world.join_by_wire(9).member_id
    fields: dict[str, Any] = {"group_id": GROUP, "generation_id": 1, "member_id": member_id}
    if version >= 5:
        fields |= {"protocol_type": "consumer", "protocol_name": "range"}
    mine = Struct(member_id=member_id, assignment=b"all")
    assert world.call(name, version, **fields, assignments=[mine]).assignment == b"all"
    stale = world.call(name, version, **(fields | {"generation_id": 3}))
    assert stale.error_code == ErrorCode.ILLEGAL_GENERATION
    assert stale.assignment == b""


@pytest.mark.parametrize(("name", "version"), versions("Heartbeat"))
def test_heartbeat(name: str, version: int) -> None:
    world = WireWorld()
    member_id = world.join_by_wire(9).member_id
    fields = {"group_id": GROUP, "member_id": member_id}
    assert world.call(name, version, **fields, generation_id=1).error_code == 0
    stale = world.call(name, version, **fields, generation_id=2)
    assert stale.error_code == ErrorCode.ILLEGAL_GENERATION


@pytest.mark.parametrize(("name", "version"), versions("LeaveGroup"))
def test_leave_group(name: str, version: int) -> None:
    world = WireWorld()
    member_id = world.join_by_wire(9).member_id
    for expected in (ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID):
        if version < 3:
            left = world.call(name, version, group_id=GROUP, member_id=member_id)
            assert left.error_code == expected
        else:
            who = Struct(member_id=member_id)
            left = world.call(name, version, group_id=GROUP, members=[who])
            assert left.error_code == 0
            assert [(m.member_id, m.error_code) for m in left.members] == [(member_id, expected)]


@pytest.mark.parametrize(("name", "version"), versions("OffsetCommit"))
def test_offset_commit(name: str, version: int) -> None:
    world = WireWorld()
    committed = Struct(partition_index=0, committed_offset=5, committed_metadata="here")
    missing = Struct(partition_index=9, committed_offset=5, committed_metadata=None)
    orders = topic("orders", version, 10, partitions=[committed, missing])
    (answered,) = world.call(name, version, group_id=GROUP, topics=[orders]).topics
    assert [(p.partition_index, p.error_code) for p in answered.partitions] == [
        (0, ErrorCode.NONE),
        (9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert (answered.topic_id if version >= 10 else answered.name) in ("orders", ORDERS_ID)
    assert world.fetch().offset == 5
    assert world.fetch().metadata == "here"


@pytest.mark.parametrize(("name", "version"), versions("TxnOffsetCommit"))
def test_txn_offset_commit(name: str, version: int) -> None:
    world = WireWorld()
    committed = Struct(partition_index=0, committed_offset=5, committed_metadata=None)
    orders = topic("orders", version, 6, partitions=[committed])
    fields = {"transactional_id": "t", "producer_id": 7, "producer_epoch": 0}
    (answered,) = world.call(name, version, group_id=GROUP, topics=[orders], **fields).topics
    assert answered.partitions[0].error_code == 0
    assert world.fetch().offset == -1
    world.coordinator.end_transaction(world.partition(), 7, commit=True)
    assert world.fetch().offset == 5


@pytest.mark.parametrize(("name", "version"), versions("OffsetFetch"))
def test_offset_fetch(name: str, version: int) -> None:
    world = WireWorld()
    world.commit(5, leader_epoch=3, metadata="here")

    def fetched(wanted: list[Struct] | None) -> list[tuple[int, int, int, str]]:
        if version >= 8:
            group = Struct(group_id=GROUP, topics=wanted)
            (answered,) = world.call(name, version, groups=[group]).groups
            assert answered.group_id == GROUP
        else:
            answered = world.call(name, version, group_id=GROUP, topics=wanted)
        assert answered.error_code == 0
        return [
            (p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata)
            for each in answered.topics
            for p in each.partitions
        ]

    leader_epoch = 3 if version >= 5 else -1
    committed, nothing = (0, 5, leader_epoch, "here"), (1, -1, -1, "")
    wanted = topic("orders", version, 10, partition_indexes=[0, 1])
    assert fetched([wanted]) == [committed, nothing]
    if version >= 2:
        assert fetched(None) == [committed]


@pytest.mark.parametrize(("name", "version"), versions("OffsetFetch"))
def test_offset_fetch_where_the_coordinator_is_not(name: str, version: int) -> None:
    world = WireWorld()
    world.unload()
    wanted = topic("orders", version, 10, partition_indexes=[0])
    if version >= 8:
        group = Struct(group_id=GROUP, topics=[wanted])
        (answered,) = world.call(name, version, groups=[group]).groups
    else:
        answered = world.call(name, version, group_id=GROUP, topics=[wanted])
    if version < 2:
        (partition,) = answered.topics[0].partitions
        assert partition.error_code == ErrorCode.NOT_COORDINATOR
    else:
        assert answered.error_code == ErrorCode.NOT_COORDINATOR


def test_offset_delete() -> None:
    world = WireWorld()
    world.commit(5)
    orders = Struct(name="orders", partitions=[Struct(partition_index=0)])
    deleted = world.call("OffsetDelete", 0, group_id=GROUP, topics=[orders])
    assert deleted.topics[0].partitions[0].error_code == 0
    assert world.fetch().offset == -1
    refused = world.call("OffsetDelete", 0, group_id="nobody", topics=[orders])
    assert (refused.error_code, refused.topics) == (ErrorCode.GROUP_ID_NOT_FOUND, [])


@pytest.mark.parametrize(("name", "version"), versions("DescribeGroups"))
def test_describe_groups(name: str, version: int) -> None:
    world = WireWorld()
    world.stable_group(1)
    known, unknown = world.call(name, version, groups=[GROUP, "nobody"]).groups
    assert (known.error_code, known.group_state) == (0, "Stable")
    assert (known.protocol_type, known.protocol_data) == ("consumer", "range")
    assert known.members[0].client_host == "/127.0.0.1"
    assert unknown.group_state == "Dead"
    assert unknown.error_code == (ErrorCode.GROUP_ID_NOT_FOUND if version >= 6 else 0)


@pytest.mark.parametrize(("name", "version"), versions("ListGroups"))
def test_list_groups(name: str, version: int) -> None:
    world = WireWorld()
    world.stable_group(1)
    (listed,) = world.call(name, version).groups
    assert (listed.group_id, listed.protocol_type) == (GROUP, "consumer")
    if version >= 4:
        assert listed.group_state == "Stable"
        assert world.call(name, version, states_filter=["Empty"]).groups == []
    if version >= 5:
        assert listed.group_type == "classic"
        assert world.call(name, version, types_filter=["consumer"]).groups == []


@pytest.mark.parametrize(("name", "version"), versions("DeleteGroups"))
def test_delete_groups(name: str, version: int) -> None:
    world = WireWorld()
    world.commit(1)
    deleted = world.call(name, version, groups_names=[GROUP, "nobody"]).results
    assert [(each.group_id, each.error_code) for each in deleted] == [
        (GROUP, ErrorCode.NONE),
        ("nobody", ErrorCode.GROUP_ID_NOT_FOUND),
    ]


@pytest.mark.parametrize(("name", "version"), versions("FindCoordinator"))
def test_find_coordinator(name: str, version: int) -> None:
    keys = Struct(coordinator_keys=["a"]) if version >= 4 else Struct(key="a")
    decoded = decode_request(b"".join(encode_request(name, version, 7, "tester", keys))[4:])
    assert APIS[name].read(decoded, "") == FindCoordinators(0, ("a",))

    def answered(found: FoundCoordinator) -> Struct:
        body = APIS[name].write(decoded, FoundCoordinators((found,)))
        frame = b"".join(encode_response(decoded, body))[4:]
        response = decode_response(name, version, frame)[1]
        return response.coordinators[0] if version >= 4 else response

    found = answered(FoundCoordinator("a", broker=Endpoint(3, "localhost", 9092)))
    assert (found.error_code, found.node_id, found.host, found.port) == (0, 3, "localhost", 9092)
    missing = answered(FoundCoordinator("a", ErrorCode.COORDINATOR_NOT_AVAILABLE))
    assert missing.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert missing.node_id == -1


def test_the_leader_of_the_partition_that_holds_a_group_coordinates_it() -> None:
    catalogue = catalogue_of("__consumer_offsets")
    mine = Endpoint(1, "localhost", 9092)

    def found(key_type: int, *alive: Endpoint) -> FoundCoordinator:
        brokers = {each.node_id: each for each in alive}
        request_ = FindCoordinators(key_type, ("a",))
        return find_coordinators(request_, catalogue, brokers).coordinators[0]

    assert found(GROUP_KEY, mine).broker == mine
    assert found(GROUP_KEY).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert found(TRANSACTION, mine).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert found(9, mine).error is ErrorCode.INVALID_REQUEST


# Records

MEMBER = StoredMember("m", None, "client", "/127.0.0.1", 60_000, 10_000, b"orders", b"all")
STATIC_MEMBER = StoredMember("n", "instance", "client", "/127.0.0.1", 60_000, 10_000, b"", b"")


@pytest.mark.parametrize(
    "record",
    [
        OffsetRecord(GROUP, AT, CommittedOffset(5, 3, "here", 1_000)),
        OffsetRecord(GROUP, AT, CommittedOffset(5, -1, "", 1_000, expire_timestamp_ms=2_000)),
        OffsetRecord(GROUP, AT, None),
        GroupRecord(GROUP, StoredGroup(None, 0, None, None, 1_000)),
        GroupRecord(
            GROUP, StoredGroup("consumer", 4, "range", "m", 1_000, (MEMBER, STATIC_MEMBER))
        ),
        GroupRecord(GROUP, None),
    ],
    ids=["offset", "expiring", "no-offset", "empty", "group", "no-group"],
)
def test_a_record_survives_its_bytes(record: CoordinatorRecord) -> None:
    assert decode_record(*encode_record(record)) == record


def test_an_offset_looks_as_apache_kafka_writes_it() -> None:
    key, value = encode_record(OffsetRecord("g", AT, CommittedOffset(5, 3, "x", 1_000)))
    assert key == bytes.fromhex("0001 0001 67 0006 6f7264657273 00000000")
    assert value is not None
    assert value == (bytes.fromhex("0003 0000000000000005 00000003 0001 78 00000000000003e8"))


def test_records_of_other_kinds_are_skipped() -> None:
    key = b"\0\4" + encode_message("ConsumerGroupPartitionMetadataKey", 0, Struct(group_id="g"))
    assert decode_record(key, b"\0\0\0\0") is None


def test_a_transaction_of_a_group_reaches_the_log_with_its_producer() -> None:
    world = WireWorld()
    world.commit(5, producer=ProducerIdentity(7, 0))
    assert [entry.producer_id for entry in world.logs[world.partition()]] == [7]


@pytest.mark.parametrize("version", range(4))
def test_the_topics_of_a_subscription_are_read_in_every_version(version: int) -> None:
    body = Struct(topics=["orders", "zahlungen-ü"], user_data=b"x")
    metadata = version.to_bytes(2, "big")
    metadata += encode_message("ConsumerProtocolSubscription", version, body)
    assert read_subscription(metadata) == frozenset({"orders", "zahlungen-ü"})


@pytest.mark.parametrize(
    "metadata",
    [b"", b"\0", b"\0\0", b"\0\0\0\0\0\2\0\1a", b"\0\0\x7f\xff\xff\xff", b"\0\0\0\0\0\1\0\1\xff"],
)
def test_what_is_no_subscription_has_no_topics(metadata: bytes) -> None:
    assert read_subscription(metadata) is None
