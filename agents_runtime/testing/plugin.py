"""The pytest plug-in: the fixtures `runtime` and `runtime_factory`, and async tests without markers.

It is loaded by every pytest run of every project that installs this package, so nothing of the host is imported
before a test asks for a fixture. Settings, in the pytest section of the project's configuration:

    agents_allow_hosts     hosts that tests using `runtime` may reach besides this machine
    agents_expect_timeout  real seconds that a test client waits for a frame (default 5)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
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
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Let every async test that uses our fixtures end with our checks, whoever runs it."""
    session = _session_of(item)
    if session is None or not isinstance(item, pytest.Function):
        return (yield)
    from agents_runtime.testing.session import inner_test, is_async_test

    function = item.obj
    if not is_async_test(function):
        return (yield)
    watched = session.watch(inner_test(function))
    holder, name = (item, "obj") if inner_test(function) is function else (function.hypothesis, "inner_test")
    if name == "inner_test" and not _has_other_runner(item):
        watched = _synchronous(watched)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holder, name, watched)
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
    function = fixturedef.func
    is_generator = inspect.isasyncgenfunction(function)
    is_ours = (is_generator or inspect.iscoroutinefunction(function)) and SESSION_FIXTURE in request.fixturenames
    if not is_ours or fixturedef.scope != "function" or _has_other_runner(request.node):
        return (yield)
    session: TestSession = request.getfixturevalue(SESSION_FIXTURE)
    with pytest.MonkeyPatch.context() as patch:
        adapted = _generator_fixture(function, session) if is_generator else _plain_fixture(function, session)
        patch.setattr(fixturedef, "func", adapted)
        return (yield)


def _session_of(item: pytest.Item) -> TestSession | None:
    session: TestSession | None = getattr(item, "funcargs", {}).get(SESSION_FIXTURE)
    return session


def _has_other_runner(item: pytest.Item) -> bool:
    """Whether pytest-asyncio or anyio runs this test."""
    return item.get_closest_marker("asyncio") is not None or "anyio_backend" in getattr(item, "fixturenames", ())


def _synchronous(function: Callable[..., Any]) -> Callable[..., None]:
    """Run each of hypothesis' examples on a loop of its own."""
    import asyncio

    @functools.wraps(function)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(function(*args, **kwargs))

    return run


def _plain_fixture(function: Callable[..., Any], session: TestSession) -> Callable[..., object]:
    @functools.wraps(function)
    def set_up(*args: object, **kwargs: object) -> object:
        return session.run(function(*args, **kwargs))

    return set_up


def _generator_fixture(
    function: Callable[..., AsyncGenerator[object, None]], session: TestSession
) -> Callable[..., Iterator[object]]:
    @functools.wraps(function)
    def set_up(*args: object, **kwargs: object) -> Iterator[object]:
        generator = function(*args, **kwargs)
        yield session.run(anext(generator))
        session.run(_exhaust(generator))

    return set_up


async def _exhaust(generator: AsyncGenerator[object, None]) -> None:
    try:
        await anext(generator)
    except StopAsyncIteration:
        return
    raise ValueError("an async fixture yielded twice")
