"""What brokers tell of their data folders, and the tools that ask for it."""

from __future__ import annotations

from impl.api.log_folders import LOG_FOLDER_APIS
from impl.core.cluster.topics import TopicPartition
from impl.core.data.log_folders import DescribedLogFolder, DescribedLogSize, DescribeLogFolders
from impl.wire import Struct, decode_request, decode_response, encode_request, encode_response
from tests.impl.broker_world import TOPIC, World, batch

API = "DescribeLogDirs"


def describe(world: World, *asked: TopicPartition) -> dict[TopicPartition, DescribedLogSize]:
    request = DescribeLogFolders(frozenset(asked) if asked else None)
    folder: DescribedLogFolder = world.ask(request)
    return {log.at: log for log in folder.logs}


def test_every_log_has_the_size_of_its_segments() -> None:
    world = World()
    world.create(num_partitions=2, segment_bytes="200")
    sent = [batch(b"a" * 60) for _ in range(4)]
    for each in sent:
        world.produce(each)
    first, second = (TopicPartition(TOPIC, index) for index in range(2))
    sizes = {at: log.size for at, log in describe(world).items()}
    assert sizes == {first: sum(map(len, sent)), second: 0}


def test_only_what_is_asked_for_and_held_is_described() -> None:
    world = World()
    world.create(num_partitions=2)
    known, unknown = TopicPartition(TOPIC, 1), TopicPartition("nothing", 0)
    assert list(describe(world, known, unknown)) == [known]


def test_a_folder_is_described_in_every_version() -> None:
    api = LOG_FOLDER_APIS[API]
    log = DescribedLogSize(TopicPartition("t", 3), 70, 2)
    for version in api.versions:
        asked = Struct(topics=[Struct(topic="t", partitions=[3])])
        request = decode_request(b"".join(encode_request(API, version, 7, "c", asked))[4:])
        assert api.read(request, "/h") == DescribeLogFolders(frozenset({log.at}))
        answer = api.write(request, DescribedLogFolder("/data", (log,)))
        _, body = decode_response(API, version, b"".join(encode_response(request, answer))[4:])
        (told,) = body.results
        (topic,) = told.topics
        (partition,) = topic.partitions
        assert (told.log_dir, topic.name) == ("/data", "t")
        assert (partition.partition_size, partition.offset_lag) == (70, 2)


def test_without_topics_all_logs_are_asked_for() -> None:
    frame = b"".join(encode_request(API, 4, 7, "c", Struct(topics=None)))[4:]
    assert LOG_FOLDER_APIS[API].read(decode_request(frame), "/h") == DescribeLogFolders()
