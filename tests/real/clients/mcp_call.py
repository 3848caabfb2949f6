"""Calls one tool with the official Python SDK and prints its text and the names of the server's tools.

Usage: python mcp_call.py URL legacy|auto TOOL ARGUMENTS_AS_JSON
"""

import asyncio
import json
import sys

from mcp import Client

url, mode, tool, arguments = sys.argv[1:]


async def main() -> dict:
    async with Client(url, mode=mode, read_timeout_seconds=60) as client:
        tools = [each.name for each in (await client.list_tools()).tools]
        result = await client.call_tool(tool, json.loads(arguments))
        return {"tools": tools, "text": "".join(block.text for block in result.content)}


print(json.dumps(asyncio.run(main())))
