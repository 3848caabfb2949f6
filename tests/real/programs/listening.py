"""Serves an ASGI application with uvicorn on a free port of the loopback, and says where."""

import socket

import uvicorn


def serve(app, **options) -> None:
    """Prints "listening URL" once connections are accepted, and returns after SIGTERM."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(f"listening http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", **options)).run(sockets=[listener])
