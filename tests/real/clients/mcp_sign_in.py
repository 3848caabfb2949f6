"""Signs in by OAuth with the official Python SDK, calls the tool "add", and calls it again with a refreshed token.

Usage: BROWSER="command that prints the callback's URL" python mcp_sign_in.py URL legacy|auto
"""

import asyncio
import json
import os
import shlex
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

url, mode = sys.argv[1:]


class Memory:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    asked: list[str] = []
    callback = ""

    async def open(self, authorization_url: str) -> None:
        self.asked.append(authorization_url)
        child = await asyncio.create_subprocess_exec(
            *shlex.split(os.environ["BROWSER"]), authorization_url, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        self.callback = out.decode().strip()

    async def came_back(self) -> AuthorizationCodeResult:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.callback).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))


async def call(auth: OAuthClientProvider) -> dict:
    async with httpx2.AsyncClient(auth=auth, follow_redirects=True, timeout=60) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, read_timeout_seconds=60) as client:
            tools = [each.name for each in (await client.list_tools()).tools]
            result = await client.call_tool("add", {"a": 40, "b": 2})
            return {"tools": tools, "sum": "".join(block.text for block in result.content)}


async def main() -> dict:
    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(
        client_name="Python SDK",
        redirect_uris=["http://127.0.0.1:33418/callback"],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )

    def provider() -> OAuthClientProvider:
        return OAuthClientProvider(url, metadata, memory, browser.open, browser.came_back)

    first = await call(provider())
    access, refresh = memory.tokens.access_token, memory.tokens.refresh_token
    auth = provider()
    await auth._initialize()
    auth.context.token_expiry_time = 1
    again = await call(auth)
    return {
        **first,
        "again": again["sum"],
        "sign_ins": len(browser.asked),
        "refreshed": refresh is not None and memory.tokens.access_token != access,
    }


print(json.dumps(asyncio.run(main())))
