"""The properties of a node: Java's syntax, Kafka's names, and what cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.core.cluster.messages import Endpoint
from impl.core.config import ConfigError
from impl.shell.java_properties import parse_java_properties, render_java_properties
from impl.shell.network import Address, Network, read_network
from impl.shell.properties import read_properties

DEFAULT = Address("127.0.0.1", 9092)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1", {"a": "1"}),
        ("  a : 1  \r\nb 2\rc\t=\t3", {"a": "1", "b": "2", "c": "3"}),
        ("# a=1\n ! b=2\n\n \t\nc=#3", {"c": "#3"}),
        ("a=1,\\\n   2,\\\n   3\nb=4", {"a": "1,2,3", "b": "4"}),
        ("a=1\\\n# goes on", {"a": "1# goes on"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("a\\ b\\:c\\=d=e=f:g", {"a b:c=d": "e=f:g"}),
        ("a=\\u00e9\\t\\\\x\\q", {"a": "é\t\\xq"}),
        ("a\nb=\nc:", {"a": "", "b": "", "c": ""}),
        ("a=1\na=2", {"a": "2"}),
        ("a=1\\", {"a": "1"}),
    ],
)
def test_java_reads_a_property_file_so(text: str, values: dict[str, str]) -> None:
    assert parse_java_properties(text) == values


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", exclude_characters="\n\r"), min_size=1),
        st.text().map(str.strip),
    )
)
def test_what_was_written_is_read_again(values: dict[str, str]) -> None:
    assert parse_java_properties(render_java_properties(values)) == values


KAFKAS_OWN = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
share.coordinator.state.topic.min.isr=1
log.retention.hours=168
"""


def test_the_property_file_that_comes_with_kafka_is_accepted_whole() -> None:
    node = read_properties(parse_java_properties(KAFKAS_OWN))
    assert node.data_folder == "/tmp/kraft-combined-logs"
    assert "num.io.threads" in node.ignored
    assert not {"listeners", "log.dirs", "num.partitions", "node.id"} & set(node.ignored)
    assert read_network(node.network, 1, DEFAULT) == Network(
        clients=Address("", 9092),
        advertised=Address("localhost", 9092),
        controller=Address("", 9093),
    )


def network(options: Mapping[str, str], node_id: int = 1) -> Network:
    given = {name.replace("_", "."): value for name, value in options.items()}
    return read_network(read_properties(given).network, node_id, DEFAULT)


def test_without_listeners_the_default_is_served() -> None:
    assert network({}) == Network(DEFAULT, DEFAULT)


QUORUM = {
    "listeners": "PLAINTEXT://10.0.0.1:9092,CTL://10.0.0.1:9093",
    "controller_listener_names": "CTL",
    "controller_quorum_voters": "1@10.0.0.1:9093, 2@[fe80::2]:9093,3@third:9093",
}


def test_voters_are_told_by_their_ids() -> None:
    read = network(QUORUM)
    assert read.controller == Address("10.0.0.1", 9093)
    assert read.voters == {
        1: Endpoint(1, "10.0.0.1", 9093),
        2: Endpoint(2, "fe80::2", 9093),
        3: Endpoint(3, "third", 9093),
    }


def test_a_node_may_be_a_broker_beside_the_voters() -> None:
    options = {**QUORUM, "listeners": "PLAINTEXT://10.0.0.4:9092", "process_roles": "broker"}
    read = network(options, node_id=4)
    assert read.controller is None
    assert sorted(read.voters) == [1, 2, 3]


def test_a_listener_may_have_another_name_and_address_for_others() -> None:
    options = {
        "listeners": "INSIDE://0.0.0.0:19092",
        "advertised_listeners": "INSIDE://[::1]:9092",
        "listener_security_protocol_map": "INSIDE:PLAINTEXT",
        "inter_broker_listener_name": "INSIDE",
    }
    read = network(options)
    assert read == Network(Address("0.0.0.0", 19092), Address("::1", 9092))


