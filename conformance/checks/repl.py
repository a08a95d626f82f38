"""REPL: a leader held against a follower that is played by the check, fetch by fetch."""

from conformance import appends, cluster, requests
from conformance.check import check
from conformance.judge import at_least, at_most
from conformance.requests import EARLIEST, LATEST, Topic
from conformance.session import Session
from conformance.stand_in import NEEDS, NODE_ID, StandIn, playing
from conformance.transactions import COMMITTED
from conformance.wire.records import read_batches
from spec.wire.errors import ErrorCode

FETCH = ("Fetch", "Produce", "Metadata")
MINIMUM_2: dict[str, str | None] = {"min.insync.replicas": "2"}


def high_watermark(session: Session, topic: Topic) -> int:
    return int(session.fetch(topic, max_wait_ms=0).high_watermark)


def append(session: Session, topic: Topic, count: int) -> None:
    """Append records, each in a batch of its own, that no follower need have: a preparation."""
    for _ in range(count):
        answer = session.produce(topic, [b"value"], acks=1)
        if answer.error_code != ErrorCode.NONE:
            session.inconclusive("a batch with acks=1 was refused")


def await_out_of_sync(session: Session, stand_in: StandIn, topic: Topic) -> None:
    """Wait, without a fetch, until the leader has given its follower up."""
    stand_in.await_while_alive(
        lambda: stand_in.node_id not in cluster.look(session, topic).isr,
        "the follower that does not fetch is out of sync",
    )


def real(session: Session) -> int:
    """A broker that is not the active controller."""
    return cluster.three(session)[0]


def permit_high_watermark(session: Session, topic: Topic, end: int) -> None:
    session.permit(
        "the high watermark",
        high_watermark(session, topic),
        at_most(end),
        f"One of the in-sync replicas has the records below offset {end} only.",
    )


# REPL-01 and REPL-04: the high watermark


@check("REPL-01", apis=FETCH, needs=NEEDS)
def the_high_watermark_waits_for_every_in_sync_replica(session: Session) -> None:
    """The high watermark does not pass the log end offset of the follower in sync."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        for end in (0, 1, 3):
            follower.fetch(topic, end)
            permit_high_watermark(session, topic, end)
            follower.await_while_alive(
                lambda end=end: high_watermark(session, topic) == end,  # type: ignore[misc]
                f"the high watermark is {end}",
            )


@check("REPL-01", apis=FETCH, needs=NEEDS)
def the_high_watermark_does_not_go_back(session: Session) -> None:
    """When a follower fetches from an offset before, the high watermark stays what it was."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        follower.fetch(topic, 3)
        follower.await_while_alive(
            lambda: high_watermark(session, topic) == 3, "the high watermark is 3"
        )
        for offset in (1, 0):
            follower.fetch(topic, offset)
            because = "Within one leader epoch the high watermark does not decrease."
            session.permit(
                "the high watermark", high_watermark(session, topic), at_least(3), because
            )


@check("REPL-04", apis=(*FETCH, "ListOffsets 2+"), needs=NEEDS)
def consumers_see_nothing_above_the_high_watermark(session: Session) -> None:
    """What a follower in sync lacks is in no answer to a consumer, at any isolation level."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 2)
        follower.fetch(topic, 1)
        because = "Offset 1 may vanish with the next election."
        for level in (0, COMMITTED):
            for offset in (0, 1):
                answer = session.fetch(topic, offset, isolation_level=level, max_wait_ms=0)
                batches = read_batches(answer.records or b"")
                offsets = [record.offset for batch in batches for record in batch.records]
                what = f"the offsets in a fetch from {offset} at level {level}"
                session.permit(what, offsets, [[], [0]], because)
            end = session.list_offset(topic, LATEST, isolation_level=level).offset
            session.permit("the end that ListOffsets tells", end, at_most(1), because)
        sent = read_batches(follower.fetch(topic, 1).records or b"")
        got = [record.offset for batch in sent for record in batch.records]
        session.permit(
            "what the follower gets", got, [[1]], "Followers see what is not committed."
        )


# REPL-02 and REPL-03: the minimum


@check("REPL-02", apis=FETCH, needs=NEEDS)
def below_the_minimum_the_high_watermark_stands_still(session: Session) -> None:
    """With fewer in-sync replicas than the minimum, acks=1 is served and nothing gets visible."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader, configs=MINIMUM_2)
        await_out_of_sync(session, follower, topic)
        answer = session.produce(topic, [b"a"], acks=1)
        because = "Writes with acks=1 are accepted in this state."
        session.permit("the error code with acks=1", answer.error_code, {ErrorCode.NONE}, because)
        permit_hidden(session, topic)
        follower.await_while_alive(
            lambda: follower.fetch(topic, 1).high_watermark == 1,
            "the high watermark is 1",
            demanded="When the set has grown again the records become visible.",
        )


