"""Signs in by OAuth with FastMCP's client, which opens a browser by itself, and calls the tool "add".

Usage: BROWSER="command that signs in" python fastmcp_sign_in.py URL
"""

import asyncio
import json
import sys

from fastmcp import Client

(url,) = sys.argv[1:]


async def main() -> dict:
    async with Client(url, auth="oauth") as client:
        tools = [each.name for each in await client.list_tools()]
        result = await client.call_tool("add", {"a": 40, "b": 2})
        return {"tools": tools, "sum": result.content[0].text}


print(json.dumps(asyncio.run(main())))
