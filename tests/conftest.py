"""Fixtures that several tiers share: the real Workers runtime, started once per session and only when a test asks."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def workerd_tools():
    """workerd, the interpreter and its wheels, installed. Skips where a registry cannot be reached, but never in CI."""
    from tests.workerd.tools import Missing, find_tools

    try:
        return find_tools()
    except Missing as missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing}; continuous integration must have it")
        pytest.skip(f"the real Workers runtime cannot be installed: {missing}")


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
