"""The house rules that need no tool of their own: pure functions from a file's text to what is wrong with it.

Each returns lines of the form `NUMBER: what is wrong`, so that a test can name the file and fail with all of them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize

MODULE_LINES = 400
FUNCTION_LINES = 50
WORKAROUND = re.compile(
    r"#\s*(type|pyright):\s*ignore(?P<code>\[[\w,\s-]+\])?(?P<reason>.*)|#\s*noqa(?P<rule>:[\sA-Z0-9,]+)?(?P<why>.*)"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
CHANGE_HEADINGS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def too_long_module(text: str, limit: int = MODULE_LINES) -> list[str]:
    lines = len(text.splitlines())
    return [f"{lines}: the module is longer than {limit} lines; split it by concept"] if lines > limit else []


def too_long_functions(text: str, limit: int = FUNCTION_LINES) -> list[str]:
    found = []
    for node in functions(ast.parse(text)):
        length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
        if length > limit:
            found.append(f"{node.lineno}: {node.name} has {length} lines, more than {limit}")
    return found


def _docstring_lines(node: Function) -> int:
    """A long explanation does not make a long function."""
    docstring = ast.get_docstring(node, clean=False)
    return 0 if docstring is None else docstring.count("\n") + 1


def missing_module_docstring(text: str) -> list[str]:
    docstring = ast.get_docstring(ast.parse(text), clean=False)
    if docstring is None:
        return ["1: the module has no docstring"]
    return [] if docstring.split("\n")[0].strip() else ["1: the first line of the docstring is empty"]


def unexplained_workarounds(text: str) -> list[str]:
    """Each `type: ignore` and `noqa` names its code and gives a reason behind it."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        for match in WORKAROUND.finditer(token.string) if token.type == tokenize.COMMENT else ():
            code = match["code"] or match["rule"]
            reason = (match["reason"] or match["why"] or "").strip(" -#:;,.()")
            if not code:
                found.append(f"{token.start[0]}: an ignore without a code")
            elif len(reason) < 3:
                found.append(f"{token.start[0]}: an ignore without a reason after its code")
    return found


def unfinished(text: str) -> list[str]:
    """Nothing is left for later: no notes to oneself, no functions that only claim to be there."""
    tree = ast.parse(text)
    return (
        notes_to_oneself(text)
        + [f"{node.lineno}: {node.name} has no body" for node in _bodiless(tree)]
        + [
            f"{node.lineno}: NotImplementedError is a stub; write it or leave it out"
            for node in ast.walk(tree)
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
        ]
    )


def notes_to_oneself(text: str) -> list[str]:
    return [
        f"{number}: {match[0]} left in"
        for number, line in enumerate(text.splitlines(), 1)
        if (match := UNFINISHED.search(line))
    ]


def _bodiless(tree: ast.Module) -> list[Function]:
    declared: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_protocol = isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
        if is_protocol or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            declared.update(ast.walk(node))
    return [node for node in functions(tree) if node not in declared and _is_empty(node) and not _is_declaration(node)]


def _is_empty(node: Function) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is Ellipsis


def _is_declaration(node: Function) -> bool:
    return any("overload" in ast.unparse(d) or "abstract" in ast.unparse(d) for d in node.decorator_list)


