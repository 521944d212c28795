"""Taking the text of a query apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.local.storage.plan import EARLY_PARAMETERS, NO_STATEMENT, OWN_TRANSACTION, plan_of

TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM t; END;"


@pytest.mark.parametrize(
    ("query", "verb", "writes"),
    [
        ("SELECT 1", "select", False),
        ("  -- comment; ;\n select 1", "select", False),
        ("/* insert; */ VALUES (1)", "values", False),
        ("INSERT INTO t VALUES (1)", "insert", True),
        ("replace into t values (';')", "replace", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "with", False),
        ("WITH x AS (SELECT 1) DELETE FROM t", "with", True),
        ("EXPLAIN DELETE FROM t", "explain", False),
        ("PRAGMA table_info(t)", "pragma", False),
        ("PRAGMA main.optimize", "pragma", True),
        ("pragma defer_foreign_keys = on", "pragma", True),
        ("CREATE TABLE t (a)", "create", True),
        ("selec 1", "selec", True),
    ],
)
def test_one_statement(query, verb, writes):
    plan = plan_of(query)
    assert plan.earlier == ()
    assert (plan.last.verb, plan.last.writes, plan.last.refusal) == (verb, writes, None)


@pytest.mark.parametrize("query", ["", " \n", ";", " ; ", "-- x", "/* x */", "/* open", "select 1; -- x", "select 1;;"])
def test_no_statement(query):
    assert plan_of(query).last.refusal == NO_STATEMENT


def test_several_statements_keep_their_texts():
    plan = plan_of(f"SELECT ';', \"a;b\", [c;d], `e;f` -- ;\n;\n {TRIGGER} /* ; */ SELECT 2 ; ")
    assert [statement.text for statement in plan.earlier] == ["SELECT ';', \"a;b\", [c;d], `e;f` -- ;\n;", TRIGGER]
    assert plan.last.text == "/* ; */ SELECT 2 ;"


STATEMENTS = [
    "SELECT 1;",
    "SELECT 'it''s; fine' ;",
    'INSERT INTO "od;d" VALUES (1);',
    "UPDATE t SET a = 'x' -- not ; here\n;",
    "/* ; */ DELETE FROM t;",
    TRIGGER,
]


@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=6), st.sampled_from(["", " ", "\n\t"]))
def test_joined_statements_come_apart_again(statements, space):
    plan = plan_of(space.join(statements))
    assert [statement.text for statement in (*plan.earlier, plan.last)] == statements


@given(st.text(alphabet="select ;'\"-/*`[]?:a1\n", max_size=40))
def test_any_text_has_a_plan_that_loses_nothing_but_space(query):
    plan = plan_of(query)
    kept = "".join(statement.text for statement in (*plan.earlier, plan.last))
    if ":" not in query and "?1" not in query:  # names and numbers of parameters are rewritten
        assert "".join(kept.split()) == "".join(query.split())


@pytest.mark.parametrize("word", ["begin", "COMMIT", "End", "rollback", "savepoint x", "release x", "BEGIN IMMEDIATE"])
def test_transaction_statements_are_refused_in_their_place(word):
    assert plan_of(word).last.refusal == OWN_TRANSACTION
    assert plan_of(f"select 1; {word}; select 2").earlier[1].refusal == OWN_TRANSACTION


def test_only_the_last_statement_takes_parameters():
    for early in ("SELECT ?", "SELECT ?1", "SELECT :a"):
        assert plan_of(f"{early}; SELECT 2").earlier[0].refusal == EARLY_PARAMETERS
    plan = plan_of("SELECT '?', \":a\"; SELECT ?")
    assert plan.earlier[0].refusal is None
    assert plan.last.refusal is None


@pytest.mark.parametrize(
    ("query", "text", "order"),
    [
        ("SELECT :a, :b, :a", "SELECT ?, ?, ?", (1, 2, 1)),
        ("SELECT @a, $a, :a", "SELECT ?, ?, ?", (1, 2, 3)),
        ("SELECT ?, :a, ?, :b", "SELECT ?, ?, ?, ?", (1, 2, 3, 4)),
        ("SELECT ?5, :a", "SELECT ?, ?", (5, 6)),
        ("SELECT ?2, ?, ?1", "SELECT ?, ?, ?", (2, 3, 1)),
        ("SELECT ':a', \"@b\", [c:d] -- :e", "SELECT ':a', \"@b\", [c:d] -- :e", None),
        ("SELECT $ns::name", "SELECT ?", (1,)),
        ("SELECT ?, ?", "SELECT ?, ?", None),
        ("SELECT ?0, ?101", "SELECT ?0, ?101", None),
    ],
)
def test_parameters_become_plain_ones_that_take_the_values_sqlite_would_give_them(query, text, order):
    statement = plan_of(query).last
    assert (statement.text, statement.order) == (text, order)
    assert statement.parameter_count == max(order or (0,))


def test_a_text_that_names_a_host_table_is_never_equal_to_a_statement_of_the_host():
    assert plan_of("SELECT value FROM _cf_KV WHERE key = ?").last.text.endswith(" ")
    assert plan_of("SELECT 1;SELECT value FROM _CF_kv").last.text.endswith(" ")


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("ALTER TABLE t RENAME TO _cf_x", True),
        ('alter table t rename /* */ to "_CF_x"', True),
        ("ALTER TABLE t RENAME COLUMN a TO _cf_x", False),
        ("ALTER TABLE t RENAME TO u", False),
        ("ALTER TABLE t ADD COLUMN _cf_x", False),
    ],
)
def test_tables_cannot_be_renamed_into_the_hosts_names(query, refused):
    assert (plan_of(query).last.refusal is not None) is refused
