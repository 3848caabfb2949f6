"""An MCP server made with FastMCP.

Usage: python mcp_server.py stdio|http|stateless
"""

import asyncio
import sys

from fastmcp import Context, FastMCP

server = FastMCP("harbour")


@server.tool
def add(a: int, b: int) -> int:
    return a + b


@server.tool
def repeat(text: str, times: int) -> str:
    return text * times


@server.tool
def length(text: str) -> int:
    return len(text)


@server.tool
async def steps(count: int, context: Context) -> str:
    for step in range(count):
        await context.report_progress(step + 1, count, f"step {step + 1}")
        await asyncio.sleep(0.02)
    return "done"


@server.tool
def fail() -> str:
    raise ValueError("this tool always fails")


@server.resource("harbour://light")
def light() -> str:
    return "burning"


@server.prompt
def greet(name: str) -> str:
    return f"Greet {name}."


if sys.argv[1] == "stdio":
    server.run(show_banner=False)
else:
    # The module is only there for the servers that use HTTP.
    from listening import serve

    serve(server.http_app(stateless_http=sys.argv[1] == "stateless"))