def imported_modules(text: str) -> dict[str, int]:
    """Every module the text names in an import, with the line."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update({alias.name: node.lineno for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            found[node.module] = node.lineno
            found.update({f"{node.module}.{alias.name}": node.lineno for alias in node.names})
    return found


def banned_imports(text: str, banned: set[str]) -> list[str]:
    return [
        f"{line}: imports {name}"
        for name, line in imported_modules(text).items()
        if any(name == ban or name.startswith(ban + ".") for ban in banned)
    ]


def patched_code(text: str) -> list[str]:
    """Tests go through the front door: no mocks, no replaced attributes. Environment and folder may be set."""
    found = banned_imports(text, {"unittest.mock", "mock", "pytest_mock"})
    patches = {f"{name}.{verb}" for name in ("monkeypatch", "mocker", "patch") for verb in ("setattr", "delattr")}
    return found + [
        f"{node.lineno}: replaces an attribute; give the code a port or an option instead"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in patches
    ]


def unexplained_skips(text: str) -> list[str]:
    """A skip or an expected failure says why; nothing is skipped on every machine."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.expr):
            continue
        name = ast.unparse(node.func if isinstance(node, ast.Call) else node)
        if name in {"pytest.mark.skip", "mark.skip"}:
            found.append(f"{node.lineno}: skipped on every machine; delete the test or make it run")
        elif name in {"pytest.mark.skipif", "pytest.mark.xfail"} and isinstance(node, ast.Call):
            if not any(keyword.arg == "reason" for keyword in node.keywords):
                found.append(f"{node.lineno}: {name} without a reason")
        elif name == "pytest.skip" and isinstance(node, ast.Call) and not (node.args or node.keywords):
            found.append(f"{node.lineno}: pytest.skip without a reason")
        elif name == "pytest.importorskip" and isinstance(node, ast.Call):
            found.append(f"{node.lineno}: skipped in continuous integration too; import it, or use tests.needs.missing")
    return found


def changelog_shape(text: str) -> list[str]:
    """Keep a Changelog: a title, `[Unreleased]` first, known headings, dates, newest first, an item under each."""
    lines = text.splitlines()
    found = [] if lines[:1] == ["# Changelog"] else ["1: the first line is not `# Changelog`"]
    releases = [(number, line) for number, line in enumerate(lines, 1) if line.startswith("## ")]
    if not releases or releases[0][1] != "## [Unreleased]":
        found.append("1: the first release heading is not `## [Unreleased]`")
    dates = []
    for number, line in releases[1:]:
        match = re.fullmatch(r"## \[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2})", line)
        if match is None:
            found.append(f"{number}: a release heading reads `## [1.2.3] - 2026-01-31`")
        else:
            dates.append(match[1])
    if dates != sorted(dates, reverse=True):
        found.append("1: releases are not newest first")
    for number, line in enumerate(lines, 1):
        if line.startswith("### "):
            if line[4:] not in CHANGE_HEADINGS:
                found.append(f"{number}: `{line[4:]}` is none of {', '.join(CHANGE_HEADINGS)}")
            if not any(entry.startswith("- ") for entry in lines[number : number + 3]):
                found.append(f"{number}: a heading without entries")
    return found


def lazy_exports(text: str) -> tuple[set[str], set[str]]:
    """The names of a package's `__all__`, and those its `if TYPE_CHECKING:` block imports."""
    exported: set[str] = set()
    mirrored: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == "__all__":
                exported = set(ast.literal_eval(node.value))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    mirrored.update(alias.asname or alias.name for alias in inner.names)
    return exported, mirrored


def incomplete_lock(lock: dict[str, dict[str, dict[str, dict[str, str]]]]) -> list[str]:
    """Packages that a package-lock.json needs and does not name: `npm ci` refuses such a file.

    It happens when the registry that made the file lacks the builds for other platforms.
    """
    packages = lock["packages"]
    return [
        f"{place or 'the project'} needs {name}"
        for place, package in packages.items()
        for kind in ("dependencies", "optionalDependencies", *([] if place else ["devDependencies"]))
        for name in package.get(kind, {})
        if not any(f"{folder}node_modules/{name}" in packages for folder in _folders_above(place))
    ]


def _folders_above(place: str) -> list[str]:
    """Where Node looks for what a package needs: `a/node_modules/b` looks in itself, in `a`, at the top."""
    parts = place.split("/node_modules/")
    inner = ["/node_modules/".join(parts[:length]) + "/" for length in range(len(parts), 0, -1) if place]
    return [*inner, ""]
