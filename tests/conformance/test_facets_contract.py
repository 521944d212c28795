"""What the platform does for facets: children of an object, each with storage of its own."""

from __future__ import annotations

import pytest

from tests.workerd.rig import RemoteError


async def test_parent_and_facets_have_storage_of_their_own(world, name):
    await world.call("PARENT", name, "note", "of the parent")
    await world.call("PARENT", name, "child", "a", "note", "of a")
    await world.call("PARENT", name, "child", "b", "note", "of b")
    assert await world.call("PARENT", name, "notes") == ["of the parent"]
    assert await world.call("PARENT", name, "child", "a", "notes") == ["of a"]
    assert await world.call("PARENT", name, "child", "b", "notes") == ["of b"]
    assert await world.call("PARENT", f"{name}-other", "child", "a", "notes") == []


async def test_a_facet_stays_in_memory_and_dies_with_its_parent(world, name):
    assert [await world.call("PARENT", name, "child", "a", "count") for _ in range(2)] == [1, 2]
    await world.call("PARENT", name, "child", "a", "note", "kept")
    with pytest.raises(RemoteError, match="on purpose"):
        await world.call("PARENT", name, "die")
    assert await world.call("PARENT", name, "child", "a", "count") == 1
    assert await world.call("PARENT", name, "child", "a", "notes") == ["kept"]


async def test_an_aborted_facet_starts_again_with_what_it_stored(world, name):
    await world.call("PARENT", name, "child", "a", "note", "kept")
    assert await world.call("PARENT", name, "count") == 1
    assert "no longer wanted" in await world.call("PARENT", name, "abort_child", "a", "no longer wanted")
    assert await world.call("PARENT", name, "child", "a", "count") == 1
    assert await world.call("PARENT", name, "child", "a", "notes") == ["kept"]
    assert await world.call("PARENT", name, "count") == 2, "its parent lives on"


async def test_a_deleted_facet_has_lost_everything(world, name):
    for facet in ("a", "b"):
        await world.call("PARENT", name, "child", facet, "note", "old")
    await world.call("PARENT", name, "delete_child", "a")
    assert await world.call("PARENT", name, "child", "a", "notes") == []
    assert await world.call("PARENT", name, "child", "b", "notes") == ["old"]


async def test_a_facet_has_its_parents_identity_or_the_one_it_is_given(world, name):
    parent_id, parent_name = await world.call("PARENT", name, "who")
    assert parent_name == name
    assert await world.call("PARENT", name, "child", "a", "who") == [parent_id, name]
    assert await world.call("PARENT", name, "child_with_id", "b", "own-id", "who") == ["own-id", None]


async def test_an_exception_of_a_facet_reaches_its_caller(world, name):
    with pytest.raises(RemoteError, match="ValueError: the facet cannot"):
        await world.call("PARENT", name, "child", "a", "fail")


async def test_a_facet_has_no_alarm(world, name):
    with pytest.raises(RemoteError, match="Facets currently cannot set alarms"):
        await world.call("PARENT", name, "child", "a", "set_alarm")


async def test_facets_go_with_their_parents_storage(world, name):
    await world.call("PARENT", name, "child", "a", "note", "old")
    await world.call("PARENT", name, "forget_everything")
    assert await world.call("PARENT", name, "child", "a", "notes") == []


async def test_a_facet_leaves_memory_when_its_data_goes(world, name):
    assert await world.call("PARENT", name, "forget_with_child", "a") == [1, 1]


async def test_facets_outlive_the_process(world, name):
    await world.call("PARENT", name, "child", "a", "note", "kept")
    await world.restart()
    assert await world.call("PARENT", name, "child", "a", "notes") == ["kept"]


async def test_a_facet_that_aborts_itself_starts_again(world, name):
    seen, count = await world.call("PARENT", name, "let_child_die", "a")
    assert "on purpose" in seen
    assert count == 1
    assert await world.call("PARENT", name, "count") == 1, "its parent lives on"


async def test_a_facet_answers_http(world, name):
    assert await world.call("PARENT", name, "fetch_child", "a") == [200, "GET http://facet/path?x=1"]


async def test_two_first_calls_reach_one_facet(world, name):
    assert await world.call("PARENT", name, "race", "a") == [1, 2]


async def test_facets_nest_three_deep(world, name):
    *levels, refusal = await world.call("PARENT", name, "too_deep")
    assert levels == [1, 1, 1]
    assert "Facet nesting depth limit exceeded" in refusal


async def test_the_name_of_a_facet_is_short(world, name):
    assert "Facet name is too long (max 256 characters)" in await world.call("PARENT", name, "too_long")


async def test_eviction_of_the_parent_leaves_its_facet(world, name):
    await world.call("PARENT", name, "child", "a", "count")
    await world.call("PARENT", name, "count")
    await world.evict("PARENT", name)
    assert await world.call("PARENT", name, "child", "a", "count") == 2
    assert await world.call("PARENT", name, "count") == 1
