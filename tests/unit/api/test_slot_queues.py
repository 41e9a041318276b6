"""Uploads that wait for a slot of their key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from apps.api.serving import slot_queues
from apps.api.serving.slot_queues import SlotQueues

NAME = "leafmill:uploads:1"


class Slots:
    """Slots of one key, and the uploads that tried to acquire one."""

    def __init__(self, free: int) -> None:
        self.free, self.tried, self.queues = free, list[int](), SlotQueues()

    async def upload(self, number: int, *, seconds: float) -> bool:
        """Wait as an upload that was refused once. Return whether it got a slot."""
        with self.queues.joined(NAME, seconds=seconds) as waiter:
            while not waiter.has_acquired and await waiter.may_retry():
                self.tried.append(number)
                if self.free:
                    self.free -= 1
                    waiter.has_acquired = True
            return waiter.has_acquired

    def end_one(self) -> None:
        self.free += 1
        self.queues.notify(NAME)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))


def test_only_the_first_upload_tries() -> None:
    async def scene() -> None:
        key = Slots(free=0)

        found = await asyncio.gather(*(key.upload(number, seconds=1.2) for number in range(50)))

        assert not any(found)
        assert set(key.tried) == {0}
        assert len(key.tried) <= 1.2 / slot_queues.POLL_SECONDS

    run(scene)


def test_an_upload_that_ends_lets_the_first_one_in_at_once() -> None:
    async def scene() -> None:
        key = Slots(free=0)
        uploads = [asyncio.ensure_future(key.upload(number, seconds=20)) for number in range(3)]
        for upload in uploads:
            await asyncio.sleep(0)
            key.end_one()
            assert await upload

        assert list(dict.fromkeys(key.tried)) == [0, 1, 2]
        assert key.queues._queues == {}

    run(scene)


def test_slots_released_in_other_processes_are_given_one_after_another() -> None:
    async def scene() -> None:
        key = Slots(free=0)
        uploads = [asyncio.ensure_future(key.upload(number, seconds=20)) for number in range(40)]
        await asyncio.sleep(0)
        key.free = 40

        assert all(await asyncio.gather(*uploads))
        assert key.tried == list(range(40))

    run(scene)


def test_the_next_upload_tries_when_the_first_gives_up() -> None:
    async def scene() -> None:
        key = Slots(free=0)
        first = asyncio.ensure_future(key.upload(0, seconds=0.1))
        second = asyncio.ensure_future(key.upload(1, seconds=20))
        assert not await first
        key.free = 1

        assert await second
        assert key.tried == [1]

    run(scene)
