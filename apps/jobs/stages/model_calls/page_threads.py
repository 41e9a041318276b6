"""The threads in which a worker parses pages with models, each page in its own. Most of the time it waits for a call.

A message contains several pages and ends when its pages have begun: from then on their leases protect them. So a worker
with hundreds of calls in flight takes few messages at once. Outside of such a worker pages are parsed one by one.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from apps.pages.per_process import PerProcess
from apps.providers.calls.process_gateway import width_of

logger = logging.getLogger(__name__)
# Additional threads per call in flight, for the work before and after a call. The gateway itself enforces the width.
# A quarter left too few prepared requests while a burst of answers was checked: 6 to 10 % of the width was not used.
SPARE_THREADS = 0.5


class PageThreads:
    """The threads of one process. Each queue has half as many more than its width."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._busy: dict[str, int] = defaultdict(int)
        self._freed = threading.Condition()

    def start(self, queues: Iterable[str]) -> None:
        """Parse the pages of these queues in threads from now on."""
        self._threads = ThreadPoolExecutor(sum(self.limit(queue) for queue in queues), thread_name_prefix="page")

    def limit(self, queue: str) -> int:
        """Return the number of the queue's threads."""
        return width_of(queue) + int(width_of(queue) * SPARE_THREADS)

    def acquire(self, queue: str, pages: int, *, seconds: float) -> bool:
        """Wait until the queue has threads for this number of pages. Return False if it has not in time."""
        if self._threads is None:
            return True
        with self._freed:
            if not self._freed.wait_for(lambda: self._busy[queue] + pages <= self.limit(queue), seconds):
                return False
            self._busy[queue] += pages
            return True

    def release(self, queue: str, pages: int) -> None:
        """Free threads that were acquired and are not used."""
        if self._threads is None:
            return
        with self._freed:
            self._busy[queue] -= pages
            self._freed.notify_all()

    def run(self, queue: str, parse: Callable[[], None]) -> None:
        """Parse a page in a thread that was acquired, and free it afterwards."""
        if self._threads is None:
            parse()
        else:
            self._threads.submit(partial(self._parse_and_release, queue, parse))

    def finish(self) -> None:
        """Wait until all pages have ended. No page may be started afterwards."""
        if self._threads is not None:
            self._threads.shutdown()

    def _parse_and_release(self, queue: str, parse: Callable[[], None]) -> None:
        try:
            parse()
        except Exception:
            logger.exception("A page stopped on an unplanned error; it is tried again when its lease expires")
        finally:
            self.release(queue, 1)


page_threads = PerProcess(PageThreads)
