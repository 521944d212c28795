"""Tools that ask the client, its user or its model something before they answer."""

import json

from agents_runtime.mcp.server.asking import Ask
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.server.server import McpServer

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
COLOR = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
CONFIRM = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
USER = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
DEFAULTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}


def titled(prefix, ordinals, noun):
    return [{"const": f"{prefix}{n}", "title": f"{ordinal} {noun}"} for n, ordinal in enumerate(ordinals, 1)]


ORDINALS = ("First", "Second", "Third")
ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled("value", ORDINALS, "Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled("value", ORDINALS, "Choice")}},
    },
}


def add_questions(server: McpServer) -> None:
    add_pushed(server)
    add_rounds(server)


def add_pushed(server: McpServer) -> None:
    """Tools that clients with a session answer while the tool waits."""

    @server.tool
    async def test_sampling(prompt: str, context: McpContext) -> str:
        """Ask the client's model."""
        answer = await context.sample(prompt, max_tokens=100)
        return f"LLM response: {answer['content'].get('text')}"

    @server.tool
    async def test_missing_capability(context: McpContext) -> str:
        """Ask the client's model, which few clients allow."""
        await context.sample("Hello", max_tokens=10)
        return "The client can do it."

    @server.tool
    async def test_elicitation(message: str, context: McpContext) -> str:
        """Ask the user."""
        answer = await context.elicit(message, USER)
        return f"User response: action={answer.action}, content={json.dumps(answer.content)}"

    @server.tool
    async def test_streaming_elicitation(context: McpContext) -> str:
        """Report progress, and ask the user."""
        context.progress(1, 2)
        answer = await context.elicit("What is your name?", NAME)
        return f"User response: action={answer.action}"

    @server.tool
    async def test_elicitation_sep1034_defaults(context: McpContext) -> str:
        """Ask with defaults."""
        answer = await context.elicit("Please review and update the form fields with defaults", DEFAULTS)
        return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"

    @server.tool
    async def test_elicitation_sep1330_enums(context: McpContext) -> str:
        """Ask with choices."""
        answer = await context.elicit("Please select options from the enum fields", ENUMS)
        return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


def add_rounds(server: McpServer) -> None:
    """Tools whose questions are answers, after which they are called again."""

    @server.tool
    async def test_input_required_result_elicitation(context: McpContext) -> str:
        """Greet the user by name."""
        answer = await context.elicit("What is your name?", NAME, key="user_name")
        return f"Hello, {answer.content.get('name', 'stranger')}!"

    @server.tool
    async def test_input_required_result_sampling(context: McpContext) -> str:
        """Ask the client's model for a capital."""
        answer = await context.sample("What is the capital of France?", max_tokens=100, key="capital_question")
        return f"The model says: {answer['content'].get('text')}"

    @server.tool
    async def test_input_required_result_list_roots(context: McpContext) -> str:
        """List the client's folders."""
        roots = await context.list_roots(key="client_roots")
        return f"Roots: {', '.join(root['uri'] for root in roots)}"

    @server.tool
    async def test_input_required_result_request_state(context: McpContext) -> str:
        """Remember something over a question."""
        if context.remembered is None:
            context.remember({"asked": "confirm"})
        await context.elicit("Please confirm", CONFIRM, key="confirm")
        return "state-ok" if context.remembered == {"asked": "confirm"} else "state-lost"

    @server.tool
    async def test_input_required_result_tampered_state(context: McpContext) -> str:
        """Remember something that must not be changed."""
        context.remember({"asked": "confirm"})
        await context.elicit("Please confirm", CONFIRM, key="confirm")
        return "state-ok"

    @server.tool
    async def test_input_required_result_multiple_inputs(context: McpContext) -> str:
        """Ask three things at once."""
        context.remember({"round": 1})
        answers = await context.ask(
            {
                "user_name": Ask.form("What is your name?", NAME),
                "greeting": Ask.model("Generate a greeting", max_tokens=50),
                "client_roots": Ask.roots(),
            }
        )
        name, greeting = answers["user_name"].content.get("name"), answers["greeting"]["content"].get("text")
        return f"{greeting} {name}, with {len(answers['client_roots'])} roots"

    @server.tool
    async def test_input_required_result_multi_round(context: McpContext) -> str:
        """Ask one thing after the other."""
        context.remember({"round": 1})
        name = await context.elicit("Step 1: What is your name?", NAME, key="step1")
        context.remember({"round": 2})
        color = await context.elicit("Step 2: What is your favorite color?", COLOR, key="step2")
        return f"{name.content.get('name')} likes {color.content.get('color')}"

    @server.tool
    async def test_input_required_result_capabilities(context: McpContext) -> str:
        """Ask only what the client can answer."""
        questions = {
            "user_name": Ask.form("What is your name?", NAME),
            "greeting": Ask.model("Generate a greeting", max_tokens=50),
            "client_roots": Ask.roots(),
        }
        answers = await context.ask({key: question for key, question in questions.items() if context.can(question)})
        return f"Asked {', '.join(answers) or 'nothing'}"
