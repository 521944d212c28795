"""What is known about an Agent class once it is defined: options, callables, hooks. Computed once, checked once."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from agents_runtime._core.capability import declared
from agents_runtime._core.options import resolve_options
from agents_runtime._core.raw_alarm import raw_alarm_calls
from agents_runtime.context import Entry, entered
from agents_runtime.errors import DefinitionError
from agents_runtime.mcp.server.exposure import offer_tools
from agents_runtime.routing.urls import camel_case_to_kebab_case
from agents_runtime.rpc.decorate import exposed_by
from agents_runtime.state.codec import StateCodec

if TYPE_CHECKING:
    from agents_runtime._core.options import AgentOptions
    from agents_runtime.rpc.decorate import Exposed
    from agents_runtime.tasks.declare import TaskDefinition

logger = logging.getLogger("agents_runtime")

VERB = "call it, and give your own method another name"
RESERVED: Mapping[str, str] = {
    "fetch": "write on_request(self, request) instead",
    "alarm": "write on_alarm(self) instead",
    "webSocketMessage": "write on_message(self, connection, message) instead",
    "webSocketClose": "write on_close(self, connection, code, reason, was_clean) instead",
    "webSocketError": "write on_error(self, connection, error) instead",
    "state": "set initial_state, and change the state with self.set_state(...)",
    "name": "an agent's name is what it was addressed by",
    **dict.fromkeys(
        (
            "broadcast",
            "call",
            "cf_agents_internal",
            "create",
            "destroy",
            "get_callable_methods",
            "get_connection",
            "get_connections",
            "is_connection_protocol_enabled",
            "is_connection_readonly",
            "set_connection_readonly",
            "set_state",
            "sql",
            "retry",
            "keep_alive",
            "keep_alive_while",
            "schedule",
            "schedule_every",
            "get_schedule",
            "get_schedule_by_id",
            "get_schedules",
            "list_schedules",
            "cancel_schedule",
            "queue",
            "dequeue",
            "dequeue_all",
            "dequeue_all_by_callback",
            "get_queue",
            "get_queues",
            "list_dead_letters",
            "requeue_dead_letters",
            "delete_dead_letters",
            "run_fiber",
            "start_fiber",
            "stash",
            "inspect_fiber",
            "inspect_fiber_by_key",
            "list_fibers",
            "cancel_fiber",
            "cancel_fiber_by_key",
            "resolve_fiber",
            "delete_fibers",
            "tasks",
            "wait_for_approval",
            "approve",
            "reject",
            "get_approval",
            "list_approvals",
            "delete_approvals",
            "run_workflow",
            "send_workflow_event",
            "approve_workflow",
            "reject_workflow",
            "terminate_workflow",
            "pause_workflow",
            "resume_workflow",
            "restart_workflow",
            "get_workflow",
            "get_workflows",
            "get_workflow_status",
            "delete_workflow",
            "delete_workflows",
            "migrate_workflow_binding",
            "reply_to_email",
            "send_email",
            "sub_agent",
            "abort_sub_agent",
            "delete_sub_agent",
            "has_sub_agent",
            "list_sub_agents",
            "parent_agent",
            "dynamic_agents",
            "self_path",
            "parent_path",
        ),
        VERB,
    ),
}
"""What a class may not replace, and what to do instead."""

LIBRARY = "agents_runtime."
"""Classes of the library itself may replace what users may not."""

SYNC_HOOKS = ("validate_state_change", "should_connection_be_readonly", "should_send_protocol_messages")
HOOK_ARGUMENTS = {
    "on_start": 1,
    "on_request": 1,
    "on_connect": 2,
    "on_message": 2,
    "on_close": 4,
    "on_before_sub_agent": 2,
    "on_alarm": 0,
    "on_task": 2,
    "on_fiber_recovered": 1,
    "on_workflow_callback": 1,
    "on_workflow_progress": 3,
    "on_workflow_complete": 3,
    "on_workflow_error": 3,
    "on_workflow_event": 3,
    "on_email": 1,
    "get_connection_tags": 2,
    "should_connection_be_readonly": 2,
    "should_send_protocol_messages": 2,
    "validate_state_change": 2,
    "on_state_changed": 2,
    "on_state_update": 2,
}
"""With how many arguments each hook is called; a hook may leave out the last ones."""

ERROR_HOOK = "on_error"
OLD_STATE_HOOK = "on_state_update"
_FITTED = "agents_fitted"
HIDDEN_FROM_CALL = frozenset(
    {
        *HOOK_ARGUMENTS,
        ERROR_HOOK,
        "fetch",
        "alarm",
        "webSocketMessage",
        "webSocketClose",
        "webSocketError",
        "call",
        "create",
        "cf_agents_internal",
    }
)
"""Public names that `agent.call` does not reach: the platform's and the library's own entries."""


class Definition:
    """One Agent class."""

    def __init__(self, cls: type, base: type) -> None:
        self.options: AgentOptions
        self.options, set_options = resolve_options(cls)
        self.parts = declared(cls)
        self.kebab_name = camel_case_to_kebab_case(cls.__name__)
        self.callables: Mapping[str, Exposed] = exposed_by(cls)
        self.tasks: Mapping[str, TaskDefinition] = _tasks_of(cls)
        self.starts_with_user_code = overridden(cls, base, "on_start")
        self.has_task_hook = overridden(cls, base, "on_task")
        self.validates_state = overridden(cls, base, "validate_state_change")
        self.state_hook = _state_hook(cls, base)
        self.warns_about_identity = "send_identity_on_connect" not in set_options
        listens = overridden(cls, base, "on_message")
        self.ping = self.options.ping_response if "ping_response" in set_options or not listens else None
        self._cls = cls
        self._base = base
        self._codec: StateCodec | None = None

    def warn_about_identity(self, name: str) -> None:
        """Warn, once for the class, that clients are told a name which they did not know."""
        self.warns_about_identity = False
        logger.warning(
            "%s tells clients its name %r, which their URL does not show: if that is meant, set "
            'options = {"send_identity_on_connect": True}; if not, False',
            self._cls.__name__,
            name,
        )

    @property
    def codec(self) -> StateCodec:
        """How the class's states become JSON and come back. Resolved on first use, when every name exists."""
        if self._codec is None:
            self._codec = StateCodec(type_argument(self._cls, self._base) or Any)
        return self._codec


