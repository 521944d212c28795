"""Project files: what is read, and what each mistake is told."""

import json

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.config import AssetsConfig, Binding, Migration, read_config

TOML = """
name = "hello"
main = "src/entry.py"
compatibility_date = "2026-11-01"
compatibility_flags = ["python_workers"]

[[durable_objects.bindings]]
name = "COUNTER"
class_name = "Counter"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Counter"]
"""


def make(folder, text=TOML, name="wrangler.toml", **files):
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "entry.py").write_text("")
    (folder / name).write_text(text)
    for path, content in files.items():
        (folder / path).write_text(content)
    return folder


def jsonc(**changes):
    base = {
        "name": "hello",
        "main": "src/entry.py",
        "compatibility_date": "2026-11-01",
        "compatibility_flags": ["python_workers"],
        "durable_objects": {"bindings": [{"name": "COUNTER", "class_name": "Counter"}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter"]}],
    }
    return json.dumps({key: value for key, value in (base | changes).items() if value is not None})


def problem(folder, text, name="wrangler.jsonc"):
    with pytest.raises(ConfigError) as caught:
        read_config(make(folder, text, name))
    assert caught.value.file.startswith(str(folder))
    return caught.value


def test_a_toml_project_is_read(tmp_path):
    config = read_config(make(tmp_path))
    assert config.name == "hello"
    assert config.main == tmp_path / "src" / "entry.py"
    assert config.bindings == (Binding("COUNTER", "Counter"),)
    assert config.migrations == (Migration("v1", ("Counter",)),)
    assert config.compatibility_flags == ("python_workers",)
    assert config.root == tmp_path
    assert config.assets is None
    assert config.notes == ()


def test_jsonc_may_hold_comments_and_trailing_commas(tmp_path):
    text = """{ // a comment, with "quotes" and a comma,
      /* and a block, ] */ "name": "a//b /* not a comment */, ]",
      "main": "src/entry.py", /* one */ "compatibility_date": "2026-11-01", /* two */
      "compatibility_flags": ["python_workers", /* last */ ], // tail
    }"""
    config = read_config(make(tmp_path, text, "wrangler.jsonc"))
    assert config.name == "a//b /* not a comment */, ]"
    assert config.compatibility_flags == ("python_workers",)


def test_both_forms_say_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = read_config(make(tmp_path / "a"))
    other = read_config(make(tmp_path / "b", jsonc(), "wrangler.jsonc"))
    assert (one.name, one.bindings, one.migrations) == (other.name, other.bindings, other.migrations)


def test_the_file_itself_may_be_named(tmp_path):
    make(tmp_path, jsonc(name="other"), "staging.jsonc")
    assert read_config(tmp_path / "staging.jsonc").name == "other"


def test_an_empty_folder_is_told_how_to_start(tmp_path):
    with pytest.raises(ConfigError, match="agents-runtime new NAME"):
        read_config(tmp_path)
    with pytest.raises(ConfigError, match="no such file or folder"):
        read_config(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match="not a project file"):
        read_config(tmp_path / "notes.txt")


def test_two_files_are_noted(tmp_path):
    make(tmp_path, jsonc(name="second"), "wrangler.jsonc")
    config = read_config(make(tmp_path))
    assert config.name == "hello"
    assert "wrangler.jsonc is not" in config.notes[0]


def test_broken_text_names_line_and_column(tmp_path):
    assert "line 2, column 3" in str(problem(tmp_path, '{"name": "x",\n  main: 1}'))
    assert "not valid TOML" in str(problem(tmp_path, "name = ", "wrangler.toml"))
    (tmp_path / "wrangler.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(byte 8\)"):
        read_config(tmp_path)


def test_an_unfinished_comment_is_an_error(tmp_path):
    assert "not valid JSON" in str(problem(tmp_path, '{"name": "x" /* no end }'))
    assert "must hold one object" in str(problem(tmp_path, "[1, 2,]"))


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"main": None}, "main", 'as in main = "src/entry.py"'),
        ({"main": "src/entyr.py"}, "main", 'Did you mean "src/entry.py"?'),
        ({"main": "src/index.ts"}, "main", "is not a Python file"),
        ({"main": 3}, "main", "found a number (3). Write a text in quotes"),
        ({"name": ""}, "name", "empty"),
        ({"compatibility_date": "today"}, "compatibility_date", 'Write a date as "2026-11-01"'),
        (
            {"compatibility_flags": "python_workers"},
            "compatibility_flags",
            "found a text ('python_workers'). Write a list",
        ),
        ({"compatibility_flags": [1]}, "compatibility_flags[0]", "found a number (1)"),
        ({"durable_objects": []}, "durable_objects", "found a list ([]). Write a table"),
        ({"durable_objects": {"bindings": {}}}, "durable_objects.bindings", "found a table ({}). Write a list"),
        ({"durable_objects": {"bindings": ["x"]}}, "durable_objects.bindings[0]", "found a text ('x')"),
        ({"durable_objects": {"bindings": [{"class_name": "Counter"}]}}, "durable_objects.bindings[0].name", "missing"),
        (
            {"durable_objects": {"bindings": [{"name": "MY-COUNTER", "class_name": "Counter"}]}},
            "durable_objects.bindings[0].name",
            '"MY-COUNTER" is not a name',
        ),
        (
            {"durable_objects": {"bindings": [{"name": "C", "class": "Counter"}]}},
            "durable_objects.bindings[0].class",
            'unknown key (did you mean "class_name"?)',
        ),
        (
            {"durable_objects": {"bindings": [{"name": "C", "class_name": "Counter", "script_name": "other"}]}},
            "durable_objects.bindings[0].script_name",
            "another Worker cannot be bound on the local host",
        ),
        (
            {"durable_objects": {"bindings": [{"name": "C", "class_name": "Counter"}] * 2}},
            "durable_objects.bindings[1].name",
            '"C" is bound twice',
        ),
        ({"migrations": [{"new_sqlite_classes": ["Counter"]}]}, "migrations[0].tag", "missing"),
        (
            {"migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter", "Counter"]}]},
            "migrations[0].new_sqlite_classes",
            "created before",
        ),
        (
            {"migrations": [{"tag": "v1", "new_sqlite_classes": ["A"]}, {"tag": "v1", "new_sqlite_classes": ["B"]}]},
            "migrations[1].tag",
            "used twice",
        ),
        ({"migrations": [{"tag": "v1", "deleted_classes": ["Counter"]}]}, "migrations[0].deleted_classes", "no class"),
        (
            {
                "migrations": [
                    {
                        "tag": "v1",
                        "new_sqlite_classes": ["Countre"],
                        "renamed_classes": [{"from": "Counter", "to": "B"}],
                    }
                ]
            },
            "migrations[0].renamed_classes[0].from",
            'did you mean "Countre"?',
        ),
        ({"assets": {"directory": "public"}}, "assets.directory", 'no folder "public"'),
        ({"assets": {"directory": "src", "not_found_handling": "spa"}}, "assets.not_found_handling", "Write one of"),
        (
            {"assets": {"directory": "src", "run_worker_first": ["agents/*"]}},
            "assets.run_worker_first",
            "no path pattern",
        ),
        ({"assets": {"directory": "src", "binding": "COUNTER"}}, "assets.binding", "Rename one of them"),
        ({"vars": {"COUNTER": "x"}}, "vars.COUNTER", "is also a name in durable_objects.bindings"),
    ],
)
def test_a_mistake_names_its_key_and_what_to_write(tmp_path, changes, key, says):
    error = problem(tmp_path, jsonc(**changes))
    assert error.key == key
    assert says in str(error)
    assert str(error).startswith(f"{tmp_path}/wrangler.jsonc: {key}: ")


