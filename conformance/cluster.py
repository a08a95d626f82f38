"""A cluster seen from outside: who is alive, who leads and follows, and how to wait for it.

Everything here asks Metadata, of a broker that is up. `placed` and `await_...` are preparations
unless they are told what demands the state that is awaited.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from conformance import topics
from conformance.broker import TargetError
from conformance.client import Client
from conformance.requests import LATEST, Fields, Topic
from conformance.session import Session, preparing
from conformance.verdict import Broken, Inconclusive
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

STAND_INS = frozenset({98, 99})
"""The ids of brokers that are played by checks."""
METADATA_TOPIC = "__cluster_metadata"
RETRIABLE = {
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.OFFSET_NOT_AVAILABLE,
}
FAILOVER_S = 30.0
"""How long the cluster may take to notice that a node is away, and to do something about it."""
FENCING_S = 15.0
"""The same where no process is involved: the session timeout of the suite's brokers, and more."""


@dataclass(frozen=True)
class Placement:
    """What Metadata says of one partition."""

    leader: int
    epoch: int
    replicas: list[int]
    isr: list[int]
    error_code: int


def alive(session: Session, asked: Client | None = None) -> list[int]:
    """The brokers that are in the list of brokers, by id."""
    answer = (asked or session.broker).call("Metadata", topics=[])
    return sorted(broker.node_id for broker in answer.brokers)


def three(session: Session) -> list[int]:
    """Three brokers, no stand-ins; the last is the active controller, if it is one of them."""
    brokers = [each for each in alive(session) if each not in STAND_INS]
    if len(brokers) < 3:
        session.inconclusive(f"there are {len(brokers)} brokers, and three are needed")
    leader = quorum_leader(session)
    return sorted(brokers, key=lambda node_id: (node_id == leader, node_id))[-3:]


def quorum_leader(session: Session) -> int:
    """The node that is the active controller; -1 where it cannot be asked for."""
    if "DescribeQuorum" not in session.target.versions:
        return -1
    return int(quorum(session).leader_id)


def quorum(session: Session, asked: Client | None = None) -> Struct:
    """What the leader of the metadata log says of the voters, as soon as it may say it."""

    def described() -> Struct | None:
        answer = (asked or session.broker).call("DescribeQuorum", topics=[topic])
        if answer.error_code != ErrorCode.NONE:
            return None
        found: Struct = answer.topics[0].partitions[0]
        return found if found.error_code == ErrorCode.NONE else None

    topic = {"topic_name": METADATA_TOPIC, "partitions": [{"partition_index": 0}]}
    return session.poll_until(described, "the quorum is described")


def look(
    session: Session, topic: Topic, partition: int = 0, asked: Client | None = None
) -> Placement:
    """What a broker says of a partition."""
    answer = (asked or session.broker).call(
        "Metadata", topics=[{"name": topic.name}], allow_auto_topic_creation=False
    )
    for each in answer.topics[0].partitions:
        if each.partition_index == partition:
            return Placement(
                each.leader_id,
                each.leader_epoch,
                list(each.replica_nodes),
                sorted(each.isr_nodes),
                int(each.error_code),
            )
    return Placement(-1, -1, [], [], int(answer.topics[0].error_code))


def placed(
    session: Session,
    *replicas: Sequence[int],
    configs: Mapping[str, str | None] | None = None,
    is_served: bool = True,
) -> Topic:
    """A topic with these replicas for its partitions, the first of each leading, all in sync.

    `is_served`: its leaders can be reached, so wait until they serve.
    """
    name = session.name("topic")
    with preparing(f"creating the topic {name}"):
        by_hand = topics.by_hand(*map(list, replicas))
        error = topics.create(session, name, configs=configs, **by_hand).error_code
        if error != ErrorCode.NONE:
            session.inconclusive(f"CreateTopics answers {name_of(error)}")
        session.poll_until(
            lambda: len(topics.look(session, {"name": name})[0].partitions) == len(replicas),
            f"{name} is known",
        )
        (found,) = topics.look(session, {"name": name})
        topic = Topic(name, found.topic_id, len(replicas))
        for index, nodes in enumerate(replicas):
            await_isr(session, topic, nodes, index)
            if is_served:
                await_served(session, topic, index)
    return topic


def settle(session: Session) -> None:
    """Wait until everything can be seen that was decided before."""
    placed(session, [three(session)[0]])  # whoever knows of it knows of what came before


def await_isr(
    session: Session,
    topic: Topic,
    isr: Collection[int],
    partition: int = 0,
    demanded: str = "",
    timeout: float = FAILOVER_S,
) -> None:
    """Wait until exactly these replicas are in sync."""
    session.poll_until(
        lambda: look(session, topic, partition).isr == sorted(isr),
        f"{', '.join(map(str, sorted(isr)))} are in sync",
        timeout=timeout,
        demanded=demanded,
    )


def await_leader(
    session: Session,
    topic: Topic,
    leaders: Collection[int],
    demanded: str = "",
) -> Placement:
    """Wait until one of these leads partition 0 as far as Metadata tells, which it then says."""

    def led() -> Placement | None:
        found = look(session, topic)
        return found if found.leader in leaders else None

    what = f"one of {sorted(leaders)} leads"
    return session.poll_until(led, what, timeout=FAILOVER_S, demanded=demanded)


def await_served(session: Session, topic: Topic, partition: int = 0) -> None:
    """Wait until the leader that Metadata names knows that it leads, and tells the end."""

    def served() -> bool:
        session.forget_leaders()
        answer = session.list_offset(topic, LATEST, partition)
        return bool(answer.error_code == ErrorCode.NONE)

    session.poll_until(lambda: attempt(served), "the leader serves", timeout=FAILOVER_S)


def await_known(session: Session, topic: Topic) -> None:
    """Wait until every broker knows who leads partition 0."""
    for node_id in alive(session):
        asked = session.node(node_id)

        def known(asked: Client = asked) -> bool:
            return look(session, topic, asked=asked).leader >= 0

        session.poll_until(known, f"broker {node_id} knows who leads {topic.name}")


def await_fenced(session: Session, node_id: int, demanded: str = "") -> None:
    session.poll_until(
        lambda: node_id not in alive(session),
        f"broker {node_id} is fenced",
        timeout=FAILOVER_S,
        demanded=demanded,
    )


def reassignment(topic: Topic, replicas: Sequence[int] | None) -> Fields:
    """The fields that move partition 0 to other replicas, or with None cancel that."""
    partitions = [{"partition_index": 0, "replicas": replicas and list(replicas)}]
    return {"topics": [{"name": topic.name, "partitions": partitions}]}


def attempt(action: Callable[[], bool]) -> bool:
    """Whether an action succeeds now; that a node is away meanwhile is no more than a no."""
    try:
        return action()
    except (Broken, Inconclusive):
        return False


def write(session: Session, topic: Topic, values: Sequence[bytes], partition: int = 0) -> Struct:
    """Produce with acks=all until it is acknowledged, as a producer does; the good answer."""
    answers: list[Struct] = []

    def acknowledged() -> bool:
        session.forget_leaders()
        answers.append(session.produce(topic, list(values), partition))
        code = answers[-1].error_code
        if code not in (ErrorCode.NONE, *RETRIABLE):
            raise TargetError(f"a write is refused: {name_of(code)}")
        return bool(code == ErrorCode.NONE)

    try:
        session.poll_until(
            lambda: attempt(acknowledged), "a write is acknowledged", timeout=FAILOVER_S
        )
    except TargetError as error:
        session.inconclusive(str(error))
    return answers[-1]
