"""ACKS: what the number of acknowledgements that a producer asks for means."""

from conformance import requests
from conformance.check import check
from conformance.session import Session
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
