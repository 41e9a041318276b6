"""One object per process, and a new one in a forked child."""

from __future__ import annotations

import os
import threading

from apps.pages.per_process import PerProcess


def test_threads_of_a_process_share_one_object() -> None:
    shared = PerProcess(object)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(shared())) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, found))) == 1


def test_none_is_made_once_too() -> None:
    calls: list[int] = []
    shared = PerProcess(lambda: calls.append(1))

    shared()
    shared()

    assert calls == [1]


def test_a_forked_child_makes_its_own_even_while_another_thread_makes_one() -> None:
    making, go_on = threading.Event(), threading.Event()

    def make() -> int:
        if os.getpid() == parent:
            making.set()
            go_on.wait(10)
        return os.getpid()

    parent = os.getpid()
    shared = PerProcess(make)
    thread = threading.Thread(target=shared)
    thread.start()
    making.wait(10)

    child = os.fork()
    if child == 0:
        os._exit(0 if shared() == os.getpid() else 1)
    go_on.set()
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert shared() == parent
