"""A fetch session from the client's side: it counts epochs, and says what the check tells it to.

Sessions are a favour that a broker may refuse or end at any time, which is inconclusive here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance import requests
from conformance.client import Client
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

NEW, CLOSE = 0, -1
"""The epochs that open and close a session."""


@dataclass
class FetchSession:
    session: Session
    client: Client
    topic: Topic
    id: int
    epoch: int = 0

    def send(
        self,
        offsets: Mapping[int, int],
        *,
        epoch: int,
        forgotten: Iterable[int] = (),
        max_wait_ms: int = 0,
        version: int | None = None,
    ) -> Struct:
        """A Fetch in this session under any epoch."""
        fields = requests.fetch(
            self.topic,
            offsets,
            session_id=self.id,
            session_epoch=epoch,
            max_wait_ms=max_wait_ms,
        )
        if not offsets:
            fields["topics"] = []
        left = list(forgotten)
        gone = {"topic": self.topic.name, "topic_id": self.topic.id, "partitions": left}
        fields["forgotten_topics_data"] = [gone] if left else []
        return self.client.call("Fetch", version, **fields)

    def fetch(
        self,
        offsets: Mapping[int, int] | None = None,
        *,
        forgotten: Iterable[int] = (),
        max_wait_ms: int = 0,
    ) -> dict[int, Struct]:
        """The next incremental Fetch; what it reports, by partition."""
        self.epoch += 1
        answer = self.send(
            offsets or {}, epoch=self.epoch, forgotten=forgotten, max_wait_ms=max_wait_ms
        )
        if answer.error_code != ErrorCode.NONE:
            self.session.inconclusive(f"the session gets {name_of(answer.error_code)}")
        return reported(answer)


def open_session(
    session: Session, topic: Topic, offsets: Mapping[int, int], version: int | None = None
) -> FetchSession:
    """A full Fetch that opens a session; inconclusive if the broker does not."""
    client = session.leader(topic)
    opened = FetchSession(session, client, topic, 0)
    answer = opened.send(offsets, epoch=NEW, version=version)
    if answer.error_code != ErrorCode.NONE:
        session.inconclusive(f"a full fetch gets {name_of(answer.error_code)}")
    if answer.session_id == 0:
        session.inconclusive("the broker opens no session, which it may")
    opened.id = answer.session_id
    return opened


def reported(answer: Struct) -> dict[int, Struct]:
    """The partitions in an answer about one topic."""
    return {p.partition_index: p for topic in answer.responses for p in topic.partitions}
