"""ACKS: what is promised of replicas: a follower that the check plays holds writes up."""

from conformance import cluster, requests
from conformance.check import check
from conformance.checks.repl import MINIMUM_2, await_out_of_sync, high_watermark, real
from conformance.client import Client
from conformance.judge import other_than
from conformance.requests import LATEST, Topic
from conformance.session import Session
from conformance.stand_in import NEEDS, playing
from conformance.wire import Struct
from conformance.wire.records import read_batches
from spec.wire.errors import ErrorCode

APIS = ("Produce", "Fetch", "Metadata")
SOON_MS, LOST_MS, LATE_MS = 300, 1000, 15_000


def send(session: Session, topic: Topic, timeout_ms: int) -> Client:
    """Produce with acks=all, on a connection of its own, and do not wait for the answer."""
    client = session.connect(near=session.leader(topic))
    client.send("Produce", **requests.produce(topic, {0: [b"value"]}, timeout_ms=timeout_ms))
    return client


def outcome(answer: Struct) -> int:
    return int(answer.responses[0].partition_responses[0].error_code)


@check("ACKS-05", apis=APIS, needs=NEEDS)
def a_write_waits_for_every_in_sync_replica(session: Session) -> None:
    """acks=all is answered when the follower in sync has the records, and not before."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        writing = send(session, topic, LATE_MS)
        follower.fetch(topic, 0)
        writing.expect_nothing(0.3, "A replica in sync does not have the record.")
        follower.fetch(topic, 1)
        code = outcome(writing.receive())
        session.permit("the error code", code, {ErrorCode.NONE}, "All in-sync replicas have it.")
        session.permit("the high watermark", high_watermark(session, topic), [1], "As was said.")


@check("ACKS-04", apis=APIS, needs=NEEDS)
def acks_1_does_not_wait_for_followers(session: Session) -> None:
    """acks=1 is answered although the follower in sync does not fetch."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader, configs=MINIMUM_2)
        fields = requests.produce(topic, {0: [b"a"]}, acks=1, timeout_ms=LOST_MS)
        code = outcome(session.leader(topic).call("Produce", **fields))
        session.permit("the error code", code, {ErrorCode.NONE}, "The leader has it.")
        await_out_of_sync(session, follower, topic)
        answer = session.produce(topic, [b"b"], acks=1)
        because = "acks=1 does not ask how many are in sync."
        session.permit("the error code", answer.error_code, {ErrorCode.NONE}, because)


@check("ACKS-06", apis=APIS, needs=NEEDS)
def below_the_minimum_writes_are_refused(session: Session) -> None:
    """acks=all with fewer in-sync replicas than the minimum: NOT_ENOUGH_REPLICAS, no append."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader, configs=MINIMUM_2)
        await_out_of_sync(session, follower, topic)
        code = session.produce(topic, [b"refused"]).error_code
        because = "One replica is in sync, and two are the minimum."
        session.permit("the error code", code, {ErrorCode.NOT_ENOUGH_REPLICAS}, because)
        answer = session.produce(topic, [b"next"], acks=1)
        session.permit("the next offset", answer.base_offset, [0], "Nothing was appended.")


@check("ACKS-07", apis=APIS, needs=NEEDS)
def losing_the_minimum_after_the_append_is_no_success(session: Session) -> None:
    """acks=all is not answered with success when the minimum is lost before the answer."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader, configs=MINIMUM_2)
        writing = send(session, topic, 6000)
        await_out_of_sync(session, follower, topic)
        code = outcome(writing.receive(timeout=15))
        permitted = {ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode.REQUEST_TIMED_OUT}
        because = "The minimum was lost after the append, and did not come back."
        session.permit("the error code", code, permitted, because)


