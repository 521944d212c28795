"""`step`: what a workflow's `run` is given, in the shape that the SDK gives it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from agents_runtime.local.workflows import rules

if TYPE_CHECKING:
    from agents_runtime.local.values import JsDict, JsValue
    from agents_runtime.local.workflows.journal import WorkflowSteps

StepFunction = Callable[..., Any]
DecoratedStep = Callable[[], Awaitable[Any]]

_CONTEXT = "ctx"
"""A parameter of this name is given what there is to know about the attempt."""


class WorkflowStep:
    """The durable steps of a workflow.

    `do` decorates a function; calling the result runs the step. The parameters of the function are the results of other
    steps: with implicit dependencies, those of the same names; without, those listed in `depends`.
    """

    def __init__(self, steps: WorkflowSteps, *, is_implicit: bool) -> None:
        self._steps = steps
        self._known: dict[str, DecoratedStep] = {}
        self._results: dict[DecoratedStep, Any] = {}
        self._under_way: dict[DecoratedStep, asyncio.Future[Any]] = {}
        self.do: Callable[..., Callable[[StepFunction], DecoratedStep]] = (
            self._do_implicit if is_implicit else self._do_explicit
        )

    def agents_working(self) -> Any:
        """Keep the instance in memory while something is awaited beside its steps. For the library."""
        return self._steps.working()

    def _do_implicit(
        self, name: str | None = None, *, concurrent: bool = False, config: object = None
    ) -> Callable[[StepFunction], DecoratedStep]:
        """Make a function a step."""
        return lambda function: self._decorated(function, name, None, concurrent, config, is_implicit=True)

    def _do_explicit(
        self, name: str, depends: Sequence[Any] | None = None, concurrent: bool = False, config: object = None
    ) -> Callable[[StepFunction], DecoratedStep]:
        """Make a function a step that is given the results of the steps in `depends`."""
        return lambda function: self._decorated(function, name, depends, concurrent, config, is_implicit=False)

    async def sleep(self, name: str, duration: float | str) -> None:
        """Wait: milliseconds, or a text such as "10 seconds"."""
        await self._steps.sleep_for(name, duration)

    async def sleep_until(self, name: str, timestamp: object) -> None:
        """Wait until a moment: a datetime or ISO text."""
        await self._steps.sleep_till(name, timestamp)

    async def wait_for_event(
        self, name: str, event_type: str, /, timeout: float | str = rules.EVENT_TIMEOUT
    ) -> JsValue:
        """Wait for an event of a type; returns it, with `payload`, `type` and `timestamp`."""
        return await self._steps.wait_for(name, event_type, timeout)

    def _decorated(
        self,
        function: StepFunction,
        name: str | None,
        depends: Sequence[Any] | None,
        concurrent: bool,
        config: object,
        *,
        is_implicit: bool,
    ) -> DecoratedStep:
        step_name = function.__name__ if name is None else name
        places = list(inspect.signature(function).parameters)

        async def perform() -> Any:
            values: list[Any] = []
            if places:
                sources = self._implicit(places) if is_implicit else self._explicit(places, depends)
                values = await self._resolved(sources, concurrent)
            elif depends:
                self._explicit(places, depends)
            return await self._run(perform, step_name, config, function, places, values)

        vars(perform)["_step_name"] = step_name
        self._known[step_name] = perform
        return perform

    def _implicit(self, places: list[str]) -> list[DecoratedStep | None]:
        """Where each argument of a function comes from; None: it is the context."""
        sources: list[DecoratedStep | None] = []
        for name in places:
            if name not in self._known and name != _CONTEXT:
                raise TypeError(f"Received unexpected parameter {name}")
            sources.append(self._known.get(name))
        return sources

    def _explicit(self, names: list[str], depends: Sequence[Any] | None) -> list[DecoratedStep | None]:
        wanted = sum(name != _CONTEXT for name in names)
        if depends is None and wanted:
            raise TypeError(f"Step has {wanted} non-ctx parameter(s) but no 'depends' list provided")
        given = list(depends or ())
        if len(given) != wanted:
            raise TypeError(f"Step declares {wanted} non-ctx parameter(s) but 'depends' has {len(given)} item(s)")
        sources: list[DecoratedStep | None] = []
        for name in names:
            source = None if name == _CONTEXT else given.pop(0)
            if source is not None and not hasattr(source, "_step_name"):
                raise TypeError(f"'depends' entry for parameter {name!r} is not a function decorated with step.do")
            sources.append(source)
        return sources

    async def _resolved(self, sources: list[DecoratedStep | None], concurrent: bool) -> list[Any]:
        if concurrent:
            return list(await asyncio.gather(*map(self._result_of, sources)))
        return [await self._result_of(source) for source in sources]

    async def _result_of(self, source: DecoratedStep | None) -> Any:
        if source is None:
            return None
        if source in self._results:
            return self._results[source]
        if source in self._under_way:
            return await self._under_way[source]
        return await source()

    async def _run(
        self,
        key: DecoratedStep,
        name: str,
        config: object,
        function: StepFunction,
        places: list[str],
        values: list[Any],
    ) -> Any:
        def call(about: JsDict) -> Any:
            known = self._known
            return function(
                *(
                    about if place == _CONTEXT and _CONTEXT not in known else value
                    for place, value in zip(places, values, strict=True)
                )
            )

        # In the caller's own task: what it does next is then committed together with the end of this step.
        under_way: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._under_way[key] = under_way
        try:
            result = self._results[key] = await self._steps.perform(name, config, call)
            under_way.set_result(result)
        except Exception as error:
            under_way.set_exception(error)
            under_way.exception()  # looked at: nobody may be waiting
            raise
        finally:
            under_way.cancel()
            self._under_way.pop(key, None)
        return result
