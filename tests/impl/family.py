"""`python -m tests.impl.family NAME ...`: children that are ready at once and wait for their end.

A child named `dies` ends with status 3; one named `deaf` does not heed the end of its parent's
pipe until it is killed.
"""

from __future__ import annotations

import os
import select
import sys
from functools import partial

from impl.shell.processes import Task, run_together
from impl.shell.running import READY


def live(name: str, lifeline: int) -> int:
    if name == "dies":
        return 3
    print(f"{READY}{name}:{os.getpid()}", flush=True)
    select.select([lifeline] if name != "deaf" else [], [], [])
    return 0


def main(names: list[str]) -> int:
    tasks = [Task(name, partial(live, name), lambda: None) for name in names]
    return run_together(tasks, lambda addresses: print(",".join(addresses), flush=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
