"""Replication with KIP-320 fencing for SPIN: the steps of `model/areas/replication.py` in Promela,
unrolled as its users do for speed, each one a d_step, so that SPIN stores the same states.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

HEAD = """
/* 0 stands for none; a leader is 1 + broker, an epoch 1 + epoch, a record 1 + identity * epochs +
   epoch. Bits of a number stand for the brokers in it. */
byte leader[{brokers}], epoch[{brokers}], isr[{brokers}], mark[{brokers}], size[{brokers}];
byte log[{entries}], notice_leader[{epochs}], notice_isr[{epochs}];
byte quorum_leader, quorum_isr = {everybody}, next_epoch, next_record;
hidden byte end;

active proctype partition() {{
    do
"""


def promela(bounds: tuple[int, ...]) -> str:
    """The model at these bounds."""
    brokers, log_size, records, last_epoch = bounds
    writer = _Writer(brokers, log_size, records, last_epoch + 1)
    head = HEAD.format(
        brokers=brokers, entries=brokers * log_size, epochs=last_epoch + 1,
        everybody=(1 << brokers) - 1,
    )  # fmt: skip
    return head + "".join(f"    {line}\n" for line in writer.steps()) + "    od\n}\n"


class _Writer:
    """Writes the steps, one option of the loop each."""

    def __init__(self, brokers: int, log_size: int, records: int, epochs: int) -> None:
        self.brokers, self.offsets = range(brokers), range(log_size)
        self.log_size, self.records, self.epochs = log_size, records, epochs

    def steps(self) -> Iterator[str]:
        for b in self.brokers:
            yield from self._controller(b)
            yield from self._leader(b)
            for e in range(self.epochs):
                yield self._becomes_leader(b, e)
            for other in self.brokers:
                if other != b:
                    yield from self._isr(b, other)
                    yield self._fetch(other, b)
                    for e in range(self.epochs):
                        yield self._becomes_follower(other, b, e)

    def _step(self, guard: str, *updates: str) -> str:
        return f":: d_step {{ {guard} -> {'; '.join(updates)}; assert({self._holds()}) }}"

    def _holds(self) -> str:
        """Whoever is in an ISR holds what a presumed leader committed."""
        claims = []
        for b in self.brokers:
            for m in self.brokers:
                same = " && ".join(
                    f"(mark[{b}] <= {o} || ({self._entry(b, o)} == {self._entry(m, o)} &&"
                    f" {self._entry(b, o)}))"
                    for o in self.offsets
                )
                member = f"((isr[{b}] | quorum_isr) & {1 << m})"
                claims.append(f"(leader[{b}] != {b + 1} || !{member} || ({same}))")
        return " && ".join(claims)

    def _entry(self, broker: int, offset: int | str) -> str:
        return f"log[{broker * self.log_size} + {offset}]"

    def _follows(self, b: int, leader: int) -> str:
        both = f"leader[{leader}] == {leader + 1} && leader[{b}] == {leader + 1}"
        return f"({both} && epoch[{b}] == epoch[{leader}])"

    def _controller(self, b: int) -> Iterator[str]:
        bit = 1 << b
        left = f"next_epoch < {self.epochs}"
        told = (
            "notice_leader[next_epoch] = quorum_leader", "notice_isr[next_epoch] = quorum_isr",
            "next_epoch++",
        )  # fmt: skip
        yield self._step(
            f"{left} && (quorum_isr & {bit}) && quorum_leader != {b + 1}",
            f"quorum_leader = {b + 1}", *told,
        )  # fmt: skip
        yield self._step(
            f"{left} && (quorum_leader == {b + 1} || (quorum_isr & {bit}))",
            f"quorum_isr = (quorum_leader == {b + 1} && quorum_isr == {bit} -> quorum_isr :"
            f" quorum_isr & {~bit & 255})",
            f"quorum_leader = (quorum_leader == {b + 1} -> 0 : quorum_leader)", *told,
        )  # fmt: skip

    def _becomes_leader(self, b: int, e: int) -> str:
        return self._step(
            f"notice_leader[{e}] == {b + 1} && epoch[{b}] < {e + 1}",
            f"leader[{b}] = {b + 1}", f"epoch[{b}] = {e + 1}", f"isr[{b}] = notice_isr[{e}]",
        )  # fmt: skip

    def _leader(self, b: int) -> Iterator[str]:
        entry = self._entry(b, f"size[{b}]")
        yield self._step(
            f"leader[{b}] == {b + 1} && next_record < {self.records} &&"
            f" size[{b}] < {self.log_size}",
            f"{entry} = next_record * {self.epochs} + epoch[{b}]", f"size[{b}]++", "next_record++",
        )  # fmt: skip
        have = (
            f"(!(isr[{b}] & {1 << m}) || ({self._follows(m, b)} && mark[{b}] < size[{m}]))"
            for m in self.brokers
        )
        yield self._step(f"mark[{b}] < size[{b}] && {' && '.join(have)}", f"mark[{b}]++")

    def _isr(self, b: int, m: int) -> Iterator[str]:
        true_leader = f"quorum_leader == {b + 1} && leader[{b}] == {b + 1}"
        true_leader += f" && epoch[{b}] == next_epoch"
        member, same = f"(isr[{b}] & {1 << m})", self._follows(m, b)
        newest = f"({self._entry(b, f'mark[{b}]')} - 1) % {self.epochs} + 1 == epoch[{b}]"
        reached = f"(mark[{b}] == size[{b}] || (mark[{b}] < size[{b}] && {newest}))"
        grown = f"isr[{b}] = isr[{b}] | {1 << m}"
        shrunk = f"isr[{b}] = isr[{b}] & {~(1 << m) & 255}"
        told = f"quorum_isr = isr[{b}]"
        yield self._step(
            f"{true_leader} && !{member} && {same} && size[{m}] >= mark[{b}] && {reached}",
            grown, told,
        )  # fmt: skip
        yield self._step(f"{true_leader} && {member} && !{same}", shrunk, told)
        yield self._step(f"{true_leader} && {member} && size[{m}] < size[{b}]", shrunk, told)

    def _fetch(self, b: int, leader: int) -> str:
        copied = f"{self._entry(b, f'size[{b}]')} = {self._entry(leader, f'size[{b}]')}"
        least = f"mark[{b}] = (mark[{leader}] < size[{b}] -> mark[{leader}] : size[{b}])"
        return self._step(
            f"{self._follows(b, leader)} && size[{b}] < size[{leader}]",
            copied, f"size[{b}]++", least,
        )  # fmt: skip

    def _becomes_follower(self, b: int, leader: int, e: int) -> str:
        end = "0"
        for o in self.offsets:
            mine, theirs = self._entry(b, o), self._entry(leader, o)
            end = f"({mine} && {mine} == {theirs} -> {o + 1} : {end})"
        cut = (
            f"{self._entry(b, o)} = (end <= {o} -> 0 : {self._entry(b, o)})" for o in self.offsets
        )
        return self._step(
            f"notice_leader[{e}] == {leader + 1} && epoch[{b}] < {e + 1} &&"
            f" leader[{leader}] == {leader + 1} && epoch[{leader}] == {e + 1}",
            f"end = {end}", *cut, f"size[{b}] = end",
            f"mark[{b}] = (mark[{b}] < end -> mark[{b}] : end)", f"leader[{b}] = {leader + 1}",
            f"epoch[{b}] = {e + 1}", f"isr[{b}] = notice_isr[{e}]", "end = 0",
        )  # fmt: skip


def is_there() -> bool:
    """Is SPIN installed."""
    return shutil.which("spin") is not None


def explore(bounds: tuple[int, ...], scratch: Path) -> tuple[float, int, int, int, float]:
    """Seconds, states, successors and one for the first state, bytes, seconds to build."""
    directory = scratch / f"spin{bounds}"
    began = time.perf_counter()
    if not directory.exists():
        directory.mkdir()
        (directory / "model.pml").write_text(promela(bounds))
        subprocess.run(["spin", "-a", "model.pml"], cwd=directory, check=True, capture_output=True)
        flags = ["-O2", "-march=native", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8192"]
        subprocess.run(["cc", *flags, "-o", "pan", "pan.c"], cwd=directory, check=True)
    build = time.perf_counter() - began
    began = time.perf_counter()
    command = ["./pan", "-m1000000", "-w22", "-n", "-E"]
    done = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if "errors: 0" not in done.stdout or "max search depth too small" in done.stdout:
        raise SystemExit(f"SPIN does not finish:\n{done.stdout}")
    [states] = re.findall(r"(\d+) states, stored", done.stdout)
    [made] = re.findall(r"(\d+) transitions", done.stdout)
    [megabytes] = re.findall(r"([\d.]+)\s+actual memory usage for states", done.stdout)
    # A transition leads to a state that is stored or matched; the first state is among them.
    return seconds, int(states), int(made), int(float(megabytes) * 1e6), build