def test_a_bound_class_in_no_migration_is_told_the_lines_to_add(tmp_path):
    error = problem(tmp_path, TOML.partition("[[migrations]]")[0], "wrangler.toml")
    assert error.key == "durable_objects.bindings[0].class_name"
    assert 'new_sqlite_classes = ["Counter"]' in str(error)
    (tmp_path / "wrangler.toml").unlink()
    error = problem(tmp_path, jsonc(migrations=[{"tag": "v1", "new_sqlite_classes": ["Conter"]}]))
    assert '{ "tag": "v2", "new_sqlite_classes": ["Counter"] }' in str(error)
    assert 'did you mean "Conter"?' in str(error)


def test_a_class_renamed_or_deleted_later_counts_as_its_last_name(tmp_path):
    steps = [
        {"tag": "v1", "new_sqlite_classes": ["Old", "Gone"]},
        {"tag": "v2", "renamed_classes": [{"from": "Old", "to": "Counter"}], "deleted_classes": ["Gone"]},
    ]
    config = read_config(make(tmp_path, jsonc(migrations=steps), "wrangler.jsonc"))
    assert config.migrations[1] == Migration("v2", (), (("Old", "Counter"),), ("Gone",))
    assert problem(tmp_path, jsonc(migrations=[*steps, {"tag": "v3", "deleted_classes": ["Counter"]}]))


