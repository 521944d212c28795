"""An MCP server for cooks: recipes for everybody, and a shopping list for each session."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from agents_runtime import McpAgent, McpContext, McpServer, create_mcp_handler, register_mcp_tools, tool
from workers import Response, WorkerEntrypoint

RECIPES: dict[str, dict[str, float]] = {  # for one
    "pancakes": {"flour (g)": 100, "milk (ml)": 200, "eggs": 1},
    "dal": {"lentils (g)": 120, "tomatoes": 2, "onions": 0.5},
    "omelette": {"eggs": 3, "butter (g)": 10},
    "moussaka": {"aubergines": 1, "minced lamb (g)": 150, "tomatoes": 2},
}
SUITS = {"any": set(RECIPES), "vegetarian": {"pancakes", "dal", "omelette"}, "vegan": {"dal"}}

recipes = McpServer("recipes", "1.0.0", instructions="Find a recipe before you write a shopping list for it.")


@recipes.tool(annotations={"readOnlyHint": True})
async def find_recipes(
    ingredient: Annotated[str, "such as eggs; empty for all recipes"] = "",
    diet: Literal["any", "vegetarian", "vegan"] = "any",
) -> list[str]:
    """Find recipes by what goes into them."""
    wanted = ingredient.lower()
    return [name for name, needs in RECIPES.items() if name in SUITS[diet] and any(wanted in need for need in needs)]


@recipes.tool(annotations={"readOnlyHint": True})
async def scale(recipe: str, people: int = 2) -> dict[str, float]:
    """Tell how much of everything a recipe needs for so many people."""
    if recipe not in RECIPES or not 0 < people <= 100:
        raise ValueError(f"there are recipes of {', '.join(RECIPES)}, for 1 to 100 people")
    return {name: amount * people for name, amount in RECIPES[recipe].items()}


@recipes.resource("recipe://{name}", mime_type="text/markdown")
def recipe(name: str) -> str:
    """What goes into a dish, for one."""
    return "\n".join([f"# {name}", *(f"- {need}: {amount}" for need, amount in RECIPES[name].items())])


@recipes.prompt()
def use_up(leftovers: str) -> str:
    """Find something to cook from what is left."""
    return f"I have {leftovers} left. Find recipes for it, and tell me what else I need for two."


@recipes.completion("recipe://{name}", "name")
def names(typed: str) -> list[str]:
    return [name for name in RECIPES if name.startswith(typed)]


class Kitchen(McpAgent):
    """A session: the recipes, and a shopping list that outlives the connection, the memory and the server."""

    initial_state = {"list": {}}

    async def init(self):
        self.server = recipes.view()
        register_mcp_tools(self.server, self)

    @tool
    async def shop_for(self, recipe: str, people: int, context: McpContext) -> dict[str, float]:
        """Put what a recipe needs on the shopping list."""
        needs = await scale(recipe, people)
        for number, (name, amount) in enumerate(needs.items(), 1):
            await asyncio.sleep(0.3)  # so that there is some progress to see
            self.set_state({"list": {**self.state["list"], name: self.state["list"].get(name, 0) + amount}})
            context.progress(number, len(needs), name)
        return self.state["list"]

    @tool(annotations={"readOnlyHint": True})
    async def shopping_list(self) -> dict[str, float]:
        """Read the shopping list."""
        return self.state["list"]

    @tool(annotations={"destructiveHint": True})
    async def clear_list(self, context: McpContext) -> str:
        """Throw the shopping list away, after asking."""
        answer = await context.elicit(f"Throw away {len(self.state['list'])} lines?", {"sure": "boolean"})
        if not (answer.accepted and answer.content["sure"]):
            return "The list stays."
        self.set_state({"list": {}})
        return "The list is empty."


stateless = create_mcp_handler(recipes)
sessions = Kitchen.serve("/session", transport="auto")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/mcp"):
            return await stateless(request, self.env, self.ctx)
        return await sessions.fetch(request, self.env, self.ctx) or Response("Not found", status=404)
