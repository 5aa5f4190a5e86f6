"""Random requests after the OpenAPI of every agent, on real sockets: no 5xx, no breach of what is documented.

All checks of schemathesis run but two, which do not fit: `use_after_free` and `ensure_resource_availability` follow
DELETE and Location, of which there are none. Valid requests are made to fit what a schema cannot say (who is
registered, names of resources, the smaller number first), so that they have to be accepted.
"""

import itertools

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.contract.test_agents_http import open_room

load_all_checks()
UNFIT = {"use_after_free", "ensure_resource_availability"}
EXAMPLES, EXAMPLES_OPEN = 15, 6  # of each kind and operation, with a key and without
KEY = "fleet-key-of-this-test"
REACHED = {  # what has to have been answered at least once, valid and not
    ("grid", "GET", "/view"): {200, 422},
    ("grid", "GET", "/audit"): {200, 422},
    ("grid", "POST", "/agents"): {200, 422},
    ("grid", "POST", "/coordinate"): {200, 422},
    ("grid", "POST", "/planner"): {200, 422},
    ("grid", "POST", "/agents/{agent_id}/status"): {200, 404},
    ("home", "POST", "/simulate"): {200, 422},
    ("home", "POST", "/curtail"): {200, 422},
    ("battery", "POST", "/simulate"): {200, 422},
    ("battery", "POST", "/curtail"): {200, 422},
    ("host", "GET", "/{agent_id}/status"): {200},
    ("host", "POST", "/{agent_id}/simulate"): {200, 404},
    ("host", "POST", "/{agent_id}/curtail"): {200, 404},
}
OWN = {"home": "home_1/load", "battery": "battery_1/battery", "host": "host_1_home_1/ev"}
counts = itertools.count(1)


@pytest.fixture(scope="module", params=["", KEY], ids=["open", "keyed"])
def room(request, tmp_path_factory):
    for made in open_room(tmp_path_factory.mktemp("openapi"), request.param):
        for name in ("home_1", "battery_1"):
            made.register(name)
        yield made


def fitted(case, who):
    """A valid request, made to fit what is there."""
    body, path = case.body, case.operation.path
    if "agent_id" in (case.path_parameters or {}):
        case.path_parameters["agent_id"] = "host_1_home_1" if who == "host" else "home_1"
    if not isinstance(body, dict | list):
        return case
    if path == "/agents":
        body.update(transformer_id="transformer_A", url="", nameplates=[], id=f"new_{next(counts)}")
    elif path == "/agents/{agent_id}/status":
        body.update(agent_id="home_1", role="home", transformer_id="transformer_A", sequence=next(counts))
        body["resources"] = [r for r in body["resources"] if isinstance(r, dict)][:1]
        for state in body["resources"]:
            state.update(id="home_1/load", min_kw=0.0, power_kw=1.0, wanted_kw=2.0, max_kw=2.0)
        for anomaly in body.get("anomalies", ()):
            anomaly["where"] = "home_1"
    elif path.endswith("/simulate"):
        body["cycle"] = next(counts)
    elif path.endswith("/curtail"):
        for event in body if isinstance(body, list) else [body]:
            event.update(resource_id=OWN[who], power_kw=0.0 if event["power_kw"] is not None else None)
    return case


def send(operation, mode, count, headers, checks, prepare):
    """Send requests, the same ones in every run, and check each answer; the codes that came."""
    codes = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case):
        answer = prepare(case).call_and_validate(headers=headers, checks=checks)
        codes.add(answer.status_code)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert 0 < len(error) <= 500
            assert "\n" not in error

    one()
    return codes


@pytest.mark.parametrize("who", ["grid", "home", "battery", "host"])
def test_random_requests_after_the_openapi_document_find_no_fault(room, who):
    schema = schemathesis.openapi.from_url(f"{room.servers[who].url}/openapi.json")
    checks = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in UNFIT]
    assert len(checks) >= 10
    count = EXAMPLES if room.key else EXAMPLES_OPEN
    missed = {at for at in REACHED if at[0] == who}
    for found in schema.get_all_operations():
        operation = found.ok()
        at = who, operation.method.upper(), operation.path
        bearer = room.tokens["home_1"] if at[2] == "/agents/{agent_id}/status" else room.key
        headers = {"Authorization": f"Bearer {bearer}"} if operation.definition.raw.get("security") else {}
        codes = send(operation, GenerationMode.POSITIVE, count, headers, checks, lambda case: fitted(case, who))
        try:
            codes |= send(operation, GenerationMode.NEGATIVE, count, headers, checks, lambda case: case)
        except Unsatisfiable:
            assert at[1] == "GET", at  # only there can be nothing to get wrong
        assert REACHED.get(at, {200}) <= codes, at
        missed.discard(at)
    assert missed == set()


def test_the_document_names_every_path_with_its_parts_and_asks_for_a_key_only_where_there_is_one(room):
    guarded = {"/agents", "/coordinate", "/planner", "/simulate", "/curtail"}
    for who, server in room.servers.items():
        status, document = server.ask("GET", "/openapi.json")
        assert status == 200
        endpoints = set(server.ask("GET", "/")[1]["endpoints"])
        named = {f"{m.upper()} {path}" for path, methods in document["paths"].items() for m in methods}
        assert named == endpoints
        for path, methods in document["paths"].items():
            for method, said in methods.items():
                parts = {p["name"] for p in said.get("parameters", []) if p["in"] == "path"}
                assert parts == ({"agent_id"} if "{agent_id}" in path else set())
                is_report = who == "grid" and path.endswith("/status") and method == "post"
                short = path.removeprefix("/{agent_id}") if who == "host" else path
                is_guarded = is_report or (bool(room.key) and method == "post" and short in guarded)
                assert (bool(said.get("security")), "401" in said["responses"]) == (is_guarded, is_guarded), path
                assert said["responses"]["200"]["content"]["application/json"]["schema"] != {}, path
