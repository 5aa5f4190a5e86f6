"""What the grid agent's OpenAPI says of bodies and errors: handlers read raw bodies, so the schemas are put in here."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from energy_sim.agents.http_server import ErrorBody
from energy_sim.agents.messages import Answer, Message, Registered, Registration, Report, Scenario

_REF = "#/components/schemas/{model}"
_WHY = {
    401: "the token or the key is missing or wrong",
    403: "a web page asks, and there is no key that would show that it may",
    404: "nobody of that name is registered, or there is no such page",
    409: "the sequence is stale; the message says the last one known",
    413: "the body is larger than 64 kB",
    422: "the body or a parameter cannot be used; the message says why",
}


class Coordinate(Message):
    """What a cycle may be asked for: one of the four test scenarios at every home that is polled.

    Without ``ask`` nobody is polled where the clock is real: the cycle takes what was reported.
    """

    scenario: Scenario | None = None
    ask: Annotated[bool, Field(strict=True)] = True


class Switch(Message):
    """Whether the language model may propose plans."""

    llm: Annotated[bool, Field(strict=True)]


class About(Message):
    """Who answers here."""

    agent: str
    role: str
    version: str
    endpoints: tuple[str, ...]


class Health(Message):
    """That it runs."""

    status: str
    cycle: int
    agents: int
    uptime_s: float


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route."""
    return {code: {"model": ErrorBody, "description": _WHY[code]} for code in codes}


def shows(*keys: str) -> dict[int | str, dict[str, Any]]:
    """The documented success of a route that answers an object with these keys, and maybe more."""
    schema = {"type": "object", "required": list(keys)}
    return {200: {"description": "as it stands now", "content": {"application/json": {"schema": schema}}}}


def body(model: type[BaseModel], *, required: bool = True, bearer: bool = False) -> dict[str, Any]:
    """What a route that reads its body itself says of it."""
    reference = {"$ref": _REF.format(model=model.__name__)}
    extra: dict[str, Any] = {
        "requestBody": {"required": required, "content": {"application/json": {"schema": reference}}}
    }
    return extra | (secured() if bearer else {})


def path_parameter(name: str, description: str) -> dict[str, Any]:
    """What a route that reads a part of its path itself says of it."""
    schema = {"type": "string", "minLength": 1}
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "description": description, "schema": schema}]
    }


def secured() -> dict[str, Any]:
    """What a route that needs a bearer token says."""
    return {"security": [{"bearer": []}]}


def describe(app: FastAPI, models: Iterable[type[BaseModel]] = (Registration, Report, Coordinate, Switch)) -> None:
    """Let ``app`` answer /openapi.json with the schemas of the bodies in it."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, found = models_json_schema([(m, "validation") for m in models], ref_template=_REF)
            answers = models_json_schema([(Answer, "serialization"), (Registered, "serialization")], ref_template=_REF)
            components = document.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            for name, schema in (answers[1]["$defs"] | found["$defs"]).items():
                schemas.setdefault(name, schema)
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]
