"""An alarm that a handler sets for a moment within its own run fires when the handler is done."""

from __future__ import annotations

from agents_runtime._platform.base import DurableObject


class Slow(DurableObject):
    runs = ()

    async def begin(self):
        await self.ctx.storage.setAlarm(self.ctx.agents_platform.clock.now_ms() + 1_000)

    async def alarm(self, info):
        clock = self.ctx.agents_platform.clock
        begun_ms = clock.now_ms()
        if not self.ctx.storage.kv.get("second"):
            self.ctx.storage.kv.put("second", True)
            await self.ctx.storage.setAlarm(begun_ms + 100)
            await clock.sleep(5)
        self.ctx.storage.kv.put("ended", [*(self.ctx.storage.kv.get("ended") or []), clock.now_ms() - begun_ms])

    async def ended(self):
        return self.ctx.storage.kv.get("ended")


async def test_it_is_not_lost(runtime):
    slow = runtime.get(Slow, "a")
    await slow.begin()
    await runtime.advance(seconds=30)
    assert await slow.ended() == [5000, 0]
