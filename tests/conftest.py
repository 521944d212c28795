"""Fixtures that several tiers share, made when a test first asks: the real Workers runtime, the JavaScript clients."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.needs import missing

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def workerd_tools():
    """workerd, the interpreter and its wheels, installed. Skips where a registry cannot be reached, but never in CI."""
    from tests.workerd.tools import Missing, find_tools

    try:
        return find_tools()
    except Missing as reason:
        missing(f"the real Workers runtime cannot be installed: {reason}")


@pytest.fixture(scope="session")
def rig(workerd_tools, tmp_path_factory):
    """The worker of the conformance suite on the real runtime."""
    from tests.workerd.rig import Rig
    from tests.workerd.tools import ROOT

    suite = ROOT / "tests" / "conformance"
    running = Rig(workerd_tools, suite / "worker", tmp_path_factory.mktemp("workerd"), {"tests/conformance": suite})
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def packages():
    """The Node packages of tests/js."""
    from tests.js.harness import install_packages

    if reason := install_packages():
        missing(reason)


def driver(module):
    @pytest.fixture(scope="session")
    def run(packages):
        from tests.js.harness import Driver

        node = Driver(module)
        yield node
        node.close()

    return run


agent_client = driver("agent_client.mjs")
small_client = driver("small_client.mjs")


@pytest.fixture(scope="session")
def browser(packages):
    """Runs scenarios in headless Chromium: `browser("react.mjs")`."""
    from tests.js.harness import Driver, find_chromium

    chromium = find_chromium()
    if chromium is None:
        missing("Chromium is not installed (Debian: apt-get install chromium)")
    os.environ["CHROMIUM"] = chromium
    drivers: dict[str, Driver] = {}

    def of(module):
        return drivers.setdefault(module, Driver(module))

    yield of
    for node in drivers.values():
        node.close()


@pytest.fixture
def use_agent(browser):
    """The React page with `useAgent`."""
    return browser("react.mjs")


@pytest.fixture
def fresh_name():
    """A name that no other test uses."""
    return f"agent-{next(_numbers)}"