@check("ACKS-08", apis=APIS, needs=NEEDS)
def a_write_that_times_out_stays_in_the_log(session: Session) -> None:
    """acks=all whose time is up gets REQUEST_TIMED_OUT, and the record is still in the log."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        code = outcome(send(session, topic, SOON_MS).receive())
        because = "The follower did not come in time."
        session.permit("the error code", code, {ErrorCode.REQUEST_TIMED_OUT}, because)
        batches = read_batches(follower.fetch(topic, 0).records or b"")
        values = [record.value for batch in batches for record in batch.records]
        session.permit("what the follower gets", values, [[b"value"]], "It was appended.")


@check("ACKS-08", apis=APIS, needs=NEEDS)
def partitions_that_do_not_wait_have_their_true_result(session: Session) -> None:
    """When time is up for one partition, another of the same request has its own answer."""
    leader, other, _ = cluster.three(session)
    with playing(session) as follower:
        follower.heartbeat()
        topic = cluster.placed(session, [leader, follower.node_id], [leader, other])
        fields = requests.produce(topic, {0: [b"a"], 1: [b"b"]}, timeout_ms=LOST_MS)
        answer = session.leader(topic).call("Produce", **fields).responses[0]
        session.permit(
            "the error codes by partition",
            {each.index: each.error_code for each in answer.partition_responses},
            [{0: ErrorCode.REQUEST_TIMED_OUT, 1: ErrorCode.NONE}],
            "The stand-in did not come in time, and the replica of partition 1 did.",
        )


@check("ACKS-10", apis=APIS, needs=("faults",))
def an_acknowledged_record_survives_its_leader(session: Session) -> None:
    """What acks=all has acknowledged is readable from the next leader, after a kill."""
    first, second, third = cluster.three(session)
    topic = cluster.placed(session, [first, second, third], configs=MINIMUM_2)
    values = [b"%d" % number for number in range(20)]
    for value in values:
        cluster.write(session, topic, [value])
    session.kill(first)
    cluster.await_leader(session, topic, {second, third})
    cluster.await_served(session, topic)
    got = session.read(topic, count=len(values)).values
    session.permit("the values", got, [values], "They were acknowledged by all in-sync replicas.")
    cluster.write(session, topic, [b"after"])
    session.start_node(first)
    cluster.await_isr(session, topic, [first, second, third])
    got = session.read(topic, count=len(values) + 1).values
    session.permit("the values in the end", got, [[*values, b"after"]], "All were acknowledged.")


@check("ACKS-05", apis=APIS, needs=("faults",))
def a_write_goes_on_without_a_follower_that_is_cut_off(session: Session) -> None:
    """With two of three replicas left, acks=all is served again once the third is given up."""
    first, second, third = cluster.three(session)
    topic = cluster.placed(session, [second, first, third], configs=MINIMUM_2)
    session.pause(first)
    answer = cluster.write(session, topic, [b"a"])
    isr = cluster.look(session, topic).isr
    session.permit("the in-sync replicas", isr, [sorted([second, third])], "It stands still.")
    session.resume(first)
    cluster.await_isr(session, topic, [first, second, third])
    end = session.list_offset(topic, LATEST).offset
    because = "Whatever was acknowledged is committed."
    session.permit("whether it is below the end", answer.base_offset < end, [True], because)


@check("ACKS-06", apis=APIS, needs=("faults",))
def with_too_few_brokers_writes_are_refused(session: Session) -> None:
    """With one of two replicas stopped, acks=all and a minimum of 2: not one write succeeds."""
    first, second, _ = cluster.three(session)
    topic = cluster.placed(session, [second, first], configs=MINIMUM_2)
    session.stop_node(first)
    cluster.await_isr(session, topic, [second])
    cluster.await_served(session, topic)
    code = session.produce(topic, [b"refused"]).error_code
    because = "One replica is left, and two are the minimum."
    session.permit("the error code", code, other_than(ErrorCode.NONE), because)
    session.start_node(first)
    cluster.await_isr(session, topic, [first, second])
    answer = cluster.write(session, topic, [b"accepted"])
    session.permit("the offset of the next write", answer.base_offset, [0], "None was appended.")
