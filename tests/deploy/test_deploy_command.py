"""`agents-runtime deploy` with programs of our own on the PATH: what it checks, and what it then calls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents_runtime.local.deploy_checks import normalise
from agents_runtime.local.pyodide_packages import PYODIDE_PACKAGES
from tests.needs import missing
from tests.server.serving import make_project
from tests.workerd.tools import ROOT

COMMAND = Path(sys.executable).with_name("agents-runtime")
LOCK = ROOT / "tests/workerd/node_modules/pyodide/pyodide-lock.json"
EXIT_CODE = 7
VERSIONS = {"uv": "uv 0.13.8", "node": "v22.23.3", "npx": "10.9.2"}
PYWRANGLER = f"""#!/bin/sh
printf '%s\\n' "$PWD" "$@" > "$RECORD"
exit {EXIT_CODE}
"""
PYPROJECT = f"""
[project]
name = "hello"
dependencies = ["agents_runtime"]

[tool.uv.sources]
agents_runtime = {{ path = "{ROOT}" }}
"""
EXCLUDES = {"exclude": ["**/*.pyc", "agents_runtime/local/**", "agents_runtime/testing/**"]}


class Machine:
    """A folder of programs that stands for the whole PATH, and a project beside it."""

    def __init__(self, folder):
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.record = folder / "record"
        self.project = make_project(folder / "project", python_modules=EXCLUDES)
        (self.project / "pyproject.toml").write_text(PYPROJECT)
        for name, version in VERSIONS.items():
            self.install(name, f"#!/bin/sh\necho '{version}'\n")
        self.install("pywrangler", PYWRANGLER)

    def install(self, name, script):
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def deploy(self, *arguments, cwd=None):
        environment = {**os.environ, "PATH": str(self.programs), "RECORD": str(self.record)}
        return subprocess.run(
            [str(COMMAND), "deploy", *arguments],
            cwd=cwd or self.project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def called_with(self):
        """The folder and the arguments that pywrangler got; None: it was not called."""
        return self.record.read_text().splitlines() if self.record.exists() else None

    def rewrite(self, **changes):
        make_project(self.project, **{"python_modules": EXCLUDES, **changes})


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_pywrangler_is_called_in_the_project_and_its_exit_code_is_ours(machine):
    done = machine.deploy("--dry-run", "--", "--outdir", "out", "--verbose")
    assert machine.called_with == [str(machine.project), "deploy", "--dry-run", "--outdir", "out", "--verbose"]
    assert done.returncode == EXIT_CODE
    assert "fail" not in done.stdout
    assert "warn" not in done.stdout


def test_a_real_deploy_has_no_dry_run_and_may_name_the_project(machine, tmp_path):
    done = machine.deploy("--config", str(machine.project), cwd=tmp_path)
    assert done.returncode == EXIT_CODE
    assert machine.called_with == [str(machine.project), "deploy"]


@pytest.mark.parametrize(
    ("breakage", "remedy"),
    [
        (lambda machine: (machine.programs / "npx").unlink(), "npx is not on the PATH"),
        (lambda machine: machine.install("node", "#!/bin/sh\necho v18.0.0\n"), "Node.js is 18.0.0, but 22.12"),
        (lambda machine: machine.install("uv", "#!/bin/sh\necho uv 0.4.0\n"), 'pip install "uv>=0.13.4"'),
        (lambda machine: machine.rewrite(compatibility_flags=[]), 'add "python_workers"'),
        (lambda machine: machine.rewrite(compatibility_date=None), "compatibility_date is missing"),
        (lambda machine: (machine.project / "pyproject.toml").unlink(), "pyproject.toml is missing"),
        (lambda machine: (machine.project / "requirements.txt").touch(), "refuses a requirements.txt"),
        (
            lambda machine: machine.rewrite(migrations=[{"tag": "v1", "new_classes": ["Counter"]}]),
            "Move it to new_sqlite_classes",
        ),
        (lambda machine: (machine.project / "src/entry.py").write_text("class Default:\n    pass\n"), "Counter"),
        (
            lambda machine: (machine.project / "pyproject.toml").write_text(
                '[project]\ndependencies = ["agents_runtime", "httptools>=0.6"]\n'
            ),
            "httptools: is compiled for this machine and not in the Pyodide distribution",
        ),
    ],
)
def test_each_failure_is_one_line_and_nothing_is_called(machine, breakage, remedy):
    breakage(machine)
    done = machine.deploy("--dry-run")
    assert done.returncode == 1
    assert [remedy in line for line in done.stdout.splitlines() if line.startswith("  fail")] == [True], done.stdout
    assert "Nothing was deployed: 1 of the checks failed." in done.stderr
    assert machine.called_with is None


def test_a_class_in_no_migration_is_told_what_to_write(machine):
    machine.rewrite(migrations=[])
    done = machine.deploy()
    assert done.returncode == 1
    assert '"Counter" is in no migration, so a deploy would refuse it' in done.stderr
    assert '"new_sqlite_classes": ["Counter"]' in done.stderr
    assert machine.called_with is None


def test_a_package_that_the_user_vouches_for_is_let_through(machine):
    (machine.project / "pyproject.toml").write_text('[project]\ndependencies = ["httptools"]\n')
    assert machine.deploy("--allow", "HttpTools").returncode == EXIT_CODE


def test_doubts_are_warnings_and_do_not_stop_a_deploy(machine):
    entry = machine.project / "src/entry.py"
    entry.write_text("import only_on_workers\n")
    make_project(machine.project, entry=entry.read_text(), compatibility_date="2026-04-20")
    (machine.project / "pyproject.toml").write_text('[project]\ndependencies = ["nobody-installed-this"]\n')
    done = machine.deploy()
    assert done.returncode == EXIT_CODE
    warned = [line for line in done.stdout.splitlines() if line.startswith("  warn")]
    assert [any(text in line for line in warned) for text in (
        "No module named 'only_on_workers'", "selects 3.14", "would be uploaded", "not checked, as it is not installed"
    )] == [True] * 4  # fmt: skip


def test_the_size_of_what_is_uploaded_is_printed_and_limited(machine):
    modules = machine.project / "python_modules"
    modules.mkdir()
    (modules / "big.bin").write_bytes(os.urandom(11 * 1024 * 1024))
    done = machine.deploy()
    assert "The limit is 10 MB" in done.stdout
    assert machine.called_with is None
    (modules / "big.bin").write_bytes(os.urandom(4 * 1024 * 1024))
    done = machine.deploy()
    assert "More than 3 MB needs a paid plan" in done.stdout
    assert done.returncode == EXIT_CODE


def test_the_list_of_packages_is_that_of_the_pinned_pyodide():
    if not LOCK.exists():
        missing("the npm packages of tests/workerd are not installed")
    packages = json.loads(LOCK.read_text())["packages"].values()
    expected = {
        normalise(package["name"])
        for package in packages
        if package["package_type"] == "package" and not package["name"].endswith("-tests")
    }
    assert expected == PYODIDE_PACKAGES
