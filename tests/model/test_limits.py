"""An exploration that is stopped says so, keeps what it found, and goes on from there."""

import os
import signal
from pathlib import Path

import pytest

from model import catalogue
from model.engines.explore import UNDECIDED, Exploration, Limits, explore
from model.engines.kernels import Kernel
from model.lang import ModelError

REPLICATION = catalogue.machine("replication")
SCOPE = REPLICATION.scopes["tiny"]
KERNELS = ("plain", "numpy")


def counts(seen: Exploration) -> tuple[object, ...]:
    return seen.distinct, seen.generated, seen.depth, seen.fired, seen.complete


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_bound_on_states_leaves_claims_undecided(kernel: str) -> None:
    seen = explore(REPLICATION, SCOPE, Limits(states=100), kernel=kernel)
    assert "100 states" in seen.stopped
    assert 100 <= seen.distinct < 957
    assert seen.verdicts["committed_records_survive_election"].outcome == UNDECIDED


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_bound_on_memory_stops_with_a_sentence(kernel: str) -> None:
    seen = explore(REPLICATION, SCOPE, Limits(bytes=1000), kernel=kernel)
    assert "MB of states" in seen.stopped


@pytest.mark.parametrize("first", KERNELS)
@pytest.mark.parametrize("second", KERNELS)
def test_a_checkpoint_goes_on_to_the_same_counts(first: str, second: str, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    stopped = explore(REPLICATION, SCOPE, Limits(states=300, file=file), kernel=first)
    assert not stopped.complete
    resumed = explore(REPLICATION, SCOPE, Limits(file=file), kernel=second)
    assert counts(resumed) == counts(explore(REPLICATION, SCOPE))
    for name, verdict in resumed.verdicts.items():
        expected = explore(REPLICATION, SCOPE).verdicts[name]
        assert verdict.outcome == expected.outcome
        assert len(verdict.trace or "") == len(expected.trace or "")


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("dear to me")
    with pytest.raises(ModelError, match="is no checkpoint"):
        explore(REPLICATION, SCOPE, Limits(file=file))
    assert file.read_text() == "dear to me"


def test_the_checkpoint_of_another_scope_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    explore(REPLICATION, SCOPE, Limits(states=100, file=file))
    with pytest.raises(ModelError, match="another machine, scope or version"):
        explore(REPLICATION, REPLICATION.scopes["default"], Limits(file=file))


def test_ctrl_c_keeps_what_was_found() -> None:
    def interrupt(_: Kernel) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    seen = explore(REPLICATION, SCOPE, progress=interrupt)
    assert seen.stopped == "interrupted"
    assert seen.distinct > 1


def test_a_kernel_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="there is no kernel 'gpu'"):
        explore(REPLICATION, SCOPE, kernel="gpu")
