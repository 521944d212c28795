"""The checks before a deploy: each mistake is one line that says what to install or change."""

import dataclasses

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import Binding, Config, Migration
from agents_runtime.local.deploy_checks import (
    Installed,
    Sizes,
    Tools,
    check_config,
    check_packages,
    check_project_files,
    check_sizes,
    check_sources,
    check_tools,
    is_excluded,
    parse_version,
)
from agents_runtime.local.deploy_facts import find_installed, measure, read_dependencies, read_sources

MB = 1024 * 1024
GOOD_TOOLS = Tools(uv=(0, 13, 8), node=(22, 12, 0), has_npx=True, wrangler=(4, 164, 0), has_pywrangler=True)
EXCLUDES = ("**/*.pyc", "agents_runtime/local/**", "agents_runtime/testing/**")


def levels(findings):
    return [finding.level for finding in findings]


def text_of(findings, level="fail"):
    return "\n".join(finding.text for finding in findings if finding.level == level)


def make_config(folder, **changes):
    base = Config(
        file=folder / "wrangler.jsonc",
        name="hello",
        main=folder / "src" / "entry.py",
        compatibility_date="2026-11-01",
        compatibility_flags=("python_workers",),
        bindings=(Binding("Counter", "Counter"),),
        migrations=(Migration("v1", ("Counter",)),),
        vars={},
        secret_names=frozenset(),
        assets=None,
        notes=(),
        bundle_excludes=EXCLUDES,
    )
    return dataclasses.replace(base, **changes)


def test_good_tools_pass():
    assert levels(check_tools(GOOD_TOOLS)) == ["ok"] * 4


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"uv": None}, "pip install"),
        ({"uv": (0, 13, 3)}, r"uv is 0.13.3, but 0.13.4 or newer"),
        ({"node": None}, "Install version 22"),
        ({"node": (20, 20, 2)}, "Node.js is 20.20.2, but 22.12 or newer"),
        ({"has_npx": False}, "npx is not on the PATH"),
        ({"wrangler": (4, 100, 0)}, "npm i -D wrangler@latest"),
        ({"has_pywrangler": False}, "pip install workers-py"),
    ],
)
def test_a_missing_or_old_tool_is_told_how_to_get(change, remedy):
    found = check_tools(dataclasses.replace(GOOD_TOOLS, **change))
    assert levels(found).count("fail") == 1
    assert remedy in text_of(found)


def test_wrangler_may_be_left_to_npx():
    found = check_tools(dataclasses.replace(GOOD_TOOLS, wrangler=None))
    assert levels(found) == ["ok"] * 4


def test_a_version_that_cannot_be_read_is_not_a_failure():
    assert parse_version("uv 0.13.8 (abc 2026-10-01)") == (0, 13, 8)
    assert parse_version("v22.23.3\n") == (22, 23, 3)
    assert parse_version("nonsense") == ()
    assert "warn" in levels(check_tools(dataclasses.replace(GOOD_TOOLS, uv=())))


def test_a_good_project_file_passes(tmp_path):
    assert levels(check_config(make_config(tmp_path))) == ["ok"]


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"compatibility_flags": ()}, 'add "python_workers"'),
        ({"compatibility_date": ""}, "compatibility_date is missing"),
        ({"main": None}, "main is missing"),
        (
            {"migrations": (Migration("v1", ("Counter",), created_without_sql=("Counter",)),)},
            "Move it to new_sqlite_classes",
        ),
        (
            {
                "migrations": (
                    Migration("v1", ("Old",), created_without_sql=("Old",)),
                    Migration("v2", renamed=(("Old", "Counter"),)),
                )
            },
            "Counter is created by new_classes",
        ),
    ],
)
def test_what_the_platform_would_refuse_fails(tmp_path, change, remedy):
    found = check_config(make_config(tmp_path, **change))
    assert remedy in text_of(found)


@pytest.mark.parametrize("name", ["wrangler.json", "staging.toml"])
def test_a_project_file_that_pywrangler_does_not_read_fails(tmp_path, name):
    found = check_config(make_config(tmp_path, file=tmp_path / name))
    assert "pywrangler reads only wrangler.toml and wrangler.jsonc" in text_of(found)


def test_an_old_date_and_an_upload_of_the_local_host_are_warned_of(tmp_path):
    found = check_config(make_config(tmp_path, compatibility_date="2026-04-20", bundle_excludes=("**/*.pyc",)))
    assert levels(found) == ["warn", "warn"]
    assert "selects 3.14" in text_of(found, "warn")
    assert "agents_runtime/local and agents_runtime/testing would be uploaded" in text_of(found, "warn")


def test_a_class_without_storage_that_was_deleted_does_not_matter(tmp_path):
    steps = (
        Migration("v1", ("Counter",), created_without_sql=("Counter",)),
        Migration("v2", deleted=("Counter",)),
        Migration("v3", ("Counter",)),
    )
    assert levels(check_config(make_config(tmp_path, migrations=steps))) == ["ok"]


PACKAGES = {
    "pure": Installed(True, ("Deep_Native>=1", "conditional; sys_platform == 'win32'", "other; extra == 'more'")),
    "deep-native": Installed(False),
    "native": Installed(False),
    "numpy": Installed(False),
    "websockets": Installed(False),
    "clean": Installed(True, ()),
    "extras": Installed(True, ("native; extra == 'fast'",)),
}


def packages(*requirements, allowed=()):
    return check_packages(requirements, PACKAGES.get, frozenset(allowed))


