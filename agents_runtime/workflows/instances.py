"""The platform's side of an agent's workflows: bindings, instances, and what is said of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime._core.retry import RetryPolicy, retrying
from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import RetryableError, UsageError
from agents_runtime.routing.handle import error_line
from agents_runtime.routing.retry import is_error_retryable
from agents_runtime.routing.urls import camel_case_to_kebab_case
from agents_runtime.workflows.models import STATUSES, WorkflowStatus

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy

T = TypeVar("T")

_POLICY = RetryPolicy(max_attempts=3, base_delay_ms=200, max_delay_ms=3_000)
_SUFFIX = "-workflow"


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """What the platform says of an instance.

    Attributes:
        output: what `run` returned, once it is complete.
        error: `name` and `message`, once it failed.
    """

    status: WorkflowStatus
    output: Any
    error: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """The same under the platform's names."""
        return {"status": self.status, "output": self.output, "error": None if self.error is None else dict(self.error)}

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        return error_line(Exception(str((self.error or {}).get("message") or "unknown error")))


class Instances:
    """The instances of an environment's workflows. Calls are tried again when the platform was out of reach."""

    def __init__(self, bindings: Callable[[], Mapping[str, Any]], clock: Clock, entropy: Entropy) -> None:
        self._bindings = bindings
        self._clock = clock
        self._entropy = entropy

    def name_of(self, workflow: str | type[object]) -> str:
        """The name of the binding that is meant: by itself, by another spelling of it, or by its class.

        Raises:
            UsageError: none is meant, or several are.
        """
        known = self._bindings()
        wanted = workflow if isinstance(workflow, str) else workflow.__name__
        if wanted in known:
            return wanted
        form = _form(wanted)
        found = [name for name in known if form == _form(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{wanted!r} may mean {' or '.join(sorted(found))}: name the binding exactly")
        listed = ", ".join(sorted(known)) or "none"
        raise UsageError(
            f"there is no workflow binding {wanted!r}{did_you_mean(wanted, known)}: this worker has {listed}. "
            "Bindings are listed under [[workflows]] in your wrangler file"
        )

    def has(self, name: str) -> bool:
        """Whether there is a binding of exactly this name."""
        return name in self._bindings()

    async def create(self, name: str, options: Mapping[str, Any], *, may_exist: bool) -> None:
        """Begin an instance.

        Args:
            may_exist: whether one with this id is the one that was asked for before.

        Raises:
            UsageError: there is one with this id already.
            RetryableError: nobody knows whether it began.
        """
        binding, was_tried = self._binding(name), may_exist

        async def attempt(_: int) -> None:
            nonlocal was_tried
            tried_before, was_tried = was_tried, True
            try:
                await binding.create(dict(options))
            except Exception as error:
                if not _already_exists(error):
                    raise
                if not tried_before:
                    raise UsageError(
                        f"there is a workflow {options['id']!r} in {name} already: give another id"
                    ) from None

        await self._trying(attempt)

    async def status(self, name: str, workflow_id: str) -> InstanceStatus | None:
        """What the platform says of an instance; None when it knows none of this id."""

        async def ask(instance: Any) -> Any:  # noqa: ANN401 - the platform's
            return await instance.status()

        try:
            found: Mapping[str, Any] = await self.call(name, workflow_id, ask)
        except UsageError:
            raise
        except Exception as error:
            if _is_missing(error):
                return None
            raise
        status = found.get("status")
        return InstanceStatus(status if status in STATUSES else "unknown", found.get("output"), found.get("error"))

    async def call(self, name: str, workflow_id: str, use: Callable[[Any], Awaitable[T]]) -> T:
        """Use the handle on an instance."""
        binding = self._binding(name)

        async def attempt(_: int) -> T:
            return await use(await binding.get(workflow_id))

        return await self._trying(attempt)

    def _binding(self, name: str) -> Any:  # noqa: ANN401 - the platform's
        return self._bindings()[self.name_of(name)]

    async def _trying(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        try:
            return await retrying(attempt, _POLICY, self._clock, self._entropy, _is_worth_it)
        except Exception as error:
            if is_error_retryable(error):
                raise RetryableError(error_line(error)) from error
            raise


def _is_worth_it(error: Exception, _: int) -> bool:
    return is_error_retryable(error)


def _form(name: str) -> str:
    """What all spellings of a binding's name have in common."""
    return camel_case_to_kebab_case(name).replace("_", "-").removesuffix(_SUFFIX)


def _already_exists(error: Exception) -> bool:
    return "instance.already_exists" in str(error) or "already exists" in str(error)


def _is_missing(error: Exception) -> bool:
    return "instance.not_found" in str(error)
