"""Brokers as child processes: started, found wanting, restarted, and always stopped."""

import os
import re
import sys
from pathlib import Path

import pytest

from conformance.broker import TargetError
from conformance.client import PATIENCE_S
from conformance.session import Session
from conformance.targets import process, target
from conformance.targets.reference import Reference
from conformance.targets.target import Profile, Started


class Program(Started):
    """A Python program in place of a broker."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self.profile = Profile("program", "1")
        self.program = program

    def command(self, port: int, folder: Path) -> list[str]:
        del folder
        return [sys.executable, "-c", self.program, str(port)]


SPEAKS_AND_ENDS = "print('first\\nlast words')"
LISTENS_AND_IS_SILENT = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connections = []
while True:
    connections.append(listener.accept())
"""


def folder_in(error: TargetError) -> Path:
    found = re.search(r"its log is (\S+)/broker\.log", str(error))
    assert found is not None
    return Path(found[1])


def test_a_broker_that_ends_at_once_leaves_its_log_and_its_last_words() -> None:
    program = Program(SPEAKS_AND_ENDS)
    with pytest.raises(TargetError, match="program ended before it answered") as raised:
        program.start()
    program.stop()
    assert str(raised.value).endswith("\n  first\n  last words")
    log = folder_in(raised.value) / "broker.log"
    assert log.read_text() == "first\nlast words\n"
    log.unlink()
    log.parent.rmdir()


def test_a_broker_that_never_answers_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "START_TIMEOUT_S", 0.5)
    monkeypatch.setattr(process, "PROBE_TIMEOUT_S", 0.2)
    program = Program(LISTENS_AND_IS_SILENT)
    with pytest.raises(TargetError, match=r"did not answer within 0\.5 s") as raised:
        program.start()
    assert not program.process.running
    (folder_in(raised.value) / "broker.log").unlink()
    folder_in(raised.value).rmdir()


def test_a_program_that_does_not_exist_is_a_sentence() -> None:
    class Missing(Program):
        def command(self, port: int, folder: Path) -> list[str]:
            del port, folder
            return ["no-such-program"]

    missing = Missing("")
    with pytest.raises(TargetError, match=r"no-such-program cannot be started: No such file"):
        missing.start()
    missing.stop()


def test_a_restart_and_a_crash_keep_the_data_and_a_stop_leaves_nothing() -> None:
    broker = Reference()
    try:
        broker.start()
        folder, first = broker.process.folder, broker.process.process_id
        session = Session(broker, "restart", timeout=30.0, patience=PATIENCE_S)
        topic = session.create_topic()
        session.produce(topic, [b"kept"])
        session.restart()
        assert session.read(topic).values == [b"kept"]
        session.crash()
        assert session.read(topic).values == [b"kept"]
        last = broker.process.process_id
        session.close()
    finally:
        broker.stop()
    assert len({first, last}) == 2
    assert not folder.exists()
    for process_id in (first, last):
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


def test_settings_make_another_broker_of_the_same_kind() -> None:
    plain = Reference()
    other = plain.under({"num.partitions": "3"})
    assert isinstance(other, Reference)
    assert other.settings == {"num.partitions": "3"}
    assert plain.settings == {}
