"""An event loop in a thread of its own, and how other threads get something done in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class LoopThread:
    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_end_all_tasks())
        finally:
            self._loop.close()

    def post(self, step: Callable[[], object]) -> None:
        """Let it be called there, soon."""
        self._loop.call_soon_threadsafe(step)

    def call(self, step: Callable[[], _Result]) -> _Result:
        """What it returns or raises there."""
        future: Future[_Result] = Future()

        def run() -> None:
            try:
                future.set_result(step())
            except BaseException as error:
                future.set_exception(error)

        self.post(run)
        return future.result()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """What was posted before is still done."""
        self.post(self._loop.stop)
        self._thread.join()


async def _end_all_tasks() -> None:
    """Nothing that was begun here is left half done, and the sockets that were given up close."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
