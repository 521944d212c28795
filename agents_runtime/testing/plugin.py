"""The pytest plug-in: the fixtures `runtime` and `runtime_factory`, and async tests without markers.

It is loaded by every pytest run of every project that installs this package, so nothing of the host is imported
before a test asks for a fixture. Settings, in the pytest section of the project's configuration:

    agents_allow_hosts     hosts that tests using `runtime` may reach besides this machine
    agents_expect_timeout  real seconds that a test client waits for a frame (default 5)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest

from agents_runtime.testing.workers_module import install_finder

if TYPE_CHECKING:
    from agents_runtime.testing.factory import RuntimeFactory
    from agents_runtime.testing.runtime import Runtime
    from agents_runtime.testing.session import TestSession

SESSION_FIXTURE = "agents_test_session"
"""Every fixture of ours depends on it, so its presence marks the tests that are ours."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    parser.addini(
        "agents_allow_hosts",
        "Hosts (names or addresses) that tests using `runtime` may reach besides this machine.",
        type="args",
        default=[],
    )
    parser.addini(
        "agents_expect_timeout",
        "Real seconds that a test client waits for a frame before the test fails.",
        default="5",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Make `import workers` work before the first conftest.py may import the user's agents."""
    install_finder()


def pytest_configure() -> None:
    """Make `import workers` work where the plug-in was loaded too late for the hook above."""
    install_finder()


@pytest.fixture
def agents_test_session(request: pytest.FixtureRequest) -> Iterator[TestSession]:
    """What the other fixtures of one test share. Not for use in tests."""
    from agents_runtime.testing.session import TestSession

    with TestSession(request.config.getini("agents_allow_hosts")).open() as session:
        yield session


@pytest.fixture
def runtime_factory(agents_test_session: TestSession, request: pytest.FixtureRequest) -> RuntimeFactory:
    """Make runtimes with options: `runtime_factory(evict=False, env={"API_KEY": "x"})`."""
    from agents_runtime.testing.factory import RuntimeFactory

    timeout_s = float(request.config.getini("agents_expect_timeout"))
    return RuntimeFactory(agents_test_session.runtimes, expect_timeout_s=timeout_s)


@pytest.fixture
def runtime(runtime_factory: RuntimeFactory) -> Runtime:
    """A fresh host in memory, whose time the test moves and which evicts every object before every event."""
    return runtime_factory()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let every async test that uses our fixtures end with our checks, whoever runs it."""
    session = _session_of(item)
    if session is None or not isinstance(item, pytest.Function):
        return (yield)
    from agents_runtime.testing.session import inner_test, is_async_test

    function = item.obj
    if not is_async_test(function):
        return (yield)
    inner = inner_test(function)
    watched = session.watch(inner)
    with pytest.MonkeyPatch.context() as patch:
        if inner is function:
            patch.setattr(item, "obj", watched)
        else:
            runs_itself = _has_other_runner(item)
            patch.setattr(function.hypothesis, "inner_test", watched if runs_itself else session.on_new_loops(watched))
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that uses our fixtures when no other plug-in does."""
    session = _session_of(pyfuncitem)
    if session is None or _has_other_runner(pyfuncitem) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = inspect.signature(pyfuncitem.obj).parameters
    session.run(pyfuncitem.obj(**{name: value for name, value in pyfuncitem.funcargs.items() if name in arguments}))
    return True


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Run the async fixtures of our tests, on the loop of the test, when no other plug-in does."""
    function: Callable[..., Any] = fixturedef.func
    is_async = inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)
    is_ours = is_async and fixturedef.scope == "function" and SESSION_FIXTURE in request.fixturenames
    if not is_ours or _has_other_runner(request.node):
        return (yield)
    session: TestSession = request.getfixturevalue(SESSION_FIXTURE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixturedef, "func", session.fixture(_of_instance(function, request.instance)))
        return (yield)


def _session_of(item: pytest.Item) -> TestSession | None:
    session: TestSession | None = getattr(item, "funcargs", {}).get(SESSION_FIXTURE)
    return session


def _has_other_runner(item: pytest.Item) -> bool:
    """Whether pytest-asyncio or anyio runs this test."""
    if "anyio_backend" in getattr(item, "fixturenames", ()):
        return True
    return item.get_closest_marker("asyncio") is not None and item.config.pluginmanager.has_plugin("asyncio")


def _of_instance(function: Callable[..., Any], instance: object) -> Callable[..., Any]:
    """A fixture that is a method, bound to the instance the test runs on."""
    if instance is None or not isinstance(function, MethodType) or type(function.__self__) is not type(instance):
        return function
    return MethodType(function.__func__, instance)