BAD_NETWORKS: dict[str, tuple[dict[str, str], str]] = {
    "SSL": ({"listeners": "SSL://:9093"}, "asks for SSL, which is not supported"),
    "SASL by the map": (
        {"listeners": "A://:1", "listener_security_protocol_map": "A:SASL_PLAINTEXT"},
        "asks for SASL_PLAINTEXT, which is not supported",
    ),
    "SSL between brokers": (
        {"security_inter_broker_protocol": "SSL"},
        "security.inter.broker.protocol asks for SSL",
    ),
    "a name without protocol": ({"listeners": "A://:1"}, "lacks the listener A"),
    "no address": ({"listeners": "PLAINTEXT:9092"}, "NAME://HOST:PORT"),
    "no port": ({"listeners": "PLAINTEXT://:70000"}, "NAME://HOST:PORT"),
    "a listener twice": (
        {"listeners": "PLAINTEXT://:1,PLAINTEXT://:2"},
        "names PLAINTEXT twice",
    ),
    "two listeners for clients": (
        {
            "listeners": "A://:1,B://:2",
            "listener_security_protocol_map": "A:PLAINTEXT,B:PLAINTEXT",
        },
        "several listeners for clients, A, B, and one is supported",
    ),
    "no listener for clients": (
        {"listeners": "CTL://:1", "controller_listener_names": "CTL"},
        "no listener for clients",
    ),
    "another listener for brokers": (
        {"inter_broker_listener_name": "B"},
        "the one listener for brokers is PLAINTEXT",
    ),
    "an address that nobody reaches": (
        {"listeners": "PLAINTEXT://0.0.0.0:9092"},
        "nobody can connect to 0.0.0.0",
    ),
    "an advertised listener that is none": (
        {"advertised_listeners": "B://h:1"},
        "advertised.listeners names B",
    ),
    "a controller alone": ({"process_roles": "controller"}, "only a controller is not supported"),
    "an unknown role": ({"process_roles": "observer"}, "process.roles is broker"),
    "a map that is none": (
        {"listener_security_protocol_map": "PLAINTEXT"},
        "list of NAME:PROTOCOL",
    ),
    "a protocol that is none": (
        {"listener_security_protocol_map": "PLAINTEXT:TLS"},
        "list of NAME:PROTOCOL",
    ),
    "voters without ids": (
        {**QUORUM, "controller_quorum_voters": "10.0.0.1:9093"},
        "list of ID@HOST:PORT",
    ),
    "a voter twice": (
        {**QUORUM, "controller_quorum_voters": "1@a:1,1@b:2"},
        "names node 1 twice",
    ),
    "a controller that is no voter": (
        {**QUORUM, "controller_quorum_voters": "2@a:1", "process_roles": "broker,controller"},
        "node 1 is not among controller.quorum.voters",
    ),
    "a voter that is no controller": (
        {**QUORUM, "process_roles": "broker"},
        "node 1 is among controller.quorum.voters",
    ),
    "a voter that does not listen": (
        {"controller_quorum_voters": "1@a:1"},
        "a voter needs a listener for the quorum",
    ),
    "a listener of the controller without vote": (
        {**QUORUM, "controller_quorum_voters": "2@a:1"},
        "node 1 is no voter, and has a listener of the controller",
    ),
    "voters that would have to be found": (
        {"controller_quorum_bootstrap_servers": "a:1,b:1"},
        "controller.quorum.bootstrap.servers is not enough",
    ),
    "a broker that knows no voters": ({"process_roles": "broker"}, "the voters have to be given"),
}


@pytest.mark.parametrize("what", BAD_NETWORKS)
def test_a_network_that_cannot_be_had_is_refused_with_a_sentence(what: str) -> None:
    options, sentence = BAD_NETWORKS[what]
    with pytest.raises(ConfigError) as refused:
        network(options)
    assert sentence in str(refused.value)


BAD_PROPERTIES = {
    "a slip": ({"num.partition": "1"}, "not a property of Kafka 4; num.partitions is one."),
    "no name at all": ({"no.such.thing": "1"}, "no.such.thing is not a property of Kafka 4."),
    "authorization": (
        {"authorizer.class.name": "org.example.Authorizer"},
        "authorizer.class.name=org.example.Authorizer is not supported: there is no authoriz",
    ),
    "tiered storage": (
        {"remote.log.storage.system.enable": "true"},
        "there is no tiered storage",
    ),
    "several folders": ({"log.dirs": "/a,/b"}, "log.dirs names several folders"),
    "a folder for metadata": (
        {"log.dirs": "/a", "metadata.log.dir": "/b"},
        "metadata.log.dir is another folder",
    ),
}


@pytest.mark.parametrize("what", BAD_PROPERTIES)
def test_a_property_that_cannot_be_had_is_refused_with_a_sentence(what: str) -> None:
    given, sentence = BAD_PROPERTIES[what]
    with pytest.raises(ConfigError) as refused:
        read_properties(given)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote.log.storage.system.enable", "false"),
        ("authorizer.class.name", ""),
        ("ssl.keystore.location", "/somewhere"),
        ("listener.name.internal.sasl.enabled.mechanisms", "PLAIN"),
        ("metrics.context.tenant", "a"),
        ("log.roll.jitter.ms", "5"),
    ],
)
def test_what_does_no_harm_is_accepted_and_told(name: str, value: str) -> None:
    assert read_properties({name: value}).ignored == (name,)


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"log.dirs": "/a", "log.dir": "/b"}, "/a"),
        ({"log.dir": "/b"}, "/b"),
        ({"log.dirs": "/a", "metadata.log.dir": "/a"}, "/a"),
        ({}, None),
    ],
)
def test_the_data_folder_is_that_of_the_properties(
    given: dict[str, str], folder: str | None
) -> None:
    assert read_properties(given).data_folder == folder


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("num.partitions", "1_000"),
        ("num.partitions", "\N{FULLWIDTH DIGIT ONE}"),
        ("num.partitions", "9" * 5_000),
        ("log.cleaner.min.cleanable.ratio", "0_0.1"),
        ("log.cleaner.min.cleanable.ratio", "nan"),
    ],
)
def test_a_number_is_what_java_takes_for_one(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match="number"):
        read_properties({name: text})
