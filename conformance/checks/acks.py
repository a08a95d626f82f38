"""ACKS: what the number of acknowledgements that a producer asks for means."""

from conformance import requests
from conformance.check import check
from conformance.judge import at_least
from conformance.session import Session
from conformance.wire.records import Record, build_batch, read_batches
from spec.wire.errors import ErrorCode


@check("ACKS-01", apis=("Produce",))
def other_acks_are_refused(session: Session) -> None:
    """Produce with acks other than -1, 0 and 1 is refused with INVALID_REQUIRED_ACKS."""
    topic = session.create_topic()
    for acks in (2, -2, 32767):
        answer = session.produce(topic, [b"refused"], acks=acks)
        session.permit(
            f"the error code for acks={acks}",
            answer.error_code,
            {ErrorCode.INVALID_REQUIRED_ACKS},
            "acks is -1, 0 or 1; nothing else means anything.",
        )
    session.permit(
        "the values in the log",
        session.read(topic).values,
        [[]],
        "A refused request appends nothing.",
    )


@check("ACKS-02", apis=("Produce",))
def acks_zero_is_not_answered(session: Session) -> None:
    """Produce with acks=0 gets no response, and the connection stays in step."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    client.send("Produce", answered=False, **requests.produce(topic, {0: [b"a", b"b"]}, acks=0))
    client.expect_nothing(0.2, because="Nobody waits for an answer to acks=0.")
    client.call("Metadata", topics=[], demanded="The connection goes on with the next request.")
    read = session.read(topic, count=2)
    if read.values != [b"a", b"b"]:
        session.inconclusive("the records of acks=0 did not become visible in time")


@check("ACKS-03", apis=("Produce",))
def acks_zero_with_an_error_closes_the_connection(session: Session) -> None:
    """Produce with acks=0 that fails closes the connection, the only sign that is left."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    nowhere = {topic.partitions + 7: [b"lost"]}
    client.send("Produce", answered=False, **requests.produce(topic, nowhere, acks=0))
    client.expect_close("An error of acks=0 has no other way to reach the producer.")


@check("ACKS-03", apis=("Produce",))
def acks_zero_of_a_damaged_batch_closes_the_connection(session: Session) -> None:
    """Produce with acks=0 whose batch is refused closes the connection without an answer."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    damaged = build_batch([Record(b"lost")], crc=0)
    client.send("Produce", answered=False, **requests.produce(topic, {0: damaged}, acks=0))
    client.expect_close("An error of acks=0 has no other way to reach the producer.")


@check("ACKS-03", apis=("Produce", "Metadata"))
def earlier_answers_come_before_the_close(session: Session) -> None:
    """Requests that were sent before a failing acks=0 are answered before the close."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    for _ in range(3):
        client.send("Metadata", topics=[])
    nowhere = {topic.partitions + 7: [b"lost"]}
    client.send("Produce", answered=False, **requests.produce(topic, nowhere, acks=0))
    for _ in range(3):
        client.receive(demanded="Answers to earlier requests are sent before the close.")
    client.expect_close("An error of acks=0 has no other way to reach the producer.")


@check("ACKS-04", apis=("Produce", "Fetch"))
def acks_one_does_not_ask_for_the_minimum(session: Session) -> None:
    """Produce with acks=1 is accepted whatever min.insync.replicas says."""
    topic = session.create_topic(configs={"min.insync.replicas": "3"})
    session.permit(
        "the error code",
        session.produce(topic, [b"a"], acks=1).error_code,
        {ErrorCode.NONE},
        "acks=1 waits for the leader alone.",
    )


@check("ACKS-05", apis=("Produce", "Fetch"))
def what_acks_all_confirms_is_committed(session: Session) -> None:
    """When Produce with acks=-1 succeeds the high watermark has passed the records."""
    topic = session.create_topic()
    for values in ([b"a"], [b"b", b"c", b"d"]):
        answer = session.produce(topic, values, acks=-1)
        if answer.error_code != ErrorCode.NONE:
            session.inconclusive("a batch was refused")
        fetched = session.fetch(topic, answer.base_offset, max_wait_ms=20)
        session.permit(
            "the high watermark after the answer",
            fetched.high_watermark,
            at_least(answer.base_offset + len(values)),
            "What was acknowledged is committed.",
        )
        session.permit(
            "the values that can be read after the answer",
            [r.value for batch in read_batches(fetched.records or b"") for r in batch.records],
            [values],
            "What is committed can be read.",
        )


@check("ACKS-09", apis=("Produce",))
def one_bad_partition_does_not_spoil_the_others(session: Session) -> None:
    """Partitions with errors are answered for themselves; the others are carried out."""
    topic = session.create_topic(3)
    if len({session.leader(topic, index).address for index in range(3)}) > 1:
        session.inconclusive("the partitions have different leaders")
    data: dict[int, bytes | list[bytes]]
    data = {0: [b"a", b"b"], 9: [b"nowhere"], 1: build_batch([Record(b"x")], crc=0), 2: [b"c"]}
    for acks in (-1, 1):
        answer = session.leader(topic).call("Produce", **requests.produce(topic, data, acks))
        codes = sorted(
            (partition.index, partition.error_code)
            for each in answer.responses
            for partition in each.partition_responses
        )
        session.permit(
            f"the index and the error code of each partition with acks={acks}",
            codes,
            [
                [
                    (0, ErrorCode.NONE),
                    (1, ErrorCode.CORRUPT_MESSAGE),
                    (2, ErrorCode.NONE),
                    (9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
                ]
            ],
            "Every partition has exactly one answer, its own.",
        )
    for partition, values in ((0, [b"a", b"b"] * 2), (1, []), (2, [b"c"] * 2)):
        session.permit(
            f"the values in partition {partition}",
            session.read(topic, 0, partition, count=len(values)).values,
            [values],
            "The partitions without errors are carried out, and no others.",
        )


@check("ACKS-09", apis=("Produce 3-12",))
def one_unknown_topic_does_not_spoil_the_others(session: Session) -> None:
    """An unknown topic in a Produce request is answered for itself; the others are carried out."""
    topic, unknown = session.create_topic(), session.name("topic")
    client = session.leader(topic)
    fields = requests.produce(topic, {0: [b"a"]})
    nowhere = {"name": unknown, "partition_data": fields["topic_data"][0]["partition_data"]}
    fields["topic_data"] = [nowhere, *fields["topic_data"]]
    answer = client.call("Produce", client.version("Produce", at_most=12), **fields)
    codes = {
        each.name: [p.error_code for p in each.partition_responses] for each in answer.responses
    }
    session.permit(
        "the error codes of the unknown topic and the other",
        [codes.get(unknown), codes.get(topic.name)],
        [[[ErrorCode.UNKNOWN_TOPIC_OR_PARTITION], [ErrorCode.NONE]]],
        "Every partition has exactly one answer, its own.",
    )
