"""Loading projects: fresh modules each time, and clear words when something is missing."""

import importlib
import sys

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import Migration
from agents_runtime.local.project import ProjectLoader, UserCodeError, load_project, storage_keys
from tests.server.serving import ENTRY, make_project


@pytest.fixture(autouse=True)
def clean_modules():
    before, finders = set(sys.modules), list(sys.meta_path)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        if not name.startswith(("agents_runtime", "workers")):
            del sys.modules[name]


def test_a_project_has_its_classes_and_entrypoint(tmp_path):
    project = load_project(make_project(tmp_path))
    assert project.classes["Counter"].__name__ == "Counter"
    assert project.entrypoint.__name__ == "Default"
    assert project.notes == ()
    assert sys.modules["entry"] is project.module


def test_each_load_is_fresh_and_its_modules_know_only_each_other(tmp_path):
    make_project(tmp_path, "from helper.deep import VALUE\n" + ENTRY)
    (tmp_path / "src" / "helper").mkdir()
    (tmp_path / "src" / "helper" / "deep.py").write_text("VALUE = 'first'")
    loader = ProjectLoader(tmp_path)
    first = loader.load()
    (tmp_path / "src" / "helper" / "deep.py").write_text("VALUE = 'other'")
    second = loader.load()
    assert (first.module.VALUE, second.module.VALUE) == ("first", "other")
    assert first.classes["Counter"] is not second.classes["Counter"]
    assert sys.modules["helper.deep"].VALUE == "other"


def test_after_a_failed_load_the_modules_before_are_back(tmp_path):
    make_project(tmp_path, "import helper\n" + ENTRY)
    (tmp_path / "src" / "helper.py").write_text("VALUE = 1")
    loader = ProjectLoader(tmp_path)
    first = loader.load()
    (tmp_path / "src" / "helper.py").write_text("VALUE = 2\n1 / 0")
    with pytest.raises(UserCodeError):
        loader.load()
    assert sys.modules["entry"] is first.module
    assert importlib.import_module("helper").VALUE == 1


def test_a_traceback_starts_in_the_users_code(tmp_path):
    make_project(tmp_path, "from helper import VALUE\n" + ENTRY)
    (tmp_path / "src" / "helper.py").write_text("\n\nVALUE = undefined_name\n")
    with pytest.raises(UserCodeError) as caught:
        load_project(tmp_path)
    lines = caught.value.trace.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'src/entry.py", line 1' in lines[1]
    assert 'src/helper.py", line 3' in caught.value.trace
    assert lines[-1] == "NameError: name 'undefined_name' is not defined"
    assert "importlib" not in caught.value.trace
    assert "modules.py" not in caught.value.trace


def test_a_syntax_error_shows_its_line(tmp_path):
    with pytest.raises(UserCodeError) as caught:
        load_project(make_project(tmp_path, "x = 1\ndef broken(:\n"))
    assert 'src/entry.py", line 2' in caught.value.trace
    assert "def broken(:" in caught.value.trace
    assert "^" in caught.value.trace


@pytest.mark.parametrize(
    ("name", "says"),
    [("json.py", "is the name of another module"), ("workers.py", "is the name"), ("my-entry.py", "Rename the file")],
)
def test_a_main_module_needs_a_name_of_its_own(tmp_path, name, says):
    make_project(tmp_path, main=f"src/{name}")
    (tmp_path / "src" / name).write_text(ENTRY)
    with pytest.raises(ConfigError, match=says):
        load_project(tmp_path)


def test_standard_modules_win_over_files_of_the_same_name(tmp_path):
    make_project(tmp_path, "import colorsys\nassert colorsys.rgb_to_hsv\n" + ENTRY)
    (tmp_path / "src" / "colorsys.py").write_text("raise RuntimeError('mine')")
    assert load_project(tmp_path).classes


def test_an_agent_without_a_binding_is_noted(tmp_path):
    project = load_project(make_project(tmp_path, ENTRY + "\n\nclass Room(Agent):\n    pass\n"))
    assert len(project.notes) == 1
    assert "Room has no binding" in project.notes[0]


def test_a_class_may_be_bound_twice_and_imported_from_elsewhere(tmp_path):
    bindings = [{"name": "ONE", "class_name": "Counter"}, {"name": "TWO", "class_name": "Counter"}]
    make_project(tmp_path, "from agents_of_ours import Counter, Default\n", durable_objects={"bindings": bindings})
    (tmp_path / "src" / "agents_of_ours.py").write_text(ENTRY)
    project = load_project(tmp_path)
    assert set(project.classes) == {"Counter"}
    assert project.notes == ()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Default = 3", "Default: must be a class"),
        ("class Default: pass", "Default: must be a class"),
        ("on_fetch = 3", "on_fetch: must be a function"),
    ],
)
def test_an_entrypoint_that_cannot_answer_is_named(tmp_path, source, says):
    entry = ENTRY.partition("class Default")[0] + source
    with pytest.raises(ConfigError, match=says):
        load_project(make_project(tmp_path, entry))


def test_storage_keys_follow_a_class_through_its_names():
    def step(tag, created=(), renamed=(), deleted=()):
        return Migration(tag, tuple(created), tuple(renamed), tuple(deleted))

    assert storage_keys((step("v1", ["A", "B"]),)) == {"A": "A", "B": "B"}
    assert storage_keys((step("v1", ["A"]), step("v2", renamed=[("A", "B")]))) == {"B": "A"}
    assert storage_keys((step("v1", ["A"]), step("v2", ["C"], [("A", "B")]), step("v3", ["A"]))) == {
        "B": "A",
        "C": "C",
        "A": "A@v3",
    }
    assert storage_keys((step("v1", ["A"]), step("v2", deleted=["A"]), step("v3", ["A"]))) == {"A": "A@v3"}
