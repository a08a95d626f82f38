"""What a check holds in its hands: connections by role, unique names, preparations, judgement.

Five kinds of methods. *Connections*: `broker`, `connect`, `leader`, `coordinator`, `node`,
`controller`; on a cluster these are different addresses. *Faults*: what befalls one node.
*Preparations* (`create_topic`, `coordinator`, `restart`): whatever goes wrong in them is
inconclusive, since the check does not judge them. *Conveniences* (`produce`, `fetch`, `read`,
`list_offset`): ordinary calls with the long nested fields filled in; what they meet counts for
the check. `permit` and its like judge.

A session remembers the topics and groups that it named and deletes them in the end. It never
sleeps in a check's stead: `poll_until` waits for conditions, the client for bytes.
"""

import contextlib
import itertools
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from conformance import lookup, requests
from conformance.broker import Broker, TargetError
from conformance.client import PATIENCE_S, Address, Client, Versions, violation
from conformance.judge import Condition, permit
from conformance.lookup import GROUP
from conformance.requests import Read, Topic
from conformance.transcript import Transcript
from conformance.verdict import Broken, Inconclusive, NotApplicable
from conformance.wire import Struct, Unreadable
from spec.wire.errors import ErrorCode, name_of

Value = TypeVar("Value")

POLL_INTERVAL_S = 0.02
PREPARATION_TIMEOUT_S = 20.0
CLEAN_UP_TIMEOUT_S = 5.0


