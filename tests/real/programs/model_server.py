"""A small OpenAI-style model server on uvicorn, for what llama.cpp's own server does not do: keep connections alive for
one second, and tell what arrived.

Usage: python model_server.py
"""

import asyncio
import json

from listening import serve

HEADERS = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}

    async def answer(status: int, content: object) -> None:
        await send({"type": "http.response.start", "status": status, "headers": HEADERS})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    if scope["path"] == "/v1/models":
        await answer(200, {"object": "list", "data": [{"id": "uvicorn", "object": "model", "max_model_len": 4096}]})
    elif scope["path"] == "/v1/chat/completions":
        request = json.loads(body)
        if "content-length" not in headers:
            await answer(411, {"error": {"message": "Content-Length header is required"}})
        elif request.get("stream"):
            stream = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": stream})
            for index in range(5):
                event = {"choices": [{"index": 0, "delta": {"content": f"{index} "}}]}
                data = f"data: {json.dumps(event)}\n\n".encode()
                await send({"type": "http.response.body", "body": data, "more_body": True})
                await asyncio.sleep(0.002)
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
        else:
            message = {"role": "assistant", "content": "ok"}
            await answer(200, {"arrived": {"bytes": len(body)}, "choices": [{"index": 0, "message": message}]})
    else:
        await answer(404, {"error": {"message": "there is no such path"}})


serve(app, timeout_keep_alive=1)
