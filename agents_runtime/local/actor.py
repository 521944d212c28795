"""One address of the local host: it wakes the object, feeds it events, and lets it sleep.

An `Actor` exists while its object is in memory or has open WebSockets. Its `Life` comes and goes; the sockets stay.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agents_runtime.local.alarms import ALARM_KEY, AlarmInfo, AlarmSlot, retry_delay_ms
from agents_runtime.local.context import DurableObjectContext
from agents_runtime.local.life import Life, current_life
from agents_runtime.local.namespaces import LocalId, remote_failure, remote_method_of
from agents_runtime.local.shim.streams import ReadableStream
from agents_runtime.local.sockets import ABNORMAL, ServerEnd, SocketTable, handle, to_platform
from agents_runtime.local.values import JsException, clone

if TYPE_CHECKING:
    from agents_runtime.local.facets import Facet
    from agents_runtime.local.host import Host
    from agents_runtime.local.store import Address

T = TypeVar("T")

RESET_CODE = 1011
RESTART_CODE = 1012


class Actor:
    """One addressed object."""

    def __init__(self, host: Host, cls: type, object_id: LocalId | str, address: Address | None = None) -> None:
        self.host = host
        self.cls = cls
        self.id: Any = object_id
        """A `LocalId`; of a facet also a text."""
        self.address: Address = address or (cast("LocalId", object_id).class_name, cast("LocalId", object_id).hex)
        self.sockets = SocketTable()
        self.facets: dict[str, Facet] = {}
        self.life: Life | None = None
        self._is_alarm_abandoned = False

    def __repr__(self) -> str:
        return repr(self.id)

    @property
    def stored_name(self) -> str | None:
        """The name that is kept in the database; None if there is none."""
        name: str | None = self.id.name
        return name

    @property
    def is_needed(self) -> bool:
        """Whether something of this address, or inside it, is in memory or connected."""
        return self.life is not None or len(self.sockets) > 0 or any(facet.is_needed for facet in self.facets.values())

    def alarm_slot(self, life: Life) -> AlarmSlot:
        """The alarm, for one life."""
        return AlarmSlot(life.database, self.host.alarms, self.id)

    def occupy(self) -> None:
        """Take note that the object is in memory: every event of its id must come to this actor."""
        self.host.occupied(self)

    def vacate(self) -> None:
        """Take note that something left; an actor that holds nothing is made again when it is needed."""
        if not self.is_needed:
            self.host.vacated(self)

    # Waking and sleeping

    def wake(self) -> Life:
        """The object in memory, constructed now if it was not."""
        life = self.life
        if life is not None and (not self.host.options.evict_before_every_event or not self._fall_asleep()):
            self.host.entered(life)
            return life
        self.host.check_running()
        self.occupy()
        life = self.life = Life(self)
        self.host.entered(life)
        token = current_life.set(life)
        try:
            life.instance = self.cls(DurableObjectContext(life), self.host.env)
        except BaseException as error:
            self.reset(error if isinstance(error, Exception) else JsException("Error", str(error)))
            raise
        finally:
            current_life.reset(token)
        return life

    def evict(self) -> bool:
        """Drop the object's memory if nothing runs in it. Sockets stay open; storage is closed."""
        is_asleep = self._fall_asleep()
        self.vacate()
        return is_asleep

    def _fall_asleep(self) -> bool:
        life = self.life
        if life is None:
            return True
        if life.is_busy:
            return False
        life.output.flush()
        if life.output.is_dirty or self.life is not life:
            return self.life is None
        self._forget("evicted", None)
        return True

    def reset(self, error: Exception, *, code: int = RESET_CODE) -> None:
        """Drop the object at once: uncommitted writes are lost, events fail with `error`, sockets are closed."""
        if self.life is not None:
            self._forget(str(error), error)
        self.sockets.drop_all(code, "Durable Object reset" if code != ABNORMAL else "")
        for facet in list(self.facets.values()):
            facet.reset(error)
        self.vacate()

    def remove_facets(self) -> None:
        """Drop everything inside this object, and delete its data."""
        from agents_runtime.local.facets import DELETED

        for facet in list(self.facets.values()):
            facet.reset(JsException("Error", DELETED))
        self.host.store.remove_inside(self.address)

    def tree(self) -> Iterator[Actor]:
        """This actor and all those inside it."""
        yield self
        for facet in list(self.facets.values()):
            yield from facet.tree()

    def _forget(self, reason: str, error: Exception | None) -> None:
        life, self.life = self.life, None
        self.sockets.forget_handles()
        if life is not None:
            life.end(reason, error)
            self.host.left(life)

    def went_idle(self, life: Life) -> None:
        """Told by a life whose last event ended."""
        if self.life is life:
            self.host.idled(life)

    # Events

    async def fetch(self, request: Any) -> Any:
        """Deliver an HTTP request and return the response once the writes behind it are committed."""
        try:
            life = self.wake()
            response = await life.run(lambda instance: _handler(instance, "fetch")(request))
        except Exception as error:
            raise remote_failure(error) from None
        if response is not None and response.is_streaming:
            response = response.replaced(body=ReadableStream(_gated(life, response.take_body())))
        return response

    async def call(self, name: str, args: list[Any]) -> Any:
        """Call a method over RPC with arguments already copied; the result is a copy."""

        async def invoke(instance: Any) -> Any:
            result = remote_method_of(self, instance, name)(*args)
            if inspect.isawaitable(result):
                result = await result
            return clone(result)

        try:
            return await self.wake().run(invoke)
        except Exception as error:
            raise remote_failure(error) from None

    async def run_in(self, work: Callable[[Any], T | Awaitable[T]]) -> T:
        """Run `work(instance)` as an event; no copies, exceptions unchanged."""

        async def invoke(instance: Any) -> T:
            result = work(instance)
            return cast("T", await result if inspect.isawaitable(result) else result)

        return await self.wake().run(invoke)

    def socket_received(self, end: ServerEnd, data: str | bytes) -> None:
        if self.sockets.auto_response is not None and self.sockets.answer_automatically(
            end, data, self.host.clock.now_ms()
        ):
            return
        self.host.start_task(self._message(end, data))

    async def _message(self, end: ServerEnd, data: str | bytes) -> None:
        if end.owner is not self:
            return  # the object was reset before this event began, and its sockets were dropped
        try:
            life = self.wake()
            await life.run(lambda instance: instance.webSocketMessage(handle(end, life), to_platform(data)))
        except Exception as error:
            self.host.report(self, "webSocketMessage", error)
        finally:
            end.client.handled()

    def socket_closed(self, end: ServerEnd, code: int, reason: str, was_clean: bool) -> None:
        self.host.start_task(self._close(end, code, reason, was_clean))

    async def _close(self, end: ServerEnd, code: int, reason: str, was_clean: bool) -> None:
        if end.owner is not self:
            return
        try:
            life = self.wake()
            if getattr(life.instance, "webSocketClose", None) is not None:
                await life.run(lambda instance: instance.webSocketClose(handle(end, life), code, reason, was_clean))
        except Exception as error:
            self.host.report(self, "webSocketClose", error)
        finally:
            self.sockets.remove(end)
            self.vacate()

    # The alarm

    async def fire_alarm(self, *, early: bool = False) -> bool:
        """Run the alarm handler if the alarm is due, and arrange the retry if it fails. True: it ran."""
        try:
            life = self.wake()
        except Exception as error:
            self.host.report(self, "alarm", error)
            self._retry_alarm(None)
            return False
        slot = life.alarm
        due_ms = slot.stored_ms
        if due_ms is None or slot.is_firing:
            self.host.idled(life)
            return False
        if not early and due_ms > self.host.clock.now_ms() and self.id not in self.host.alarms.failures:
            self.host.alarms.retry_at(self.id, due_ms)
            self.host.idled(life)
            return False
        return await self._run_alarm(life, due_ms)

    async def _run_alarm(self, life: Life, due_ms: int) -> bool:
        slot = life.alarm
        info = AlarmInfo(due_ms, self.host.alarms.failures.get(self.id, 0))
        slot.is_firing, slot.was_set = True, False

        async def invoke(instance: Any) -> None:
            try:
                await _handler(instance, "alarm")(info)
            except BaseException:
                slot.is_firing = False
                raise
            slot.is_firing = False
            if not slot.was_set:
                slot.set_ms(None)

        try:
            await life.run(invoke)
        except Exception as error:
            self.host.report(self, "alarm", error)
            self._retry_alarm(slot if life.ended is None else None)
        else:
            self.host.alarms.failures.pop(self.id, None)
            if slot.was_set and life.ended is None:
                # What was set for a time within the handler's own run came due while it could not be fired.
                self.host.alarms.arm(self.id, slot.stored_ms)
        return True

    def _retry_alarm(self, slot: AlarmSlot | None) -> None:
        """After a failure: run again later, unless the handler has set another alarm or the limit is reached."""
        alarms = self.host.alarms
        failures = alarms.failures.pop(self.id, 0) + 1
        if alarms.is_armed(self.id) if slot is None else slot.was_set:
            return
        delay_ms = retry_delay_ms(failures, self.host.entropy.random())
        if delay_ms is not None and not self._is_alarm_abandoned:
            alarms.failures[self.id] = failures
            alarms.retry_at(self.id, self.host.clock.now_ms() + delay_ms)
            return
        self._is_alarm_abandoned = False
        if slot is not None:
            slot.set_ms(None)
        else:
            self._delete_alarm()

    def abandon_alarm(self) -> None:
        """Give up the alarm of the handler that is running, whatever becomes of it."""
        self._is_alarm_abandoned = True

    def _delete_alarm(self) -> None:
        """Clear the alarm of an object that is not in memory."""
        database = self.host.store.open(self.address, _nothing)
        database.delete_meta(ALARM_KEY)
        database.commit()
        database.close()
        self.host.alarms.arm(self.id, None)

    async def stop(self, code: int) -> None:
        """Commit, close the sockets, leave memory."""
        for facet in list(self.facets.values()):
            await facet.stop(code)
        if self.life is not None:
            self.life.output.flush()
        self.sockets.drop_all(code, "Service restart" if code == RESTART_CODE else "")
        if self.life is not None and not self.evict():
            self.reset(JsException("Error", "The host stopped."), code=code)


def _handler(instance: Any, name: str) -> Callable[..., Awaitable[Any]]:
    method: Callable[..., Awaitable[Any]] | None = getattr(instance, name, None)
    if method is None:
        raise JsException("Error", f"Handler does not export a {name}() function: {type(instance).__name__}.{name}")
    return method


async def _gated(life: Life, body: Any) -> AsyncIterator[Any]:
    """A streamed body, each chunk held back until the writes before it are committed."""
    life.open_streams += 1
    try:
        async for chunk in body:
            if life.output.is_dirty:
                await life.output.committed()
            if life.ended is not None:
                raise ConnectionAbortedError(str(life.ended)) from None
            yield chunk
    finally:
        await body.aclose()
        life.open_streams -= 1
        life.settle()


def _nothing() -> None:
    """Nothing hangs on a write made without a life."""
