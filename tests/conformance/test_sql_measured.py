"""What workerd 1.20261117.1 answered, statement by statement; every platform must answer the same.

Each script runs in one fresh object, in order. An expectation is a list of rows, or the message of the error.
"""

from __future__ import annotations

import pytest

TOO_DEEP = "Expression tree is too large (maximum depth 100): SQLITE_ERROR"
WRONG_BINDINGS = "Wrong number of parameter bindings for SQL query."
NO_STATEMENT = "SQL code did not contain a statement."
NOT_AUTHORIZED = "not authorized: SQLITE_AUTH"
PATTERN = "LIKE or GLOB pattern too complex: SQLITE_ERROR"

SCRIPTS = {
    "syntax": [
        ("selec 1", 'near "selec": syntax error at offset 0: SQLITE_ERROR'),
        ("select nope", "no such column: nope at offset 7: SQLITE_ERROR"),
        ("select 1, nope from (select 1)", "no such column: nope at offset 10: SQLITE_ERROR"),
        ("select * from nope", "no such table: nope: SQLITE_ERROR"),
        ("select 1 from t where", "incomplete input: SQLITE_ERROR"),
        ("select nofunc(1)", "no such function: nofunc at offset 7: SQLITE_ERROR"),
        ("select abs(1,2)", "wrong number of arguments to function abs() at offset 7: SQLITE_ERROR"),
        ("select 'unterminated", 'unrecognized token: "\'unterminated" at offset 7: SQLITE_ERROR'),
        ("select [1", 'unrecognized token: "[1" at offset 7: SQLITE_ERROR'),
        ('select "nope"', [["nope"]]),
        ("values (1),(2)", [[1], [2]]),
        ("select x'6162'", [[b"ab"]]),
        ("select json_array(1)->>0", [[1]]),
        ("select unhex('zz'), unhex('6162'), octet_length('é')", [[None, b"ab", 2]]),
        ("select concat(1,null,'a',2.5), concat_ws('-',1,null,2), concat_ws(null,1)", [["1a2.5", "1-2", None]]),
        ("select string_agg(column1, '-') from (values ('a'), (null), ('b'))", [["a-b"]]),
        ("with recursive c(n) as (select 1 union all select n+1 from c where n<3) select * from c", [[1], [2], [3]]),
    ],
    "constraints": [
        ("create table t(a integer primary key, b text unique, c not null)", []),
        ("insert into t(b,c) values('x',1)", []),
        (
            "insert into t(b,c) values('x',1)",
            "UNIQUE constraint failed: t.b: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ),
        (
            "insert into t(b) values('y')",
            "NOT NULL constraint failed: t.c: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
        ),
        (
            "insert into t(a,b,c) values(1,'z',1)",
            "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
        ),
        ("insert into t values(1)", "table t has 3 columns but 1 values were supplied: SQLITE_ERROR"),
        ("insert into t(a,c) values('abc',2)", "datatype mismatch: SQLITE_MISMATCH"),
        ("insert into t(b,c) values('q',1) returning a, b", [[2, "q"]]),
        ("select last_insert_rowid(), changes()", [[2, 1]]),
        ("pragma foreign_keys", [[1]]),
        ("create table child(p references t(a))", []),
        (
            "insert into child values(99)",
            "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
        ),
    ],
    "refused": [
        ("create table t(a)", []),
        ("create table _cf_x(a)", NOT_AUTHORIZED),
        ("create index _cf_i on t(a)", NOT_AUTHORIZED),
        ("alter table t rename to _cf_q", NOT_AUTHORIZED),
        ("attach 'x' as y", NOT_AUTHORIZED),
        ("create temp table z(a)", NOT_AUTHORIZED),
        ("pragma user_version", NOT_AUTHORIZED),
        ("pragma journal_mode", NOT_AUTHORIZED),
        ("pragma journal_mode=wal", NOT_AUTHORIZED),
        ("pragma table_info(_cf_KV)", NOT_AUTHORIZED),
        ("pragma table_info(t)", [[0, "a", "", 0, None, 0]]),
        ("select sqlite_version()", "not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR"),
        ("select sqlite_source_id()", "not authorized to use function: sqlite_source_id at offset 7: SQLITE_ERROR"),
        ("vacuum", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        ("alter table t rename to u", []),
        ("create table v(a _cf_type, _cf_b)", []),
    ],
    "several statements": [
        ("", NO_STATEMENT),
        ("  ", NO_STATEMENT),
        (";", NO_STATEMENT),
        ("-- c", NO_STATEMENT),
        ("select 1; -- x", NO_STATEMENT),
        ("select 1;  ", [[1]]),
        ("select 1;\n", [[1]]),
        ("select 1; select 2", [[2]]),
        ("select 'a;b'; select \"c\"", [["c"]]),
        ("select 1; select ?", WRONG_BINDINGS),
        (
            "select ?; select 2",
            "When executing multiple SQL statements in a single call, only the last statement can have parameters.",
        ),
        ("create table t(a); insert into t values(1); select * from t", [[1]]),
        (
            "create trigger tr after insert on t begin update t set a = a + 1; delete from t where a > 8; end;"
            " insert into t values (8); select * from t",
            [[2]],
        ),
    ],
    "limits": [
        ("select 1 where 'aaa' like '" + "%a" * 26 + "'", PATTERN),
        ("select 'a' glob '" + "*a" * 26 + "'", PATTERN),
        ("select 'a' like '" + "%a" * 25 + "'", [[0]]),
        ("select " + "+".join(["1"] * 101), TOO_DEEP),
        ("select " + "+".join(["1"] * 99), [[99]]),
        (" union all ".join(["select 1"] * 6), "too many terms in compound SELECT: SQLITE_ERROR"),
        (" union all ".join(["select 1"] * 5), [[1]] * 5),
        (f"select max({','.join(['1'] * 128)})", "too many arguments on function max at offset 7: SQLITE_ERROR"),
        (f"select max({','.join(['1'] * 127)})", [[1]]),
        ("select " + ",".join(["1"] * 101), "too many columns in result set: SQLITE_ERROR"),
        (f"create table big({','.join(f'c{i}' for i in range(101))})", "too many columns on big: SQLITE_ERROR"),
        ("select '" + "x" * 100_000 + "'", "statement too long: SQLITE_TOOBIG"),
        ("select length('" + "x" * (100_000 - 17) + "')", [[99_983]]),
    ],
}

PARAMETERS = [
    ("select ?", [], WRONG_BINDINGS),
    ("select ?", [1, 2], WRONG_BINDINGS),
    ("select @x", [], WRONG_BINDINGS),
    ("select ?2, ?1", [1, 2], [[2, 1]]),
    ("select :a, :b, :a", [1, 2], [[1, 2, 1]]),
    ("select @a, $b", [1, 2], [[1, 2]]),
    ("select ?3", [1, 2, 3], [[3]]),
    ("select ':no', ?", ["yes"], [[":no", "yes"]]),
    ("select " + "+".join("?" * 99), [1] * 99, [[99]]),
    ("select 1 in (" + ",".join("?" * 100) + ")", [1] * 100, [[1]]),
    (
        "select 1 where 1 in (" + ",".join("?" * 101) + ")",
        [1] * 101,
        "too many SQL variables at offset 221: SQLITE_ERROR",
    ),
]


def answer(storage, js_error, query, params=()):
    """The rows of a statement with blobs as bytes, or the message of its error."""
    try:
        rows = list(storage.sql.exec(query, *params).raw())
    except js_error as error:
        return error.message if error.name == "Error" else str(error)
    return [[bytes(value) if isinstance(value, memoryview) else value for value in row] for row in rows]


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
async def test_script(storage, js_error, script):
    for query, expected in script:
        assert answer(storage, js_error, query) == expected, query[:100]


@pytest.mark.parametrize(("query", "params", "expected"), PARAMETERS, ids=lambda value: str(value)[:30])
async def test_parameters(storage, js_error, query, params, expected):
    assert answer(storage, js_error, query, params) == expected


@pytest.mark.parametrize(
    "query", ["begin", "BEGIN IMMEDIATE", " commit", "end", "rollback", "savepoint x", "release x"]
)
async def test_own_transactions_are_refused_naming_the_way_to_go(storage, js_error, query):
    assert "transactionSync" in answer(storage, js_error, query)
