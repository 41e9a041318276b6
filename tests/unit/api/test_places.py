"""Uploads that wait for a place of their key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from apps.api.serving import places
from apps.api.serving.places import PlaceQueues

NAME = "leafmill:uploads:1"


class Places:
    """Places of one key, and the questions that uploads ask for one."""

    def __init__(self, free: int) -> None:
        self.free, self.asked, self.queues = free, list[int](), PlaceQueues()

    async def upload(self, number: int, *, seconds: float) -> bool:
        """Wait as an upload that was refused once. Return whether it has found a place."""
        with self.queues.joined(NAME, seconds=seconds) as turn:
            while not turn.has_found_place and await turn.comes():
                self.asked.append(number)
                if self.free:
                    self.free -= 1
                    turn.has_found_place = True
            return turn.has_found_place

    def end_one(self) -> None:
        self.free += 1
        self.queues.wake(NAME)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 20))


def test_only_the_first_upload_asks() -> None:
    async def scene() -> None:
        key = Places(free=0)

        found = await asyncio.gather(*(key.upload(number, seconds=1.2) for number in range(50)))

        assert not any(found)
        assert set(key.asked) == {0}
        assert len(key.asked) <= 1.2 / places.PAUSE_SECONDS

    run(scene)


def test_an_upload_that_ends_lets_the_first_one_in_at_once() -> None:
    async def scene() -> None:
        key = Places(free=0)
        uploads = [asyncio.ensure_future(key.upload(number, seconds=20)) for number in range(3)]
        for upload in uploads:
            await asyncio.sleep(0)
            key.end_one()
            assert await upload

        assert list(dict.fromkeys(key.asked)) == [0, 1, 2]
        assert key.queues._queues == {}

    run(scene)


def test_places_that_ended_in_other_processes_are_given_one_after_another() -> None:
    async def scene() -> None:
        key = Places(free=0)
        uploads = [asyncio.ensure_future(key.upload(number, seconds=20)) for number in range(40)]
        await asyncio.sleep(0)
        key.free = 40

        assert all(await asyncio.gather(*uploads))
        assert key.asked == list(range(40))

    run(scene)


def test_the_next_upload_asks_when_the_first_gives_up() -> None:
    async def scene() -> None:
        key = Places(free=0)
        first = asyncio.ensure_future(key.upload(0, seconds=0.1))
        second = asyncio.ensure_future(key.upload(1, seconds=20))
        assert not await first
        key.free = 1

        assert await second
        assert key.asked == [1]

    run(scene)
