"""Everything that is not hot: models, health, metrics, the decision without the call, the description, the page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from tiercel.app.http.asgi import App, body_of
from tiercel.app.http.entry import READERS, ask_of
from tiercel.app.http.heads import pairs_of
from tiercel.app.http.manners import Manners
from tiercel.app.http.page import HEADERS, PageFile, load_page
from tiercel.app.http.parts import ModelCard, Parts
from tiercel.app.http.plain import PlainRoute
from tiercel.app.http.replies import Internal, error_reply
from tiercel.terms.errors import TiercelError, Unknown, WrongMethod
from tiercel.terms.json import NOT_JSON

__all__ = ["api_routes", "build_app"]

_encode = msgspec.json.Encoder().encode
# Part of the program like its code, and read with it: an event loop that runs must not wait for a disk.
_DESCRIPTION = files("tiercel.app.http").joinpath("openapi.json").read_bytes()
_PAGE = load_page()
_NOT_FOUND, _WRONG_METHOD = 404, 405


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model as OpenAI lists it."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "tiercel"


def _id_of(request: Request) -> str:
    return cast("str", request.state.request_id)


def _json(data: object, status: int = 200) -> Response:
    return Response(_encode(data), status, media_type="application/json")


def _error(request: Request, error: TiercelError, *, allow: str = "") -> Response:
    reply = error_reply(error, _id_of(request), extra=f"allow: {allow}\r\n".encode() if allow else b"")
    headers = {name.decode(): value.decode() for name, value in pairs_of(reply.block)}
    return Response(reply.body, reply.status, headers, media_type="application/json")


class _Routes:
    """The endpoints, over the parts that the house hands in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        # A scrape takes milliseconds, and one at a time is enough for anybody.
        self._scrapes = ThreadPoolExecutor(1, thread_name_prefix="tiercel-metrics")

    async def models(self, _request: Request) -> Response:
        cards = [_listed(card) for card in self._parts.models()]
        return _json({"object": "list", "data": cards})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        for card in self._parts.models():
            if card.id == name:
                return _json(_listed(card))
        raise Unknown("no model has this name; GET /v1/models lists them", param="model", code="model_not_found")

    async def engines(self, _request: Request) -> Response:
        return _json({"object": "list", "data": self._parts.engines()})

    async def explain(self, request: Request) -> Response:
        limits = self._parts.limits
        body = await body_of(request.receive, limits)
        if body is None:
            return Response(status_code=_NOT_FOUND)
        head = dict(request.scope["headers"])
        read = READERS["/v1/embeddings" if _is_embedding(body) else "/v1/chat/completions"]
        ask = ask_of(read, head, body, _id_of(request), limits, None)
        return _json(self._parts.flow.explain(ask))

    async def alive(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        reason = self._parts.ready()
        return _json({"status": "ready"}) if not reason else _json({"status": "not ready", "reason": reason}, 503)

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        loop = asyncio.get_running_loop()
        shown = await loop.run_in_executor(self._scrapes, self._parts.metrics, accept)
        return Response(shown.body, headers={"content-type": shown.content_type, "x-content-type-options": "nosniff"})

    async def description(self, _request: Request) -> Response:
        return Response(_DESCRIPTION, media_type="application/json")


def _listed(card: ModelCard) -> _Model:
    return _Model(id=card.id, owned_by=card.owned_by)


def _is_embedding(body: bytes) -> bool:
    """Tell which of the two kinds of request this is; what is neither is read, and refused, as a chat."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except NOT_JSON:
        return False
    return "input" in fields and "messages" not in fields


def api_routes(parts: Parts) -> list[Route]:
    """Return every route of the API, as the description lists them."""
    routes = _Routes(parts)
    return [
        *[Route(path, PlainRoute(parts, read), methods=["POST"]) for path, read in READERS.items()],
        Route("/v1/models", routes.models),
        Route("/v1/models/{name:path}", routes.model),
        Route("/v1/engines", routes.engines),
        Route("/v1/route/explain", routes.explain, methods=["POST"]),
        Route("/healthz", routes.alive),
        Route("/readyz", routes.ready),
        Route("/metrics", routes.metrics),
        Route("/openapi.json", routes.description),
    ]


def _page_route(path: str, file: PageFile) -> Route:
    async def show(request: Request) -> Response:
        headers = {**HEADERS, "etag": file.etag}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers={**headers, "content-type": file.media})

    return Route(path, show)


def build_app(parts: Parts) -> App:
    """Return the application: for every route under our door, and for all of them on another ASGI server."""
    routes: list[BaseRoute] = [*api_routes(parts), *[_page_route(path, file) for path, file in _PAGE.items()]]

    async def http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else _NOT_FOUND
        if status == _WRONG_METHOD:
            allow = ", ".join(_allowed(routes, request))
            return _error(request, WrongMethod(f"this route takes {allow}"), allow=allow)
        return _error(request, Unknown("there is no such route; GET /openapi.json lists them"))

    async def refused(request: Request, error: Exception) -> Response:
        return _error(request, error if isinstance(error, TiercelError) else Internal())

    # A bug is logged by the server: Starlette raises it again once its reply is sent.
    handlers = {HTTPException: http_error, TiercelError: refused, Exception: refused}
    app = Starlette(routes=routes, exception_handlers=handlers)
    # A slash too many is another path: to redirect would repeat a name that the client sent.
    app.router.redirect_slashes = False
    return Manners(cast("App", app), parts, lambda scope: _allowed(routes, Request(scope)))


def _allowed(routes: Iterable[BaseRoute], request: Request) -> list[str]:
    """Return the methods that a path takes; none when there is no such path."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= {*(route.methods or ()), "OPTIONS"}
    return sorted(methods)