class Session:
    """Everything that one run of one check may touch. Not for several threads."""

    def __init__(
        self, broker: Broker, label: str, timeout: float, patience: float = PATIENCE_S
    ) -> None:
        self.target = broker
        self.transcript = Transcript()
        self.deadline = time.monotonic() + timeout
        self.patience = patience
        self._label = label
        self._clients: dict[Address, Client] = {}
        self._leaders: dict[tuple[str, int], Address] = {}
        self._coordinators: dict[tuple[str, int], Address] = {}
        self._opened: list[Client] = []
        self._numbers = itertools.count(1)
        self._topics: list[str] = []
        self._created: list[Topic] = []
        self._groups: list[str] = []
        self._addresses: dict[int, Address] = {}
        self._unhealed = False

    # Connections

    @property
    def broker(self) -> Client:
        """The default connection to the bootstrap address."""
        return self._client(self.target.address)

    def connect(self, near: Client | None = None, client_id: str | None = "brokerspec") -> Client:
        """A further connection, to the bootstrap address or to where `near` is connected."""
        return self.connect_to(near.address if near else self.target.address, client_id)

    def connect_to(
        self,
        address: Address,
        client_id: str | None = "brokerspec",
        versions: Versions | None = None,
    ) -> Client:
        """A further connection to an address, where `versions` are known to both sides."""
        try:
            client = Client(
                address,
                self.target.versions if versions is None else versions,
                self.transcript,
                self.deadline,
                client_id,
                self.patience,
                self.target.newest_usable,
            )
        except OSError as error:
            raise Inconclusive(f"{address[0]}:{address[1]} cannot be reached: {error}") from None
        self._opened.append(client)
        return client

    def leader(self, topic: Topic, partition: int = 0) -> Client:
        """The default connection to the leader of a partition.

        It is asked for once; `forget_leaders` makes the next call ask again.
        """
        if (topic.name, partition) not in self._leaders:
            with preparing(f"finding the leader of {topic.name}"):
                self._metadata(topic.name)
        if (topic.name, partition) not in self._leaders:
            raise Inconclusive(f"partition {partition} of {topic.name} has no leader")
        return self._client(self._leaders[topic.name, partition])

    def forget_leaders(self) -> None:
        """Ask again for leaders and coordinators when they are next needed."""
        self._leaders.clear()
        self._coordinators.clear()

    def coordinator(self, key: str, kind: int = GROUP) -> Client:
        """The default connection to the coordinator of a group (or TRANSACTION), once loaded."""
        if (key, kind) in self._coordinators:
            return self._client(self._coordinators[key, kind])
        with preparing(f"finding the coordinator of {key}"):
            found = self.poll_until(
                lambda: lookup.find_coordinator(self.broker, key, kind), f"{key} has a coordinator"
            )
            client = self._client(found)
            self.poll_until(
                lambda: lookup.coordinator_has_loaded(client, key, kind),
                f"the coordinator of {key} has loaded",
            )
        self._coordinators[key, kind] = client.address
        return client

    def node(self, node_id: int) -> Client:
        """The default connection to a broker of the cluster."""
        return self._client(self._address_of(node_id))

    def controller(self, node_id: int) -> Client:
        """A new connection to where a node listens as a controller, as brokers have it."""
        try:
            address, versions = self.target.controller(node_id)
        except TargetError as error:
            raise NotApplicable(str(error)) from None
        return self.connect_to(address, versions=versions)

    # Faults: what befalls one node, and is undone when the check is over

    def kill(self, node_id: int) -> None:
        """End a node without warning."""
        self._befalls(node_id, "is killed", self.target.kill)

    def pause(self, node_id: int) -> None:
        """Let a node stand still with its connections open, as one that is cut off."""
        self._befalls(node_id, "stands still", self.target.pause)

    def resume(self, node_id: int) -> None:
        self._befalls(node_id, "goes on", self.target.resume)

    def stop_node(self, node_id: int) -> None:
        """Stop a node as its operator would, and wait for its end."""
        self._befalls(node_id, "is stopped cleanly", self.target.stop_node)

    def start_node(self, node_id: int) -> None:
        """Start a node on its data, and wait until it answers."""
        self._befalls(node_id, "is started", self.target.start_node)

    # Names and preparations

    def name(self, kind: str) -> str:
        """A name that nobody else uses, such as `acks-02-topic-1-3f9c`."""
        return f"{self._label}-{kind}-{next(self._numbers)}-{uuid.uuid4().hex[:6]}"

    def group_name(self) -> str:
        """The name of a group that is deleted when the check is over."""
        self._groups.append(self.name("group"))
        return self._groups[-1]

    def create_topic(
        self,
        partitions: int = 1,
        *,
        configs: Mapping[str, str] | None = None,
        replication_factor: int = 1,
        name: str | None = None,
    ) -> Topic:
        """A new topic, when every partition has a leader; deleted when the check is over."""
        name = name or self.name("topic")
        self.delete_later(name)
        with preparing(f"creating the topic {name}"):
            if "CreateTopics" in self.target.versions:
                fields = requests.create_topic(name, partitions, replication_factor, configs or {})
                error = self.broker.call("CreateTopics", **fields).topics[0].error_code
                if error != ErrorCode.NONE:
                    raise Inconclusive(f"CreateTopics answers {ErrorCode(error).name}")
            elif configs:
                raise NotApplicable("the broker does not advertise CreateTopics")
            topic = self.poll_until(
                lambda: self._found(name, partitions), f"every partition of {name} has a leader"
            )
            self.poll_until(lambda: self._served(topic), f"the leaders of {name} serve it")
        self._created.append(topic)
        return topic

    def delete_later(self, topic: str) -> None:
        """Delete a topic of this name, if there is one, when the check is over."""
        self._topics.append(topic)

    def new_producer(self) -> tuple[int, int]:
        """A fresh producer id and its epoch, for idempotent batches."""
        with preparing("getting a producer id"):
            return self.poll_until(
                lambda: lookup.new_producer(self.broker), "the broker gives a producer id"
            )

    def restart(self) -> None:
        """Restart the broker cleanly on its data. Connections from before are of no use."""
        self._again("restarts cleanly", self.target.restart)

    def crash(self) -> None:
        """Kill the broker and start it on what it left. Connections from before are of no use."""
        self._again("is killed and started again", self.target.crash)

    # Conveniences: ordinary calls with the long fields filled in

    def produce(
        self,
        topic: Topic,
        data: bytes | Collection[bytes],
        partition: int = 0,
        *,
        acks: int = -1,
        version: int | None = None,
        transactional_id: str | None = None,
    ) -> Struct:
        """Produce a batch (encoded, or as the values of its records); its partition's answer."""
        fields = requests.produce(topic, {partition: data}, acks, transactional_id)
        answer = self.leader(topic, partition).call("Produce", version, **fields)
        found: Struct = answer.responses[0].partition_responses[0]
        return found

    def fetch(
        self,
        topic: Topic,
        offset: int = 0,
        partition: int = 0,
        *,
        isolation_level: int = 0,
        max_wait_ms: int = 500,
        version: int | None = None,
    ) -> Struct:
        """One Fetch of one partition, without a fetch session; its partition's answer."""
        fields = requests.fetch(
            topic, {partition: offset}, isolation_level=isolation_level, max_wait_ms=max_wait_ms
        )
        answer = self.leader(topic, partition).call("Fetch", version, **fields)
        if not (answer.responses and answer.responses[0].partitions):
            self.inconclusive(f"Fetch answers {name_of(answer.error_code)} and no partition")
        found: Struct = answer.responses[0].partitions[0]
        return found

    def read(
        self,
        topic: Topic,
        offset: int = 0,
        partition: int = 0,
        *,
        count: int = 0,
        isolation_level: int = 0,
        timeout: float = 5.0,
    ) -> Read:
        """Fetch in a loop to the visible end, and on until `count` records came or time is up.

        The visible end is the high watermark, or the last stable offset for isolation level 1.
        Control batches are among `batches`, not among `records`. An error of Fetch is
        Inconclusive; who judges errors uses `fetch`.
        """
        until = time.monotonic() + timeout
        result = Read(offset)
        while True:
            answer = self.fetch(
                topic, result.next_offset, partition, isolation_level=isolation_level
            )
            result.partition = answer
            if answer.error_code != ErrorCode.NONE:
                raise Inconclusive(f"Fetch answers {name_of(answer.error_code)}")
            try:
                result.take(answer.records)
            except Unreadable as error:
                raise Broken(f"the records of {topic.name} cannot be read: {error}") from None
            end = answer.last_stable_offset if isolation_level else answer.high_watermark
            enough = len(result.records) >= count and result.next_offset >= end
            if enough or time.monotonic() > until:
                return result

    def list_offset(
        self,
        topic: Topic,
        timestamp: int,
        partition: int = 0,
        *,
        isolation_level: int = 0,
        version: int | None = None,
    ) -> Struct:
        """ListOffsets of one partition (-2 earliest, -1 latest, or a time); its answer."""
        fields = requests.list_offsets(topic, {partition: timestamp}, isolation_level)
        answer = self.leader(topic, partition).call("ListOffsets", version, **fields)
        found: Struct = answer.topics[0].partitions[0]
        return found

    def poll_until(
        self,
        condition: Callable[[], Value | None],
        what: str,
        *,
        timeout: float = PREPARATION_TIMEOUT_S,
        demanded: str = "",
    ) -> Value:
        """Ask again until the condition is true, and return its value.

        If time is up first: Inconclusive, or with `demanded` (the sentence that demands it) a
        Violation. `what` says the condition: "every partition has a leader".
        """
        until = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > self.deadline:
                raise Inconclusive(f"the time that a check may take was up before {what}")
            if time.monotonic() > until:
                if demanded:
                    raise violation("the state", f"not so after {timeout:g} s", what, demanded)
                raise Inconclusive(f"{timeout:g} s were not enough until {what}")
            time.sleep(POLL_INTERVAL_S)
        return value

    # Judgement

    def permit(
        self, what: str, got: Any, permitted: Collection[Any] | Condition, because: str
    ) -> None:
        """See `conformance.judge.permit`."""
        permit(what, got, permitted, because)

    def inconclusive(self, reason: str) -> NoReturn:
        """Leave the check: nothing can be concluded."""
        raise Inconclusive(reason)

    def not_applicable(self, reason: str) -> NoReturn:
        """Leave the check: the clause does not concern this broker."""
        raise NotApplicable(reason)

    # Inside

    def close(self) -> None:
        """Delete what was made, as far as the broker lets us, and close every connection."""
        self._forget_connections()
        if self._unhealed:
            with contextlib.suppress(TargetError):  # The runner asks whether it still answers.
                self.target.heal()
        self.deadline = time.monotonic() + CLEAN_UP_TIMEOUT_S
        self.transcript = Transcript()
        with contextlib.suppress(Broken, Inconclusive, NotApplicable):
            self._clean_up()
        self._forget_connections()

    def _clean_up(self) -> None:
        client = self.connect()
        if self._topics and "DeleteTopics" in client.versions:
            client.call("DeleteTopics", **requests.delete_topics(self._topics))
        for group in self._groups if "DeleteGroups" in client.versions else []:
            address = lookup.find_coordinator(client, group, GROUP)
            if address:
                self._client(address).call("DeleteGroups", groups_names=[group])

    def _again(self, what: str, action: Callable[[], None]) -> None:
        self._forget_connections()
        self.transcript.note(f"the broker {what}")
        try:
            action()
        except TargetError as error:
            raise Inconclusive(f"the broker did not come back: {error}") from None
        # A broker may be up before it has learnt what it leads. What else it has forgotten, and
        # that it never learns, is for the check to see.
        with contextlib.suppress(Broken, Inconclusive):
            self.poll_until(
                lambda: all(map(self._knows_its_leaders, self._created)), "the leaders know it"
            )

    def _befalls(self, node_id: int, what: str, action: Callable[[int], None]) -> None:
        address = self._address_of(node_id)  # known from now on, when nobody can be asked
        self.transcript.note(f"node {node_id} {what}")
        self._unhealed = True
        try:
            action(node_id)
        except TargetError as error:
            raise Inconclusive(f"node {node_id}: {error}") from None
        self.forget_leaders()
        client = self._clients.pop(address, None)
        if client is not None:
            client.close()

    def _address_of(self, node_id: int) -> Address:
        """Where a broker is, or was when it could last be asked for."""
        if node_id not in self._addresses:
            with preparing(f"finding broker {node_id}"):
                for each in self.broker.call("Metadata", topics=[]).brokers:
                    self._addresses[each.node_id] = each.host, each.port
        if node_id not in self._addresses:
            raise Inconclusive(f"there is no broker {node_id}")
        return self._addresses[node_id]

    def _forget_connections(self) -> None:
        for client in self._opened:
            client.close()
        self._opened.clear()
        self._clients.clear()
        self.forget_leaders()

    def _client(self, address: Address) -> Client:
        known = self._clients.get(address)
        if known is None or known.closed or known.pending:
            known = self._clients[address] = self.connect_to(address)
        return known

    def _metadata(self, topic: str) -> Struct:
        """The metadata of one topic, made by asking where there is no other way to make one."""
        creates = "CreateTopics" not in self.target.versions
        answer = lookup.metadata(self.broker, topic, creates)
        self._leaders |= lookup.leaders(answer)
        return answer

    def _found(self, name: str, partitions: int) -> Topic | None:
        """The topic, once its partitions have leaders."""
        answer: Struct = self._metadata(name).topics[0]
        if answer.error_code != ErrorCode.NONE or not answer.partitions:
            return None
        if any(p.error_code != ErrorCode.NONE or p.leader_id < 0 for p in answer.partitions):
            return None
        count = len(answer.partitions)
        if count < partitions:
            raise NotApplicable(f"the broker creates topics of {count} partitions only")
        return Topic(name, answer.topic_id, count)

    def _knows_its_leaders(self, topic: Topic) -> bool:
        """Whether those who lead a topic, if it is still there, have learnt of it."""
        found = self._metadata(topic.name).topics[0]
        if any(partition.leader_id < 0 for partition in found.partitions):
            return False
        codes = {
            self.list_offset(topic, requests.LATEST, partition.partition_index).error_code
            for partition in found.partitions
        }
        return not codes & {ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.LEADER_NOT_AVAILABLE}

    def _served(self, topic: Topic) -> bool:
        """Whether the leaders know their role; Metadata may name them a moment earlier."""
        return all(
            self.list_offset(topic, requests.LATEST, index).error_code == ErrorCode.NONE
            for index in range(topic.partitions)
        )


@contextlib.contextmanager
def preparing(what: str) -> Iterator[None]:
    """What breaks while a check prepares is inconclusive, for it is not what the check judges."""
    try:
        yield
    except Broken as error:
        raise Inconclusive(f"{what}: {error}") from error
