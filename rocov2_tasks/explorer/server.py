"""The server of the page: it answers what the page asks, and lets the browser load nothing from other hosts."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.packages import need
from rocov2_tasks.explorer.page import make_page
from rocov2_tasks.explorer.style import SCRIPT, STYLE, THEME

_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:"


_LONGEST_QUERY = 60_000
"""Bytes of a query that the server's libraries still take."""


_ROUTES = {
    "GET": r"config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|pwa_icon(/.*)?|app_id/?|info/?|startup-events|"
    r"heartbeat/[^/]+|queue/(data|status)|(assets|static|svelte)/.+|",
    "POST": r"queue/join|cancel|reset/?",
}
_ASKED = {method: re.compile(f"(/gradio_api)?/({paths})") for method, paths in _ROUTES.items()}
_ASKED["HEAD"] = _ASKED["GET"]
"""By method: the paths that the page asks for. Gradio has many more, among them some that store uploads or read files."""

_LONGEST_BODY = 1_000_000
"""Bytes of a request; those of the page are much smaller."""


def clean_query(query: bytes) -> bytes:
    """Return the query of an address without what makes Gradio fail: `page`, which names another page of its own."""
    if len(query) > _LONGEST_QUERY:
        return b""
    parts = query.split(b"&")
    return b"&".join(part for part in parts if unquote_to_bytes(part.partition(b"=")[0]) != b"page")


class _OnlyFromHere:
    """Forbids the browser to load anything from other hosts, whatever a version of Gradio requests."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] in ("/", "/config"):  # the page reads its address by itself
            scope = {**scope, "query_string": clean_query(scope["query_string"])}

        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, send_with_policy if scope["type"] == "http" else send)


class _OnlyThePage:
    """Answers 404 to all requests but those of the page, and 413 to long ones: nothing can be uploaded."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = _ASKED.get(scope["method"])
        if asked is None or not asked.fullmatch(scope["path"]):
            await _refuse(send, 404)
            return
        messages = []
        length = 0
        while scope["method"] == "POST":
            message = await receive()
            messages.append(message)
            length += len(message.get("body", b""))
            if length > _LONGEST_BODY:
                await _refuse(send, 413)
                return
            if not message.get("more_body"):
                break

        async def receive_again() -> Any:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, receive_again, send)


async def _refuse(send: Any, status: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"This page takes no such request.\n"})


def launch(collection: Collection, host: str | None = None, port: int | None = None) -> Any:
    """Serve the page in threads at `host` and `port` (default: from the environment); return the `gradio.Blocks`."""
    gr = need("gradio")
    middleware = need("starlette.middleware").Middleware
    page = make_page(collection)
    # In a Space Gradio adds a header for which the browser contacts huggingface.co and a host of fonts.
    page.space_id = None
    page.launch(
        server_name=f"[{host}]" if host and ":" in host else host,
        server_port=port,
        quiet=True,
        prevent_thread_lock=True,
        share=False,
        ssr_mode=False,
        footer_links=[],
        theme=gr.themes.Default(font=THEME["font"], font_mono=THEME["font_mono"]).set(**THEME["colors"]),
        css=STYLE,
        head=f"<script>{SCRIPT}</script>",
        app_kwargs={"middleware": [middleware(_OnlyFromHere), middleware(_OnlyThePage)]},
    )
    return page