def define(cls: type, base: type, entry_of: Callable[[Any], Entry]) -> Definition:
    """Check a subclass of Agent, make its methods enter the agent's context, and say what is known about it.

    Raises:
        DefinitionError: the class cannot work; the text names the line to change.
    """
    check_reserved(cls, base, RESERVED)
    check_sync(cls, SYNC_HOOKS)
    for name, exposed in exposed_by(cls).items():
        if hasattr(base, exposed.attribute):
            raise DefinitionError(
                f"{cls.__name__}.{exposed.attribute} is a hook of Agent and cannot be @callable as {name!r}: "
                "write a method of its own that does what the client may ask for"
            )
    offer_tools(cls, base)
    definition = Definition(cls, base)
    _check_tasks(cls, base, definition)
    for name, call, line in raw_alarm_calls(cls):
        logger.warning(
            "%s.%s (line %d) uses ctx.storage.%s: the one alarm of an agent belongs to the runtime, which moves it as "
            "its own work needs. Use self.schedule(...) and self.cancel_schedule(...)",
            *(cls.__name__, name, line, call),
        )
    for name, expected in HOOK_ARGUMENTS.items():
        _fit_hook(cls, base, name, expected)
    _fit_error_hook(cls, base)
    for name, function in own_methods(cls, base).items():
        if name not in HOOK_ARGUMENTS:
            setattr(cls, name, entered(function, entry_of))
    return definition


def _tasks_of(cls: type) -> Mapping[str, TaskDefinition]:
    """The tasks of a class. Classes without any do not load what tasks need."""
    declare = sys.modules.get("agents_runtime.tasks.declare")  # loaded by whoever decorated a task
    found: Mapping[str, TaskDefinition] = declare.tasks_of(cls) if declare is not None else {}
    return found


def _check_tasks(cls: type, base: type, definition: Definition) -> None:
    callables = {exposed.attribute for exposed in definition.callables.values()}
    for name, task in definition.tasks.items():
        if task.attribute in callables:
            raise DefinitionError(
                f"{cls.__name__}.{task.attribute} is a @task and cannot be @callable, since clients have no step: "
                f"write a callable that does `await self.tasks.run({name!r}, ...)`"
            )
        if hasattr(base, task.attribute):
            raise DefinitionError(f"{cls.__name__}.{task.attribute} is a part of Agent, and no @task: rename it")


def _state_hook(cls: type, base: type) -> str | None:
    has_new = overridden(cls, base, "on_state_changed")
    has_old = hasattr(cls, OLD_STATE_HOOK)
    if has_new and has_old:
        raise DefinitionError(
            f"{cls.__name__} has both on_state_changed and {OLD_STATE_HOOK}: keep the first, the other is its old name"
        )
    if OLD_STATE_HOOK in vars(cls):
        logger.warning("%s.%s is the old name of on_state_changed: rename it", cls.__name__, OLD_STATE_HOOK)
    return "on_state_changed" if has_new else OLD_STATE_HOOK if has_old else None