def test_pure_packages_and_those_of_pyodide_pass():
    found = packages("clean>=1", "numpy", "websockets", "pandas==3")
    assert levels(found) == ["ok"]
    assert "4 packages" in found[0].text


def test_a_compiled_package_fails_with_the_remedy():
    found = packages("native>=2", "clean")
    assert levels(found) == ["fail"]
    assert found[0].text.startswith("native: is compiled for this machine")
    assert "--allow native" in found[0].text


def test_a_compiled_package_is_found_behind_a_pure_one():
    assert text_of(packages("pure")).startswith("deep-native (required by pure): ")


def test_extras_count_only_where_they_are_asked_for():
    assert levels(packages("extras")) == ["ok"]
    assert text_of(packages("extras[fast]")).startswith("native (required by extras[fast]): ")


def test_an_allowed_package_passes():
    assert levels(packages("native", allowed=["native"])) == ["ok"]


def test_what_is_not_known_is_called_not_checked():
    found = packages("nobody-installed-this", "clean; sys_platform == 'emscripten'")
    assert levels(found) == ["ok", "warn", "warn"]
    assert all("not checked" in finding.text for finding in found[1:])


def test_circles_of_packages_end():
    circle = {"a": Installed(True, ("b",)), "b": Installed(True, ("a",))}
    assert levels(check_packages(["a"], circle.get)) == ["ok"]


def test_a_package_whose_metadata_is_silent_is_not_checked():
    found = check_packages(["silent"], {"silent": Installed(None)}.get)
    assert levels(found) == ["ok", "warn"]
    assert "does not say" in found[1].text


def test_what_is_installed_here_is_read_from_its_metadata():
    pure, compiled = find_installed("click"), find_installed("httptools")
    assert pure is not None
    assert pure.is_pure
    assert compiled is not None
    assert compiled.is_pure is False
    assert find_installed("no-such-package-here") is None


def test_what_the_library_requires_has_wheels_for_workers():
    found = check_packages(["croniter", "pydantic"], find_installed)
    assert levels(found) == ["ok"]


def test_a_package_that_did_not_come_from_an_index_needs_a_source():
    here = {"my-lib": Installed(True, url="file:///somewhere"), "clean": Installed(True)}
    requirements = ["My_Lib>=1", "clean", "unknown", "my-lib @ https://example.org/my_lib.whl"]
    found = check_sources(requirements, here.get, frozenset())
    assert levels(found) == ["warn"]
    assert "My_Lib: installed here from file:///somewhere" in found[0].text
    assert "[tool.uv.sources]" in found[0].text
    assert check_sources(requirements, here.get, frozenset({"my-lib"})) == []


def test_sizes_are_compared_with_both_limits():
    small = check_sizes(Sizes(library=200_000, own=10_000, modules=None))
    assert levels(small) == ["ok"]
    assert "not counted before the first deploy" in small[0].text
    assert levels(check_sizes(Sizes(200_000, 10_000, 4 * MB))) == ["warn"]
    assert levels(check_sizes(Sizes(200_000, 10_000, 11 * MB))) == ["fail"]


def test_excluded_files_are_not_measured(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "entry.py").write_text("x = 1\n")
    big = bytes(range(256)) * 64
    for name in ("agents_runtime/local/host.py", "kept/a.py", "kept/deep/b.pyc"):
        path = tmp_path / "python_modules" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(big)
    with_all = measure(make_config(tmp_path, bundle_excludes=())).modules
    without = measure(make_config(tmp_path)).modules
    assert without is not None
    assert with_all is not None
    assert 0 < without < with_all


def test_before_the_first_deploy_only_the_library_and_the_project_are_measured(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "entry.py").write_text("x = 1\n")
    sizes = measure(make_config(tmp_path))
    assert sizes.modules is None
    assert 0 < sizes.own < 100
    assert 50_000 < sizes.library < 500 * 1024


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/b/c.pyc", "**/*.pyc", True),
        ("c.pyc", "**/*.pyc", True),
        ("c.py", "**/*.pyc", False),
        ("agents_runtime/local/x/y.py", "agents_runtime/local/**", True),
        ("agents_runtime/locale.py", "agents_runtime/local/**", False),
        ("a/b.py", "*.py", False),
        ("a.py", "?.py", True),
    ],
)
def test_patterns_of_excluded_files(path, pattern, expected):
    assert is_excluded(path, [pattern]) is expected


def test_the_files_that_pywrangler_insists_on():
    assert check_project_files({"pyproject.toml": True, "wrangler.toml": True}) == []
    assert "missing" in text_of(check_project_files({"pyproject.toml": False}))
    assert "Move its lines" in text_of(check_project_files({"pyproject.toml": True, "requirements.txt": True}))
    both = {"pyproject.toml": True, "wrangler.toml": True, "wrangler.jsonc": True}
    assert "Keep one" in text_of(check_project_files(both))


def test_dependencies_are_read_from_the_project(tmp_path):
    assert read_dependencies(tmp_path) == ()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["a>=1", "b"]\n')
    assert read_dependencies(tmp_path) == ("a>=1", "b")
    assert read_sources(tmp_path) == frozenset()
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write('[tool.uv.sources]\nMy_Lib = { path = "../my_lib" }\n')
    assert read_sources(tmp_path) == {"my-lib"}
    for wrong in ("[project]\ndependencies = 3\n", "[project\n", "project = 1\n"):
        (tmp_path / "pyproject.toml").write_text(wrong)
        with pytest.raises(ConfigError, match=r"pyproject\.toml"):
            read_dependencies(tmp_path)
