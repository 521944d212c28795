"""Prompts of every kind."""

from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.tools.content import Image, Resource

CONTEXT = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
WORDS = ("paris", "park", "party", "test", "testing")


def add_prompts(server: McpServer, png: bytes) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """A prompt without arguments."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """A prompt with arguments.

        Args:
            arg1: First test argument
            arg2: Second test argument
        """
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.completion("test_prompt_with_arguments", "arg1")
    def complete_arg1(typed: str) -> list[str]:
        return [word for word in WORDS if word.startswith(typed)]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list:
        """A prompt with a resource.

        Args:
            resourceUri: URI of the resource to embed
        """
        resource = Resource(resourceUri, "Embedded resource content for testing.", "text/plain")
        return [resource, "Please process the embedded resource above."]

    @server.prompt()
    def test_prompt_with_image() -> list:
        """A prompt with a picture."""
        return [Image(png), "Please analyze the image above."]

    @server.prompt()
    async def test_input_required_result_prompt(context: McpContext) -> str:
        """A prompt that asks before it is made."""
        answer = await context.elicit("What context should the prompt use?", CONTEXT, key="user_context")
        return f"Use this context: {answer.content.get('context')}"
