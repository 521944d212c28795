"""The pytest plug-in, in projects of its own: with and without other async plug-ins, and what it reports."""

import textwrap

import pytest

pytest_plugins = ["pytester"]

WITHOUT_OTHERS = [
    "-p",
    "no:asyncio",
    "-p",
    "no:anyio",
    "-p",
    "no:randomly",
    "-p",
    "no:timeout",
    "-p",
    "no:hypothesispytest",
]

AGENT = """
    from workers import DurableObject

    class Counter(DurableObject):
        def __init__(self, ctx, env):
            super().__init__(ctx, env)
            self.in_memory = 0

        async def increment(self):
            self.in_memory += 1
            count = (self.ctx.storage.kv.get("count") or 0) + 1
            self.ctx.storage.kv.put("count", count)
            return count

        async def remembered(self):
            return self.in_memory
"""


@pytest.fixture
def project(pytester):
    """A project with an agent in `counter.py`; `run` writes a test module and runs pytest on it in a process."""

    class Project:
        def run(self, tests, *options, ini=""):
            pytester.makepyfile(counter=textwrap.dedent(AGENT))
            pytester.makepyfile(test_it=textwrap.dedent(tests))
            pytester.makeini(f"[pytest]\n{ini}")
            return pytester.runpytest_subprocess(*options)

        def write(self, **files):
            pytester.makepyfile(**{name: textwrap.dedent(text) for name, text in files.items()})

    return Project()


ONE_TEST = """
    {imports}
    from counter import Counter

    {marker}
    async def test_it(runtime):
        counter = runtime.get(Counter, "a")
        assert await counter.increment() == 1
        assert await counter.increment() == 2
"""


@pytest.mark.parametrize(
    ("imports", "marker", "options", "ini"),
    [
        ("", "", WITHOUT_OTHERS, ""),
        ("", "", [], "asyncio_mode = strict"),
        ("", "", [], "asyncio_mode = auto"),
        ("import pytest", "@pytest.mark.asyncio", [], "asyncio_mode = strict"),
        ("import pytest", "@pytest.mark.asyncio(loop_scope='module')", [], "asyncio_mode = strict"),
        ("import pytest", "@pytest.mark.anyio", ["-p", "no:asyncio"], ""),
        ("", "", ["-p", "no:asyncio"], "anyio_mode = auto"),
    ],
    ids=["alone", "asyncio-strict-unmarked", "asyncio-auto", "asyncio-strict", "asyncio-module", "anyio", "anyio-auto"],
)
def test_an_async_test_runs_whoever_else_is_installed(project, imports, marker, options, ini):
    project.write(conftest="import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    result = project.run(ONE_TEST.format(imports=imports, marker=marker), *options, ini=ini)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*warning*")


def test_test_methods_parameters_and_plain_fixtures_work(project):
    result = project.run(
        """
        import pytest
        from counter import Counter

        @pytest.fixture
        def counter(runtime):
            return runtime.get(Counter, "a")

        class TestCounter:
            @pytest.mark.parametrize("times", [1, 2])
            async def test_method(self, counter, times, tmp_path, extra=5):
                for _ in range(times):
                    result = await counter.increment()
                assert result == times
                assert tmp_path.is_dir()
                assert extra == 5
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=2)


ASYNC_FIXTURES = """
    import asyncio
    import pytest
    from counter import Counter

    @pytest.fixture
    async def counter(runtime):
        counter = runtime.get(Counter, "a")
        await counter.increment()
        return counter

    class TestInClass:
        @pytest.fixture
        async def loop_of_fixture(self):
            self.set_by_fixture = True
            yield asyncio.get_running_loop()
            assert asyncio.get_running_loop().is_running()

        async def test_it(self, loop_of_fixture, counter):
            assert loop_of_fixture is asyncio.get_running_loop()
            assert self.set_by_fixture
            assert await counter.increment() == 2
"""


@pytest.mark.parametrize(
    ("options", "ini"),
    [
        (WITHOUT_OTHERS, ""),
        ([], "asyncio_mode = strict"),
        ([], "asyncio_mode = auto"),
        (["-p", "no:asyncio"], "anyio_mode = auto"),
    ],
    ids=["alone", "asyncio-strict", "asyncio-auto", "anyio-auto"],
)
def test_async_fixtures_run_on_the_loop_of_the_test(project, options, ini):
    project.write(conftest="import pytest\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n")
    project.run(ASYNC_FIXTURES, *options, ini=ini).assert_outcomes(passed=1)


def test_each_test_has_a_loop_and_a_world_of_its_own(project):
    result = project.run(
        """
        import asyncio
        from counter import Counter

        loops = []

        async def test_one(runtime):
            loops.append(asyncio.get_running_loop())
            assert await runtime.get(Counter, "a").increment() == 1

        async def test_two(runtime):
            loops.append(asyncio.get_running_loop())
            assert await runtime.get(Counter, "a").increment() == 1
            assert loops[0] is not loops[1]
            assert loops[0].is_closed()
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=2)


