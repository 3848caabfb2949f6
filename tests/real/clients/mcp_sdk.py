"""Calls an MCP server with the official Python SDK and prints what came back as one JSON object.

Usage: python mcp_sdk.py URL legacy|auto
"""

import asyncio
import json
import sys

from mcp import Client

url, mode = sys.argv[1:]


def text(result) -> str:
    return "".join(block.text for block in result.content)


async def main() -> dict:
    seen = {}
    async with Client(url, mode=mode, read_timeout_seconds=60) as client:
        seen["era"] = client.protocol_version
        seen["server"] = client.server_info.name
        seen["tools"] = sorted(tool.name for tool in (await client.list_tools()).tools)
        seen["sum"] = text(await client.call_tool("add", {"a": 2, "b": 40}))
        seen["many"] = [text(each) for each in await asyncio.gather(
            *(client.call_tool("add", {"a": index, "b": 1}) for index in range(20))
        )]
        progress = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            progress.append([done, total, message])

        seen["steps"] = text(await client.call_tool("steps", {"count": 3}, progress_callback=on_progress))
        seen["progress"] = progress
        seen["failed"] = (await client.call_tool("fail", {})).is_error
        seen["large_answer"] = len(text(await client.call_tool("repeat", {"text": "x" * 1000, "times": 400})))
        seen["large_question"] = text(await client.call_tool("length", {"text": "y" * 300_000}))
        seen["resource"] = (await client.read_resource("harbour://light")).contents[0].text
        seen["prompt"] = (await client.get_prompt("greet", {"name": "Ann"})).messages[0].content.text
    # A second client works after the first has left.
    async with Client(url, mode=mode, read_timeout_seconds=60) as client:
        seen["again"] = text(await client.call_tool("add", {"a": 1, "b": 1}))
    return seen


print(json.dumps(asyncio.run(main())))
