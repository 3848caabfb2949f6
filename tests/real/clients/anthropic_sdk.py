"""Calls a server with Anthropic's official SDK and prints what came back as one JSON object.

Usage: python anthropic_sdk.py BASE_URL KEY MODEL
"""

import json
import sys

import anthropic

base_url, key, model = sys.argv[1:]
client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0)
question = [{"role": "user", "content": "What burns?"}]
seen = {}

message = client.messages.create(model=model, max_tokens=50, messages=question)
seen["message"] = message.content[0].text
seen["output_tokens"] = message.usage.output_tokens

with client.messages.stream(model=model, max_tokens=50, messages=question) as stream:
    seen["stream"] = "".join(stream.text_stream)
    seen["stop_reason"] = stream.get_final_message().stop_reason

seen["counted"] = client.messages.count_tokens(model=model, messages=question).input_tokens > 0

tools = [{
    "name": "get_weather",
    "description": "Returns the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}]
called = client.messages.create(model=model, max_tokens=50, messages=question, tools=tools)
use = next(block for block in called.content if block.type == "tool_use")
seen["tool"] = [use.name, use.input]

try:
    client.messages.create(model="nobody-serves-this", max_tokens=50, messages=question)
except anthropic.NotFoundError as error:
    seen["unknown"] = error.body
    seen["unknown_request_id"] = bool(error.request_id)
print(json.dumps(seen))
