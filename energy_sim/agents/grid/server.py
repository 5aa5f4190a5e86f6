"""The grid agent over HTTP: registrations, reports, coordination, and what the page watches.

    app = make_grid_app(Cycles(grid, poller))
    run_grid(config, host="127.0.0.1", port=8000, clock="lock-step")

Bodies are read raw and parsed once by pydantic-core; every answer that is no success is {"error": one line}.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from importlib.metadata import version
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from energy_sim.agents.audit.log import Entry, read_tail
from energy_sim.agents.grid.cycles import Cycles
from energy_sim.agents.grid.known_agents import first_faults
from energy_sim.agents.grid.openapi import (
    About,
    Coordinate,
    Health,
    Switch,
    body,
    describe,
    errors,
    path_parameter,
    secured,
    shows,
)
from energy_sim.agents.grid.registry import same
from energy_sim.agents.grid.view import agents_view, compact, result_view, status_view
from energy_sim.agents.http_server import MOST_BODY, NO_WEB_PAGES, one_line
from energy_sim.agents.messages import Answer, RefusedError, Registered, Registration, Report

logger = logging.getLogger(__name__)

VERSION = version("kraftflyt")
_DONE = ("transfers", "orders", "anomalies")  # in each answer about a cycle
_HERE = re.compile(r"https?://(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?\Z", re.IGNORECASE)
Model = TypeVar("Model", bound=BaseModel)
ENDPOINTS = (
    "GET /",
    "GET /health",
    "GET /agents",
    "GET /status",
    "GET /view",
    "GET /audit",
    "POST /coordinate",
    "POST /planner",
    "POST /agents",
    "POST /agents/{agent_id}/status",
)


def make_grid_app(cycles: Cycles, key: str = "") -> FastAPI:
    """The application of one grid agent.

    Args:
        cycles: runs the grid agent's coordinations; started and stopped with the application.
        key: fleet key that POST /agents, /coordinate and /planner then need; empty: none.
    """

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        await cycles.start()
        try:
            yield
        finally:
            await cycles.stop()

    app = FastAPI(
        title="Grid agent",
        version=VERSION,
        description="Coordinates the homes and batteries of a few transformers.",
        lifespan=alive,
        docs_url=None,
        redoc_url=None,
    )
    _answer_errors(app)
    _add_reading(app, cycles)
    _add_steering(app, cycles, key)
    _add_agents(app, cycles, key)
    describe(app)
    return app


def _add_reading(app: FastAPI, cycles: Cycles) -> None:
    """What anybody may ask."""
    grid = cycles.grid

    @app.get("/")
    async def about() -> About:
        return About(agent="grid_agent", role="grid", version=VERSION, endpoints=ENDPOINTS)

    @app.get("/health")
    async def health() -> Health:
        return Health(status="ok", cycle=grid.cycle, agents=len(grid.seats), uptime_s=round(grid.uptime_s(), 3))

    @app.get("/agents", responses=shows("agents"))
    async def agents() -> Response:
        return _json(agents_view(grid, cycles.poller.breaker))

    @app.get("/status", responses=shows("cycle", "time_s", "clock", "planner", "transformers", *_DONE))
    async def status() -> Response:
        return _json(status_view(grid))

    @app.get("/view", responses=shows("cycle", "time_s", "transformers", "agents", "events") | errors(422))
    async def view(since: Annotated[int, Query(ge=0, lt=2**53)] = 0) -> Response:
        return _json(compact(grid, since, cycles.poller.breaker))

    @app.get("/audit", responses=shows("entries") | errors(422))
    async def audit(
        since: Annotated[int, Query(ge=0, lt=2**53)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> Response:
        entries = await asyncio.to_thread(read_tail, grid.audit.path, limit, after=since)
        return _json({"entries": [_entry(e) for e in entries]})


def _add_steering(app: FastAPI, cycles: Cycles, key: str) -> None:
    """What starts a cycle and chooses its planner."""
    grid = cycles.grid
    keyed = secured() if key else {}
    refusals = (401,) if key else (403,)

    @app.post(
        "/coordinate",
        responses=shows("cycle", "planner", "transformers", "failed", *_DONE) | errors(*refusals, 413, 422),
        openapi_extra=body(Coordinate, required=False) | keyed,
    )
    async def coordinate(request: Request) -> Response:
        _check_key(request, key)
        raw = await _body(request)
        asked = _parse(Coordinate, raw) if raw.strip() else Coordinate()
        return _json(result_view(await cycles.run(asked.scenario, asks=asked.ask), grid.clock_kind))

    @app.post(
        "/planner",
        responses=shows("llm", "llm_ready") | errors(*refusals, 413, 422),
        openapi_extra=body(Switch) | keyed,
    )
    async def planner(request: Request) -> Response:
        _check_key(request, key)
        asked = _parse(Switch, await _body(request))
        grid.switch_language_model(on=asked.llm)
        return _json({"llm": grid.llm_on, "llm_ready": grid.llm_ready})


def _add_agents(app: FastAPI, cycles: Cycles, key: str) -> None:
    """What agents send."""
    grid, seats = cycles.grid, cycles.grid.seats
    keyed = secured() if key else {}
    refusals = (401,) if key else (403,)

    @app.post("/agents", responses=errors(*refusals, 413, 422), openapi_extra=body(Registration) | keyed)
    async def register(request: Request) -> Registered:
        _check_key(request, key)
        asked = _parse(Registration, await _body(request))
        if not key and asked.url and not _HERE.match(asked.url):
            raise RefusedError("url: is not on this machine; without KRAFTFLYT_AGENTS_KEY nobody else is asked", 422)
        registered = grid.register(asked)
        await cycles.store_lease(asked.id)
        cycles.poller.forget(asked.id)
        return registered

    @app.post(
        "/agents/{agent_id}/status",
        response_model=Answer,
        responses=errors(401, 404, 409, 413, 422),
        openapi_extra=body(Report, bearer=True) | path_parameter("agent_id", "who reports"),
    )
    async def report(request: Request) -> Response:
        agent_id = request.path_params["agent_id"]
        if not seats.is_authorised(agent_id, request.headers.get("authorization", "")):
            raise RefusedError(f"the token is not that of {agent_id}; register with POST /agents", 401)
        grid.take(agent_id, await _body(request))
        return Response(seats.answer(seats.seat(agent_id), grid.cycle), media_type="application/json")


def _check_key(request: Request, key: str) -> None:
    if not key and "origin" in request.headers:  # a page somewhere has its reader's browser ask
        raise RefusedError(NO_WEB_PAGES, 403)
    if key and not same(request.headers.get("authorization", ""), f"Bearer {key}"):
        raise RefusedError("the fleet key is missing or wrong; send it as Authorization: Bearer", 401)


def _json(content: dict[str, Any]) -> Response:
    return Response(json.dumps(content, separators=(",", ":")), media_type="application/json")


def _entry(entry: Entry) -> dict[str, Any]:
    return {f.name: getattr(entry, f.name) for f in fields(entry)}


async def _body(request: Request) -> bytes:
    """The body, read no further than may be.

    Raises:
        RefusedError: 413.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > MOST_BODY:
        raise _too_large()
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_BODY:
            raise _too_large()
    return bytes(found)


def _too_large() -> RefusedError:
    return RefusedError(f"the body is larger than {MOST_BODY} bytes; send less", 413)


def _parse(model: type[Model], raw: bytes) -> Model:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise RefusedError(first_faults(error), 422) from error


def _answer_errors(app: FastAPI) -> None:
    """Every error as {"error": one line}."""

    async def refused(_: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, RefusedError) else 500
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"error": one_line(str(error))}, status, headers)

    async def http(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        return JSONResponse({"error": one_line(str(error.detail))}, error.status_code, headers=error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in found[:3]]
        return JSONResponse({"error": one_line("; ".join(lines))}, 422)

    async def broken(_: Request, error: Exception) -> Response:
        logger.error("request failed", exc_info=error)
        return JSONResponse({"error": f"{type(error).__name__}: see the log of the grid agent"}, 500)

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)
