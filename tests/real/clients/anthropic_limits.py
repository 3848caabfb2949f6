"""Calls a server with Anthropic's official SDK under keys that it refuses, and prints what it raised as one JSON object.

Usage: python anthropic_limits.py BASE_URL MODEL SPENT_KEY RATED_KEY REVOKED_KEY
"""

import json
import sys

import anthropic

base_url, model, *keys = sys.argv[1:]
question = [{"role": "user", "content": "What burns?"}]
requests = 0


class CountingClient(anthropic.DefaultHttpxClient):
    """Counts the requests that the SDK sends, retries included."""

    def send(self, *args, **kwargs):
        global requests
        requests += 1
        return super().send(*args, **kwargs)


def ask(key: str, retries: int) -> dict:
    global requests
    requests = 0
    client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=retries, http_client=CountingClient())
    try:
        client.messages.create(model=model, max_tokens=50, messages=question)
        return {"status": 200}
    except anthropic.APIStatusError as error:
        headers = error.response.headers
        return {
            "error": type(error).__name__,
            "type": error.body["error"]["type"],
            "code": error.body["error"]["code"],
            "has_request_id": error.request_id == headers["x-request-id"],
            "retry_after": headers.get("retry-after"),
            "remaining_tokens": headers.get("x-ratelimit-remaining-tokens"),
            "remaining_requests": headers.get("x-ratelimit-remaining-requests"),
            "requests": requests,
        }


spent, rated, revoked = keys
print(json.dumps({"spent": ask(spent, 2), "first": ask(rated, 0), "rated": ask(rated, 0), "revoked": ask(revoked, 2)}))