def permit_hidden(session: Session, topic: Topic) -> None:
    because = "The partition has fewer in-sync replicas than its minimum."
    session.permit("the high watermark", high_watermark(session, topic), [0], because)
    answer = session.fetch(topic, max_wait_ms=200)
    session.permit("the records", answer.records or b"", [b""], because)


@check("REPL-03", apis=("Produce",))
def the_minimum_is_no_more_than_the_replicas(session: Session) -> None:
    """A topic with one replica and min.insync.replicas 2 takes writes with acks=all."""
    topic = session.create_topic(configs={"min.insync.replicas": "2"})
    answer = session.produce(topic, [b"a"])
    session.permit("the error code", answer.error_code, {ErrorCode.NONE}, "All are in sync.")
    session.permit("the values", session.read(topic).values, [[b"a"]], "It is committed.")


# REPL-05 and REPL-07: the in-sync replicas


@check("REPL-05", apis=FETCH, needs=NEEDS)
def a_follower_below_the_high_watermark_stays_out(session: Session) -> None:
    """A follower comes back into the in-sync replicas at the high watermark, and not before."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        await_out_of_sync(session, follower, topic)
        append(session, topic, 3)
        for offset in (0, 2):
            follower.fetch(topic, offset)
            follower.heartbeat()
            cluster.settle(session)
            isr = cluster.look(session, topic).isr
            because = "What it lacks is committed."
            session.permit("the in-sync replicas", isr, [[leader]], because)
        follower.await_while_alive(
            lambda: (
                follower.fetch(topic, 3).error_code == ErrorCode.NONE
                and cluster.look(session, topic).isr == [leader, NODE_ID]
            ),
            "the follower is in sync",
            demanded="It holds everything that is committed.",
        )


@check("REPL-07", apis=FETCH, needs=NEEDS)
def a_follower_that_does_not_fetch_is_given_up(session: Session) -> None:
    """A follower whose broker is alive and that does not fetch leaves the in-sync replicas."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 1)
        follower.await_while_alive(
            lambda: cluster.look(session, topic).isr == [leader],
            "the follower is out of the in-sync replicas",
            timeout=10.0,
            demanded="It has not been caught up for longer than replica.lag.time.max.ms.",
        )
        session.permit(
            "the brokers", NODE_ID in cluster.alive(session), [True], "Its broker was alive."
        )


@check("REPL-07", apis=FETCH, needs=NEEDS)
def a_follower_that_keeps_pace_stays(session: Session) -> None:
    """A follower that is never at the end, and always where the end was before, is in sync."""
    leader = real(session)
    with playing(session) as follower:
        topic, quiet = follower.placed(leader), follower.placed(leader)
        end = 0

        def other_is_given_up() -> bool:
            nonlocal end
            append(session, topic, 1)
            follower.fetch(topic, end)
            end += 1
            return cluster.look(session, quiet).isr == [leader]

        follower.await_while_alive(
            other_is_given_up, "a follower that does not fetch is out of sync"
        )
        isr = cluster.look(session, topic).isr
        because = "Each fetch reaches the end that the log had at the fetch before."
        session.permit("the in-sync replicas", isr, [[leader, NODE_ID]], because)


# REPL-11 and REPL-12: diverging logs


@check("REPL-12", apis=("Fetch 12+", "Produce", "Metadata"), needs=NEEDS)
def a_follower_with_too_long_a_log_is_told_where_they_part(session: Session) -> None:
    """A fetch from beyond the end of its last epoch gets the end of that epoch, and no records."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        epoch = cluster.look(session, topic).epoch
        answer = follower.fetch(topic, 5, last_epoch=epoch)
        told = answer.diverging_epoch
        session.permit(
            "the error code, the epoch and its end",
            (answer.error_code, told.epoch, told.end_offset),
            [(ErrorCode.NONE, epoch, 3)],
            "The leader's log of that epoch ends at offset 3.",
        )
        session.permit("the records", answer.records or b"", [b""], "It has to truncate first.")


@check("REPL-11", apis=("Fetch 12+", "Produce", "Metadata"), needs=NEEDS)
def a_fetch_from_another_branch_does_not_count(session: Session) -> None:
    """A fetch that is answered with a diverging epoch does not move the high watermark."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        epoch = cluster.look(session, topic).epoch
        follower.fetch(topic, 1, last_epoch=epoch)
        follower.fetch(topic, 5, last_epoch=epoch)
        permit_high_watermark(session, topic, 1)