def test_memory_is_not_kept_between_events_unless_asked_for(project):
    result = project.run(
        """
        from counter import Counter

        async def test_evicting(runtime):
            counter = runtime.get(Counter, "a")
            await counter.increment()
            assert await counter.remembered() == 0

        async def test_keeping(runtime_factory):
            counter = runtime_factory(evict_before_every_event=False).get(Counter, "a")
            await counter.increment()
            assert await counter.remembered() == 1
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=2)


def test_a_test_that_leaves_a_task_running_fails_and_says_where_it_waits(project):
    result = project.run(
        """
        import asyncio

        async def forgotten():
            await asyncio.Event().wait()

        async def test_leak(runtime):
            asyncio.create_task(forgotten(), name="poller")

        async def test_tolerated(runtime):
            runtime.expect_errors()
            asyncio.create_task(forgotten())

        async def test_ending_by_itself(runtime):
            asyncio.create_task(asyncio.sleep(0))
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*A task was left running when the test ended: forgotten (poller)*",
            "*it waits at *test_it.py:4, in forgotten*",
            "*await it, cancel it*",
        ]
    )
    result.stdout.no_fnmatch_line("*asyncio/runners.py*")


def test_the_work_of_an_agent_ends_with_it_and_is_no_leak(project):
    project.write(
        busy="""
        import asyncio
        from workers import DurableObject

        class Busy(DurableObject):
            async def work(self):
                self.ctx.waitUntil(self.ctx.agents_platform.clock.sleep(3600))
                asyncio.create_task(asyncio.sleep(3600))
        """
    )
    result = project.run(
        """
        from busy import Busy

        async def test_it(runtime):
            await runtime.get(Busy, "b").work()
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1)


def test_an_exception_of_a_task_that_nobody_awaited_fails_the_test(project):
    result = project.run(
        """
        import asyncio

        async def failing():
            raise ValueError("nobody looks")

        async def test_it(runtime):
            task = asyncio.create_task(failing())
            await asyncio.sleep(0)
            del task
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Task exception was never retrieved*", "*ValueError: nobody looks*"])


FAILING_OBJECT = """
    from workers import DurableObject

    class Broken(DurableObject):
        async def arm(self, when_ms):
            await self.ctx.storage.setAlarm(when_ms)

        async def alarm(self, info=None):
            raise ValueError("alarm went wrong")

        async def explode(self):
            raise ValueError("call went wrong")
"""


def test_an_exception_that_reached_nobody_fails_the_test_with_its_traceback(project):
    project.write(broken=FAILING_OBJECT)
    result = project.run(
        """
        from broken import Broken

        async def test_silent(runtime):
            broken = runtime.get(Broken, "b")
            await broken.arm(runtime.now_ms + 1000)
            await runtime.advance(seconds=1)

        async def test_expected(runtime):
            errors = runtime.expect_errors()
            broken = runtime.get(Broken, "b")
            await broken.arm(runtime.now_ms + 1000)
            await runtime.advance(seconds=1)
            assert [(error.event, str(error.error)) for error in errors] == [("alarm", "alarm went wrong")]
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*An exception inside <Broken 'b'> reached nobody (alarm):*",
            "*broken.py*in alarm*",
            "*ValueError: alarm went wrong*",
            "*Virtual time 2026-01-01T00:00:01.000Z, seed 0.*",
            "*The next alarm or timer is due at *: `await runtime.advance(seconds=2*)`.*",
        ]
    )


def test_an_agents_logged_error_counts_unless_its_caller_was_told_or_on_error_handled_it(project):
    project.write(
        shop="""
        from agents_runtime import Agent, callable

        class Shop(Agent):
            async def on_message(self, connection, message):
                raise ValueError("nobody knows")

            @callable
            async def sell(self):
                raise ValueError("the caller knows")

        class Calm(Shop):
            def on_error(self, *args):
                self.broadcast({"type": "sorry"})
        """
    )
    result = project.run(
        """
        import pytest
        from agents_runtime.testing import CallFailed
        from shop import Calm, Shop

        async def test_logged(runtime):
            client = await runtime.connect(Shop, "s")
            await client.send("x")
            await runtime.settle()

        async def test_told(runtime):
            client = await runtime.connect(Shop, "s")
            with pytest.raises(CallFailed, match="the caller knows"):
                await client.call("sell")

        async def test_handled(runtime):
            client = await runtime.connect(Calm, "s")
            await client.send("x")
            await client.expect("sorry")
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*An exception inside <Shop 's'> reached nobody (Shop failed):*", "*nobody knows*"])


def test_the_failure_points_at_the_line_of_the_test(project):
    result = project.run(
        """
        from counter import Counter

        async def test_expect(runtime):
            client = await runtime.connect("/agents/nobody/a")
        """,
        *WITHOUT_OTHERS,
        "--tb=short",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py:4: in test_expect", "*ConnectRefused: /agents/nobody/a answered*400*"])
    result.stdout.no_fnmatch_line("*agents_runtime/testing*in *")


def test_a_failing_test_also_tells_what_went_wrong_inside_objects(project):
    project.write(broken=FAILING_OBJECT)
    result = project.run(
        """
        from broken import Broken

        async def test_both(runtime):
            broken = runtime.get(Broken, "b")
            await broken.arm(runtime.now_ms)
            await runtime.advance()
            assert 1 == 2

        async def test_remote(runtime):
            await runtime.get(Broken, "b").explode()
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*assert 1 == 2*", "*ValueError: alarm went wrong*", "*Virtual time*"])
    result.stdout.fnmatch_lines(["*broken.py*in explode*", "*ValueError: call went wrong*"])


def test_the_network_is_out_of_reach_unless_a_host_is_allowed(project):
    tests = """
        import socket
        import pytest

        def dial(address):
            with socket.socket(type=socket.SOCK_DGRAM) as sock:  # sends no packet
                sock.connect((address, 9))

        async def test_refused(runtime):
            dial("192.0.2.1")

        async def test_allowed(runtime):
            try:
                dial("192.0.2.2")
            except OSError:
                pass  # a machine without a route

        def test_without_runtime():
            try:
                dial("192.0.2.1")
            except OSError:
                pass
    """
    result = project.run(tests, *WITHOUT_OTHERS, ini="agents_allow_hosts = 192.0.2.2 api.example.com")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*NetworkRefused: a test tried to reach 192.0.2.1:9*agents_allow_hosts*"])


def test_the_time_limit_for_frames_is_a_setting(project):
    result = project.run(
        "async def test_it(runtime):\n    assert runtime.expect_timeout_s == 0.25\n",
        *WITHOUT_OTHERS,
        ini="agents_expect_timeout = 0.25",
    )
    result.assert_outcomes(passed=1)


def test_settings_are_explained(project):
    result = project.run("", "--help")
    result.stdout.fnmatch_lines(["*agents_allow_hosts*", "*agents_expect_timeout*"])


def test_the_user_sees_the_fixtures_in_the_list(project):
    result = project.run("", "--fixtures")
    result.stdout.fnmatch_lines(["*runtime_factory*", "*Make runtimes with options*"])


def test_workers_can_be_imported_before_anything_else(project):
    project.write(conftest="from counter import Counter\n")
    result = project.run(
        """
        import workers

        def test_it():
            assert workers.Response("x").status == 200
            assert workers.__name__ in ("workers", "agents_runtime.local.shim")
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1)


def test_a_projects_own_workers_package_is_left_alone(project):
    project.write(**{"workers/__init__": "MINE = True\n"})
    result = project.run(
        """
        def test_it():
            import workers
            assert workers.MINE
        """,
        *WITHOUT_OTHERS,
    )
    assert result.ret == 0 or "workers" not in result.stdout.str()
    result.assert_outcomes(passed=1)


def test_the_plugin_costs_nothing_where_it_is_not_used(project):
    result = project.run(
        """
        import sys

        def test_it():
            ours = sorted(name for name in sys.modules if name.startswith("agents_runtime"))
            assert ours == ["agents_runtime", "agents_runtime.testing", "agents_runtime.testing.plugin",
                            "agents_runtime.testing.workers_module"]
            assert not {"sqlite3", "httpx", "pydantic", "uvicorn"} & set(sys.modules)
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1)


def test_hypothesis_runs_each_example_in_a_world_of_its_own(project):
    result = project.run(
        """
        from counter import Counter
        from hypothesis import HealthCheck, given, settings, strategies

        @given(times=strategies.integers(1, 5))
        @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        async def test_it(runtime_factory, times):
            counter = runtime_factory().get(Counter, "a")
            for _ in range(times):
                result = await counter.increment()
            assert result == times
        """,
        "-p",
        "no:asyncio",
        "-p",
        "no:anyio",
    )
    result.assert_outcomes(passed=1)


def test_a_sync_test_may_drive_its_runtime_with_asyncio_run(project):
    result = project.run(
        """
        import asyncio
        from counter import Counter

        def test_it(runtime):
            async def story():
                return await runtime.get(Counter, "a").increment()
            assert asyncio.run(story()) == 1
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1)


def test_two_loops_are_refused_with_advice(project):
    result = project.run(
        """
        import asyncio
        from counter import Counter

        def test_it(runtime):
            asyncio.run(runtime.get(Counter, "a").increment())
            asyncio.run(runtime.get(Counter, "a").increment())
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*this runtime is used on two event loops*"])


def test_what_comes_after_the_test_is_too_late(project):
    result = project.run(
        """
        import pytest
        from counter import Counter

        @pytest.fixture
        async def counter(runtime):
            counter = runtime.get(Counter, "a")
            yield counter
            await counter.increment()

        async def test_it(counter):
            await counter.increment()
        """,
        *WITHOUT_OTHERS,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*this runtime has ended with its test*"])
