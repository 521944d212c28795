"""Schemas from signatures, and the arguments that fit them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from agents_runtime.errors import DefinitionError
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.tools.schema import given_schema
from agents_runtime.mcp.tools.signature import Signature, WrongArguments, output_schema


class Address(TypedDict):
    street: str
    zip: NotRequired[str]


@dataclass
class Item:
    sku: str
    count: int = 1
    tags: list[str] = field(default_factory=list)


class Customer(BaseModel):
    name: str
    friends: list["Customer"] = []


def of(function, **options):
    return Signature(function, "the tool", is_method=False, **options)


def output_of(function) -> Any:
    return output_schema(function, "the tool")


def test_the_schema_of_standard_types():
    def order(
        item: str,
        count: int,
        price: float = 1.5,
        gift: bool = False,
        size: Literal["s", "m"] = "m",
        note: str | None = None,
        tags: list[str] = [],  # noqa: B006 - shown as the default
        more: dict[str, int] | None = None,
        anything: Any = None,
    ) -> str:
        """Order something.

        Args:
            item: what to order
        """
        return f"{item}{count}{price}{gift}{size}{note}{tags}{more}{anything}"

    assert of(order).schema == {
        "type": "object",
        "properties": {
            "item": {"type": "string", "description": "what to order"},
            "count": {"type": "integer"},
            "price": {"type": "number", "default": 1.5},
            "gift": {"type": "boolean", "default": False},
            "size": {"enum": ["s", "m"], "type": "string", "default": "m"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
            "more": {
                "anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}],
                "default": None,
            },
            "anything": {"default": None},
        },
        "required": ["item", "count"],
        "additionalProperties": False,
    }


def test_the_schema_of_shapes():
    def ship(address: Address, items: list[Item]):
        return address, items

    properties = of(ship).schema["properties"]
    assert properties["address"] == {
        "type": "object",
        "properties": {"street": {"type": "string"}, "zip": {"type": "string"}},
        "required": ["street"],
        "additionalProperties": False,
    }
    assert properties["items"]["items"]["required"] == ["sku"]
    bound = of(ship).bind({"address": {"street": "x"}, "items": [{"sku": "a"}]})
    assert bound["items"] == [Item("a")]


def test_what_only_pydantic_can_say_is_asked_of_it():
    def book(
        customer: Customer,
        at: datetime,
        seats: Annotated[int, Field(gt=0, description="how many")] = 1,
        where: Annotated[str, "which room"] = "any",
    ):
        return customer, at, seats, where

    signature = of(book)
    schema = signature.schema
    Draft202012Validator.check_schema(schema)
    assert "Customer" in schema["$defs"]
    assert schema["properties"]["at"] == {"type": "string", "format": "date-time"}
    assert schema["properties"]["seats"] == {
        "type": "integer",
        "exclusiveMinimum": 0,
        "description": "how many",
        "default": 1,
    }
    assert schema["properties"]["where"] == {"type": "string", "description": "which room", "default": "any"}
    assert "title" not in str(schema)
    bound = signature.bind({"customer": {"name": "Ann"}, "at": "2026-01-01T00:00:00Z"})
    assert (bound["customer"], bound["at"].year) == (Customer(name="Ann"), 2026)
    with pytest.raises(WrongArguments, match="seats"):
        signature.bind({"customer": {"name": "Ann"}, "at": "2026-01-01T00:00:00Z", "seats": 0})


def test_the_context_is_no_argument():
    def work(a: int, context: McpContext, b: int = 1):
        return a, context, b

    signature = of(work)
    assert signature.context == "context"
    assert list(signature.schema["properties"]) == ["a", "b"]
    with pytest.raises(WrongArguments, match="context"):
        signature.bind({"a": 1, "context": {}})


def test_a_context_that_is_named_in_quotes_only():
    def work(a, context: "nowhere.McpContext"):  # type: ignore[name-defined] # noqa: F821 - as under TYPE_CHECKING
        return a, context

    assert of(work, given={"a": "string"}).context == "context"
    with pytest.raises(DefinitionError, match="TYPE_CHECKING"):
        of(work)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "'a' is missing"),
        ({"a": 1, "c": 2}, "no argument 'c'"),
        ({"a": "1"}, "argument 'a' must be int, not str"),
        ({"a": True}, "argument 'a' must be int, not bool"),
        ({"a": 1, "b": [{"sku": 5}]}, r"argument 'b'\[0\].sku must be str"),
    ],
)
def test_arguments_that_do_not_fit(arguments, said):
    def work(a: int, b: list[Item] = []):  # noqa: B006 - not changed
        return a, b

    with pytest.raises(WrongArguments, match=said):
        of(work).bind(arguments)


def test_more_arguments_pass_when_the_function_takes_them():
    def work(a: int, **more: str):
        return a, more

    assert of(work).bind({"a": 1, "x": "y"}) == {"a": 1, "x": "y"}
    assert "additionalProperties" not in of(work).schema


def test_positional_parameters_are_refused():
    def first(a, /):
        return a

    def rest(*a):
        return a

    for function in (first, rest):
        with pytest.raises(DefinitionError, match="by keyword"):
            of(function)


def test_a_whole_schema_goes_as_it_is():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {}}, "allOf": []}
    assert given_schema(schema, "here") == schema


def test_a_short_schema_is_spelled_out():
    assert given_schema({"order_id": "string", "count": "int?", "tags": {"type": "array"}}, "here") == {
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "count": {"type": "integer"}, "tags": {"type": "array"}},
        "required": ["order_id", "tags"],
    }
    assert given_schema({}, "here") == {"type": "object", "properties": {}}
    assert given_schema({"type": "string"}, "here")["properties"] == {"type": {"type": "string"}}


@pytest.mark.parametrize("wrong", [{"a": "text"}, {"a": 5}, "string", {"a": None}])
def test_a_schema_that_is_none(wrong):
    with pytest.raises(DefinitionError):
        given_schema(wrong, "here")


def test_arguments_of_a_given_schema_are_not_checked_against_it():
    def work(a):
        return a

    assert of(work, given={"a": "integer"}).bind({"a": "text"}) == {"a": "text"}


def test_output_schemas_are_of_shapes_only():
    def text() -> str:
        return ""

    def shape() -> Address:
        return {"street": "x"}

    def record() -> Item:
        return Item("x")

    def model() -> Customer:
        return Customer(name="x")

    assert output_of(text) is None
    assert output_of(shape)["required"] == ["street"]
    assert output_of(record)["properties"]["count"] == {"type": "integer", "default": 1}
    made = output_of(model)
    assert made["type"] == "object"
    Draft202012Validator(made).validate({"name": "a", "friends": [{"name": "b", "friends": []}]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(["s", "m", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sku", "count"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["text", "number", "size", "items", "shape", "other"]), JSON, max_size=4))
def test_what_the_schema_allows_is_what_is_taken(arguments):
    def work(
        text: str | None = None,
        number: int = 0,
        size: Literal["s", "m"] = "s",
        items: list[float] = [],  # noqa: B006 - not changed
        shape: Item | None = None,
    ):
        return text, number, size, items, shape

    signature = of(work)
    fits = Draft202012Validator(signature.schema).is_valid(arguments)
    try:
        signature.bind(arguments)
    except WrongArguments:
        assert not fits
    else:
        assert fits