# REPL-14: DeleteRecords


@check("REPL-14", apis=("DeleteRecords", *FETCH), needs=NEEDS)
def deleting_records_waits_for_the_replicas(session: Session) -> None:
    """DeleteRecords is answered without an error when every live replica's log starts there."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        follower.fetch(topic, 3)
        follower.await_while_alive(
            lambda: high_watermark(session, topic) == 3, "the high watermark is 3"
        )
        fields = requests.delete_records(topic, {0: 2})
        answer = session.leader(topic).call("DeleteRecords", **{**fields, "timeout_ms": 300})
        code = answer.topics[0].partitions[0].error_code
        because = "One of the replicas still has these records."
        session.permit("the error code", code, {ErrorCode.REQUEST_TIMED_OUT}, because)
        start = session.list_offset(topic, EARLIEST).offset
        session.permit("the log start offset", start, [2], "The leader's log has been cut.")
        asking = session.connect(near=session.leader(topic))
        asking.send("DeleteRecords", **{**fields, "timeout_ms": 10_000})
        asking.expect_nothing(0.3, because)
        follower.fetch(topic, 3, log_start_offset=2)
        result = asking.receive().topics[0].partitions[0]
        session.permit(
            "the error code and the low watermark",
            (result.error_code, result.low_watermark),
            [(ErrorCode.NONE, 2)],
            "All logs start at offset 2 now.",
        )


@check("RETN-03", apis=("DeleteRecords", *FETCH), needs=NEEDS)
def what_is_not_committed_is_not_deleted(session: Session) -> None:
    """DeleteRecords beyond the high watermark is refused, although the log goes on."""
    leader = real(session)
    with playing(session) as follower:
        topic = follower.placed(leader)
        append(session, topic, 3)
        follower.fetch(topic, 1)
        permit_high_watermark(session, topic, 1)
        fields = {**requests.delete_records(topic, {0: 3}), "timeout_ms": 300}
        answer = session.leader(topic).call("DeleteRecords", **fields).topics[0].partitions[0]
        because = "The log start offset does not exceed the high watermark."
        session.permit(
            "the error code", answer.error_code, {ErrorCode.OFFSET_OUT_OF_RANGE}, because
        )
        start = session.list_offset(topic, EARLIEST).offset
        session.permit("the log start offset", start, [0], because)


# REPL-13: on real replicas


@check("REPL-13", apis=("Fetch 12+", "Produce"), needs=("cluster",))
def replicas_agree_on_what_is_committed(session: Session) -> None:
    """Every replica gives a consumer the same records at the same offsets."""
    nodes = cluster.three(session)
    topic = cluster.placed(session, nodes)
    appends.store(session, topic, [b"a", b"b"], [b"c"], [b"d", b"e"])
    held = [committed_on(session, topic, node, 5) for node in nodes]
    values = [value for _, _, value in held[0]]
    session.permit("the values", values, [[b"a", b"b", b"c", b"d", b"e"]], "They were written.")
    for node, records in zip(nodes, held, strict=True):
        session.permit(f"the records of broker {node}", records, [held[0]], "They are committed.")


def committed_on(
    session: Session, topic: Topic, node_id: int, count: int
) -> list[tuple[int, int, bytes | None]]:
    """Offset, timestamp and value of each record that a broker shows, once it shows so many."""

    def records() -> list[tuple[int, int, bytes | None]]:
        fields = requests.fetch(topic, {0: 0}, max_wait_ms=100)
        answer = session.node(node_id).call("Fetch", **fields).responses[0].partitions[0]
        batches = read_batches(answer.records or b"")
        return [(r.offset, r.timestamp, r.value) for batch in batches for r in batch.records]

    return session.poll_until(
        lambda: found if len(found := records()) >= count else None,
        f"broker {node_id} has learnt of the commit",
    )
