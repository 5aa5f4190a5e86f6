"""HTTP of home and battery agents: what they tell, one simulated cycle, and orders.

    app = make_app(agents, host=False, key="")

One agent answers at /status, /simulate and /curtail; a host of many at /{agent_id}/status and so on. Every answer that
is no success is {"error": "..."}, one line.
"""

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from energy_sim.agents.home.local_agents import LocalAgents
from energy_sim.agents.http_server import MOST_BODY, NO_WEB_PAGES, ErrorBody, one_line
from energy_sim.agents.messages import MAX_RESOURCES, Ack, Event, RefusedError, Report, Role, SimulateRequest
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

MOST_NAMED = 1000


class Info(BaseModel):
    """Who answers here."""

    agent: str
    role: Role
    version: str
    endpoints: list[str]
    agents: list[str]


class Health(BaseModel):
    """A sign of life."""

    status: str
    agents: int
    uptime_s: float


_SAYS = {
    400: "not JSON",
    401: "no key, or not the right one",
    403: "a web page asks, and there is no key that would show that it may",
    404: "no such agent or resource",
    409: "the cycle was asked before",
    413: "more than 64 kB",
    422: "a value that cannot be",
}
_BEARER = HTTPBearer(auto_error=False, description="the fleet's key, or the agent's own token")

Many = Annotated[list[Event], Field(min_length=1, max_length=MAX_RESOURCES)]


def make_app(
    agents: LocalAgents,
    *,
    host: bool = False,
    key: str = "",
    tokens: Mapping[str, str] | None = None,
    name: str = "",
    lifespan: Callable[[FastAPI], Any] | None = None,
) -> FastAPI:
    """The application of one agent, or of a host of many.

    Args:
        agents: who lives here; with `host` False only the first answers.
        host: whether paths begin with the agent's id.
        key: of the fleet; empty: whoever reaches this address may ask.
        tokens: token of each agent, as the grid agent gave it; it opens its own agent.
        name: of a host.
        lifespan: what runs along.
    """
    app = FastAPI(title="Home and battery agents", version=version("kraftflyt"), lifespan=lifespan, docs_url=None)
    app.add_middleware(_BodyLimit, for_pages=bool(key))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DataError, _refused)
    began_s = time.monotonic()
    known = tokens if tokens is not None else dict[str, str]()
    under = "/{agent_id}" if host else ""

    place: Callable[..., Any] = _named(agents) if host else _only
    Place = Annotated[int, Depends(place)]

    async def allowed(at: Place, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> int:
        own = known.get(agents.homes.ids[at], "")
        if not _opens(given.credentials if given else "", key, own):
            raise RefusedError("authorization: not the fleet's key; send Authorization: Bearer <key>", 401)
        return at

    Allowed = Annotated[int, Depends(allowed if key else place)]
    refusals = (401,) if key else (403,)

    @app.get("/", summary="Who answers here")
    async def root() -> Info:
        endpoints = ["GET /", "GET /health", f"GET {under}/status", f"POST {under}/simulate", f"POST {under}/curtail"]
        who = name or agents.homes.ids[0]
        first = list(agents.homes.ids[:MOST_NAMED])
        return Info(agent=who, role=agents.homes.roles[0], version=app.version, endpoints=endpoints, agents=first)

    @app.get("/health", summary="A sign of life")
    async def health() -> Health:
        return Health(status="ok", agents=len(agents), uptime_s=round(time.monotonic() - began_s, 3))

    @app.get(f"{under}/status", response_model=Report, responses=_says(host, 404), summary="How the agent stands")
    async def status(at: Place) -> Response:
        return _json(agents.status(at))

    @app.post(
        f"{under}/simulate",
        response_model=Report,
        responses=_says(host, 400, *refusals, 409, 413, 422),
        summary="One cycle",
    )
    async def simulate(at: Allowed, body: SimulateRequest | None = None) -> Response:
        return _json(agents.simulate(at, body or SimulateRequest()))

    @app.post(
        f"{under}/curtail",
        response_model=Ack | list[Ack],
        responses=_says(True, 400, *refusals, 413, 422),
        summary="An order, or several",
    )
    async def curtail(at: Allowed, body: Annotated[Event | Many, Body()]) -> Ack | list[Ack]:
        if isinstance(body, list):
            agents.check(at, body)
            return [agents.curtail(at, event) for event in body]
        return agents.curtail(at, body)

    return app


def _named(agents: LocalAgents) -> Callable[[str], Awaitable[int]]:
    """How a host finds the agent that the path names; async, since a plain function would cost a thread a call."""

    async def place(agent_id: Annotated[str, Path(description="who lives here, see GET /")]) -> int:
        return agents.where(agent_id)

    return place


async def _only() -> int:
    """The only agent there is."""
    return 0


def _opens(offered: str, *keys: str) -> bool:
    """Whether one of the keys is offered; all are compared, in constant time."""
    right = [hmac.compare_digest(offered.encode(), key.encode()) for key in keys if key]
    return any(right)


def _says(unknown: bool, *codes: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of errors; 404 where something can be unknown."""
    named = sorted({*codes, 404} if unknown else {*codes} - {404})
    return {code: {"model": ErrorBody, "description": _SAYS[code]} for code in named}


def _json(report: Report) -> Response:
    return Response(report.model_dump_json(), media_type="application/json")


def _error(status: int, line: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": one_line(line)}, status, headers=dict(headers or {}))


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return _error(error.status_code, str(error.detail), error.headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    """The first thing wrong, without what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()[0]
    where = ".".join(str(part)[:40] for part in found["loc"][:6])
    if found["type"] == "json_invalid":
        return _error(400, f"{where}: the body is no JSON; send an object")
    return _error(422, f"{where}: {found['msg']}")


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 422
    return _error(status, str(error), {"WWW-Authenticate": "Bearer"} if status == 401 else None)


class _BodyLimit:
    """Reads a body before anybody else does and refuses what is more than 64 kB, whatever its length was said to be."""

    def __init__(self, app: ASGIApp, for_pages: bool) -> None:
        """Without a key (`for_pages` False) nothing is done that a web page has its reader's browser ask for."""
        self._app, self._for_pages = app, for_pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        if not self._for_pages and any(name == b"origin" for name, _ in scope["headers"]):
            refusal = _error(403, NO_WEB_PAGES)
            await refusal(scope, receive, send)
            return
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST_BODY:
                refusal = _error(413, f"body: more than {MOST_BODY} bytes; send less")
                await refusal(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        await self._app(scope, _replay(b"".join(parts), receive), send)


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    sent = False

    async def once() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
