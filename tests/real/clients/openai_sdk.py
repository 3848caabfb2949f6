"""Calls a server with OpenAI's official SDK in the ways that people do, and prints what came back as one JSON object.

Usage: python openai_sdk.py BASE_URL KEY MODEL
"""

import json
import sys

from openai import OpenAI

base_url, key, model = sys.argv[1:]
# Retries would hide an error of the first try.
client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
question = [{"role": "user", "content": "What burns?"}]
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Returns the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
seen = {}

seen["models"] = [each.id for each in client.models.list()]
seen["model"] = client.models.retrieve(model).id

answer = client.chat.completions.create(model=model, messages=question)
seen["chat"] = answer.choices[0].message.content
seen["chat_usage"] = [answer.usage.prompt_tokens > 0, answer.usage.completion_tokens]

chunks = list(
    client.chat.completions.create(model=model, messages=question, stream=True, stream_options={"include_usage": True})
)
seen["stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
seen["stream_pieces"] = len(chunks)
seen["stream_usage"] = chunks[-1].usage.completion_tokens

tool = client.chat.completions.create(model=model, messages=question, tools=[weather])
call = tool.choices[0].message.tool_calls[0]
seen["tool"] = [call.function.name, json.loads(call.function.arguments)]
after = client.chat.completions.create(
    model=model,
    tools=[weather],
    messages=[
        *question,
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ],
)
seen["after_tool"] = after.choices[0].message.content

pieces = {"name": "", "arguments": ""}
for chunk in client.chat.completions.create(model=model, messages=question, tools=[weather], stream=True):
    for delta in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
        pieces["name"] += delta.function.name or ""
        pieces["arguments"] += delta.function.arguments or ""
seen["tool_stream"] = [pieces["name"], json.loads(pieces["arguments"])]

response = client.responses.create(model=model, input="What burns?")
seen["responses"] = response.output_text
text = ""
for event in client.responses.create(model=model, input="What burns?", stream=True):
    if event.type == "response.output_text.delta":
        text += event.delta
seen["responses_stream"] = text

completion = client.completions.create(model=model, prompt="<|loop|>", max_tokens=3)
seen["completion"] = completion.choices[0].text
print(json.dumps(seen))
