"""COMP: what a compacted topic takes."""

from conformance import appends
from conformance.check import check
from conformance.session import Session
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

POLICIES = ("compact", "compact,delete")


@check("COMP-10", apis=("Produce",))
def records_without_a_key_are_refused(session: Session) -> None:
    """A compacted topic refuses a batch in which one record has no key, compressed or not."""
    keyed, keyless = Record(b"v", b"k"), Record(b"v")
    for policy in POLICIES:
        topic = session.create_topic(configs={"cleanup.policy": policy})
        for codec in ("none", "gzip"):
            appends.permit_refused(
                session,
                topic,
                f"a record without a key, codec {codec}, policy {policy}",
                build_batch([keyed, keyless], codec=codec),
                {ErrorCode.INVALID_RECORD},
                "Compaction keeps the last value of each key, and there is none.",
            )
        answer = session.produce(topic, build_batch([keyed]))
        session.permit("the offset of the next batch", answer.base_offset, [0], "None was stored.")


@check("COMP-10", apis=("Produce",))
def an_empty_key_is_a_key(session: Session) -> None:
    """A compacted topic takes records with an empty key, and tombstones."""
    topic = session.create_topic(configs={"cleanup.policy": "compact"})
    batch = build_batch([Record(b"v", b""), Record(None, b"k"), Record(None, b"")])
    appends.permit_accepted(session, session.produce(topic, batch), "They all have keys.")