def _fit_hook(cls: type, base: type, name: str, expected: int) -> None:
    """Let a hook leave out its last parameters."""
    function = getattr(cls, name, None)
    if function is None or function is getattr(base, name, None) or _FITTED in vars(function):
        return
    _check_required(cls, name, function, expected)
    taken = positional_count(function)
    if taken is None or taken >= expected:
        return

    @wraps(function)
    def fitted(self: object, *args: object) -> object:
        return function(self, *args[:taken])

    vars(fitted)[_FITTED] = True
    setattr(cls, name, fitted)


def _fit_error_hook(cls: type, base: type) -> None:
    """Let `on_error` take the error alone, or the connection (or None) and the error."""
    function: Any = getattr(cls, ERROR_HOOK)
    if function is getattr(base, ERROR_HOOK) or _FITTED in vars(function):
        return
    _check_required(cls, ERROR_HOOK, function, 2)
    taken = positional_count(function)
    if taken is None:
        return

    @wraps(function)
    def fitted(self: object, *details: object) -> object:
        *connection, error = details
        if taken == 1:
            return function(self, error)
        return function(self, connection[0] if connection else None, error)

    vars(fitted)[_FITTED] = True
    setattr(cls, ERROR_HOOK, fitted)


def _check_required(cls: type, name: str, function: Callable[..., object], expected: int) -> None:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(required) > expected or any(p.kind is p.KEYWORD_ONLY for p in required):
        shown = f"{cls.__name__}.{name}{inspect.signature(function)}"
        raise DefinitionError(f"{shown} is called with {expected} arguments, and needs {len(required)}")


def check_reserved(cls: type, base: type, reserved: Mapping[str, str]) -> None:
    """Refuse names that the base class needs for itself; each has a remedy."""
    for name, remedy in reserved.items():
        owner = _owner_of(cls, name)
        if owner is not base and owner is not None and not owner.__module__.startswith(LIBRARY):
            raise DefinitionError(f"{owner.__name__}.{name} would replace a part of Agent: {remedy}")


def check_sync(cls: type, hooks: Iterable[str]) -> None:
    """Refuse `async def` for hooks that decide within one step."""
    for name in hooks:
        if inspect.iscoroutinefunction(getattr(cls, name, None)):
            raise DefinitionError(
                f"{cls.__name__}.{name} must be a plain def: its answer is needed before anything else happens. "
                "Await what it needs earlier, in on_start for example, and keep it in an attribute"
            )


def overridden(cls: type, base: type, name: str) -> bool:
    """Whether `cls` has its own version of a method of `base`."""
    return getattr(cls, name) is not getattr(base, name)


def own_methods(cls: type, base: type) -> dict[str, FunctionType]:
    """The public methods that `cls` adds to `base`, or that a mix-in of `cls` adds, by name."""
    inherited = set(dir(base))
    found: dict[str, FunctionType] = {}
    for owner in cls.__mro__:
        if owner is base or owner is object or issubclass(base, owner):
            continue
        if owner is not cls and issubclass(owner, base):
            continue  # its own methods were handled when it was defined
        for name, value in vars(owner).items():
            if isinstance(value, FunctionType) and not name.startswith("_") and name not in inherited:
                found.setdefault(name, value)
    return {name: value for name, value in found.items() if getattr(cls, name) is value}


def positional_count(function: Callable[..., Any]) -> int | None:
    """How many positional arguments a method takes after `self`; None when it takes any number."""
    count = -1
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count


def type_argument(cls: type, base: type) -> object:
    """What stands in the brackets of `Base[...]` where `cls` derives from it; None when nothing does."""
    for owner in cls.__mro__:
        for parent in vars(owner).get("__orig_bases__", ()):
            origin, args = get_origin(parent), get_args(parent)
            if (
                isinstance(origin, type)
                and issubclass(origin, base)
                and args
                and not hasattr(args[0], "__constraints__")
            ):
                return _resolved(args[0], owner)
    return None


def _resolved(argument: Any, owner: type) -> object:  # noqa: ANN401 - an annotation
    """The class behind a name in quotes, which may be defined after the agent."""
    name = getattr(argument, "__forward_arg__", argument)
    if not isinstance(name, str):
        return argument
    namespace = vars(sys.modules[owner.__module__])
    if name not in namespace:
        raise DefinitionError(f"{owner.__name__}: there is no {name!r} in {owner.__module__} for its state type")
    return namespace[name]


def _owner_of(cls: type, name: str) -> type | None:
    return next((owner for owner in cls.__mro__ if name in vars(owner)), None)