def test_what_has_no_local_counterpart_is_noted_and_never_stops(tmp_path):
    text = jsonc(
        triggers={"crons": ["* * * * *"]},
        kv_namespaces=[{"binding": "KV"}],
        observability={"enabled": True},
        migration=[],
        env={"staging": {}},
    )
    notes = "\n".join(read_config(make(tmp_path, text, "wrangler.jsonc")).notes)
    assert "cron triggers do not run" in notes
    assert "kv_namespaces: not available" in notes
    assert 'unknown key "migration" (did you mean "migrations"?)' in notes
    assert "named environments" in notes
    assert "observability" not in notes


def test_new_classes_and_missing_deploy_keys_are_noted(tmp_path):
    text = jsonc(
        migrations=[{"tag": "v1", "new_classes": ["Counter"]}], compatibility_flags=None, compatibility_date=None
    )
    notes = "\n".join(read_config(make(tmp_path, text, "wrangler.jsonc")).notes)
    assert "write new_sqlite_classes" in notes
    assert "python_workers" in notes
    assert "no compatibility_date" in notes


def test_a_toml_date_is_a_date(tmp_path):
    config = read_config(make(tmp_path, TOML.replace('"2026-11-01"', "2026-11-01")))
    assert config.compatibility_date == "2026-11-01"


def test_vars_are_overridden_by_dev_vars_alone_when_it_exists(tmp_path):
    text = jsonc(vars={"PLAIN": "file", "LIST": [1, 2], "TOKEN": "file"})
    make(tmp_path, text, "wrangler.jsonc", **{".env": "TOKEN=env\nMORE=env"})
    config = read_config(tmp_path)
    assert config.vars == {"PLAIN": "file", "LIST": [1, 2], "TOKEN": "env", "MORE": "env"}
    (tmp_path / ".dev.vars").write_text("TOKEN='dev # vars'")
    config = read_config(tmp_path)
    assert config.vars == {"PLAIN": "file", "LIST": [1, 2], "TOKEN": "dev # vars"}
    assert config.secret_names == {"TOKEN"}
    assert ".env is not" in config.notes[0]


def test_a_broken_dev_vars_line_is_named_without_its_value(tmp_path):
    make(tmp_path, **{".dev.vars": "# keys\nGOOD=1\nsecret value\n"})
    with pytest.raises(ConfigError, match="line 3") as caught:
        read_config(tmp_path)
    assert "secret value" not in str(caught.value)


def test_assets_alone_are_a_project(tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "site", "compatibility_date": "2026-11-01", "assets": {"directory": "./public", "binding": "ASSETS",'
        ' "run_worker_first": ["/agents/*", "!/agents/x"], "not_found_handling": "single-page-application"}}'
    )
    config = read_config(tmp_path)
    assert config.main is None
    assert config.assets == AssetsConfig(
        tmp_path / "public", "ASSETS", ("/agents/*", "!/agents/x"), "single-page-application", "auto-trailing-slash"
    )
    assert config.notes == ()
