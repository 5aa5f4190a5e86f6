"""A fake OpenAI-compatible server on a real socket; the name of the model asked says how it behaves."""

import asyncio
import json
import threading
import time
from typing import Any, Self

from aiohttp import web

BEHAVIOURS = (
    "good",
    "over_limit",
    "insufficient",
    "costly",
    "badjson",
    "truncated",
    "refusal",
    "unknown_id",
    "extra_field",
    "infinity",
    "http429",
    "http500",
    "hang",
)
CHEAPEST = {"ev": 0, "load": 1, "solar": 2, "battery": 3}


class FakeLanguageModel:
    """Serves in a thread for as long as a `with` lasts; `received` are the bodies of all requests, as text."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.keys: list[str | None] = []
        self.peers: set[Any] = set()
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._runner, port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    async def _chat(self, request: web.Request) -> web.Response:
        self.received.append(await request.text())
        self.keys.append(request.headers.get("Authorization"))
        self.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        body = json.loads(self.received[-1])
        behaviour = body["model"]
        if behaviour == "hang":
            await asyncio.sleep(600)
        if behaviour.startswith("http"):
            error = {"error": {"message": f"key {self.keys[-1]} is not welcome"}}
            return web.json_response(error, status=int(behaviour[4:]))
        if behaviour == "nonsense":
            return web.Response(text="<html>it works</html>", content_type="text/html")
        message, ended = answer(behaviour, json.loads(body["messages"][-1]["content"]))
        choice = {"index": 0, "finish_reason": ended, "message": {"role": "assistant", "refusal": None} | message}
        return web.json_response(
            {
                "id": "1",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": behaviour,
                "choices": [choice],
            }
        )


def answer(behaviour: str, asked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The message of a completion and why it ended."""
    first = asked["resources"][0]
    if behaviour == "refusal":
        return {"content": None, "refusal": "I cannot help\nwith that"}, "stop"
    if behaviour == "truncated":
        return {"content": '{"actions":[{"resource_id":"home_0/load","setp'}, "length"
    if behaviour == "badjson":
        return {"content": "Sure! Here is your plan: {actions: ["}, "stop"
    if behaviour == "infinity":
        return {"content": f'{{"actions":[{{"resource_id":"{first["resource_id"]}","setpoint_kw":-1e999}}]}}'}, "stop"
    actions: list[dict[str, Any]] = []
    if behaviour == "good":
        actions = cheapest(asked)
    elif behaviour == "over_limit":
        actions = [set_to(r, -99.0) for r in asked["resources"] if r["kind"] == "battery"]
    elif behaviour == "costly":
        actions = [set_to(r, r["min_kw"]) for r in asked["resources"]]
    elif behaviour == "unknown_id":
        actions = [{"resource_id": "hospital/feeder", "setpoint_kw": 0}]
    elif behaviour == "extra_field":
        actions = [set_to(first, first["min_kw"]) | {"cmd": "rm -rf"}]
    return {"content": json.dumps({"actions": actions})}, "stop"


def cheapest(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Set-points that take what is too much at each transformer from the cheapest kinds."""
    actions = []
    for transformer in asked["transformers"]:
        need = -transformer["change_kw"]
        own = [r for r in asked["resources"] if r["transformer"] == transformer["transformer"]]
        for r in sorted(own, key=lambda r: CHEAPEST[r["kind"]]):
            take = min(need, r["wanted_kw"] - r["min_kw"])
            if take > 0:
                actions.append(set_to(r, r["wanted_kw"] - take))
                need -= take
    return actions


def set_to(resource: dict[str, Any], kw: float) -> dict[str, Any]:
    return {"resource_id": resource["resource_id"], "setpoint_kw": kw}
