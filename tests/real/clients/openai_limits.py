"""Calls a server with OpenAI's official SDK under keys with limits, and prints what it raised as one JSON object.

Usage: python openai_limits.py BASE_URL MODEL RATED_KEY BUDGET_KEY
"""

import json
import sys

import openai

base_url, model, rated_key, budget_key = sys.argv[1:]
question = [{"role": "user", "content": "What burns?"}]
requests = 0


class CountingClient(openai.DefaultHttpxClient):
    """Counts the requests that the SDK sends, retries included."""

    def send(self, *args, **kwargs):
        global requests
        requests += 1
        return super().send(*args, **kwargs)


def ask(key: str, retries: int) -> dict:
    global requests
    requests = 0
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=retries, http_client=CountingClient())
    try:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=question)
        return {"status": raw.status_code, "limit": raw.headers.get("x-ratelimit-limit-requests")}
    except openai.APIStatusError as error:
        headers = {name: value for name, value in error.response.headers.items() if name.startswith("x-ratelimit")}
        return {
            "error": type(error).__name__,
            "code": error.code,
            "retry_after": error.response.headers.get("retry-after"),
            "should_retry": error.response.headers.get("x-should-retry"),
            "headers": headers,
            "requests": requests,
        }


print(
    json.dumps(
        {
            "first": ask(rated_key, 0),
            "rated": ask(rated_key, 0),
            "within": ask(budget_key, 2),
            "spent": ask(budget_key, 2),
        }
    )
)
