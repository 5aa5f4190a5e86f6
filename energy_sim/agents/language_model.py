"""A language model may propose a plan: asked over the OpenAI protocol, within a time budget, and never trusted.

    model = LanguageModel(Settings(base_url, name, api_key, budget_s=2.0))
    await model.open()                                   # loads the client once, off the event loop
    proposal, reason = await model.propose(Problem(grid, resources, plan, rules))
    await model.close()

What is asked holds numbers, kinds and ids alone (ids that match their pattern): no text that an agent wrote. What comes
back is a `Proposal` or the reason why there is none, in one line without secrets; whether it is any good is for
`plan_checks.check_plan` to say.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from energy_sim.agents.messages import AgentId, ResourceId
from energy_sim.agents.model import KINDS, SMALL_KW, Floats, Grid, Plan, Resources, Rules
from energy_sim.agents.plan_checks import Proposal
from energy_sim.agents.transfers import shift_kw
from energy_sim.errors import ConfigError

if TYPE_CHECKING:
    import openai

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOLD_MAX = 200  # resources named in a question: those with most to give
STEP_KW = 1e-4  # to which numbers are rounded; the change is told with that much to spare for each resource
TOKENS_MAX = 16_000  # of an answer: 200 set-points take about 6,000
TASK = (
    "You plan set-points of devices in a distribution grid. Power is in kW, consumption positive, feeding in negative. "
    "The load of each transformer must change by change_kw: the set-points of its resources together must lie that "
    "much below (negative) or above (positive) what they want. Each set-point must lie within min_kw and max_kw. "
    "Cost is cost_per_kw times the distance from wanted_kw, summed; make it small. Name only resources you change."
)
SCHEMA = {
    "type": "object",
    "properties": {
        "actions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"resource_id": {"type": "string"}, "setpoint_kw": {"type": "number"}},
                "required": ["resource_id", "setpoint_kw"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["actions"],
    "additionalProperties": False,
}
_RESOURCE_ID: TypeAdapter[str] = TypeAdapter(ResourceId)
_TRANSFORMER_ID: TypeAdapter[str] = TypeAdapter(AgentId)


@dataclass(frozen=True, slots=True)
class Settings:
    """Whom to ask, and how long an answer may take in all, s."""

    base_url: str
    model: str
    api_key: str = field(repr=False)
    budget_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be planned: `plan` is the deterministic one, of which help between transformers is kept."""

    grid: Grid
    resources: Resources
    plan: Plan
    rules: Rules


def settings_from(
    base_url: str, model: str, key_env: str, budget_s: float, environment: Mapping[str, str]
) -> Settings | None:
    """Settings of the configuration with the key from the environment; None when no model is configured.

    Raises:
        ConfigError: the address is no HTTP address, the model has no name, or a server elsewhere has no key.
    """
    if not base_url:
        return None
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigError("agents.llm.base_url: no HTTP address; give one like http://127.0.0.1:8080/v1")
    if not model:
        raise ConfigError("agents.llm.model: empty; name the model that agents.llm.base_url offers")
    key = environment.get(key_env, "").strip()
    if not key and host not in LOOPBACK:
        raise ConfigError(f"agents.llm.key_env: {key_env} is not set; set it to the key for {host}")
    return Settings(base_url, model, key or "none", budget_s)


class LanguageModel:
    """One model; the connection is kept between questions."""

    def __init__(self, settings: Settings) -> None:
        """Remember whom to ask; nothing is loaded yet."""
        self.settings = settings
        self._client: openai.AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> str:
        """Load the client, which takes seconds, in a thread; empty, or the reason why there is none."""
        async with self._opening:
            if self._client is None:
                try:
                    self._client = await asyncio.to_thread(_client, self.settings)
                except ImportError:
                    return "the package openai is not installed; install the extra: pip install 'kraftflyt[agents]'"
        return ""

    async def close(self) -> None:
        """Let the connection go."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def propose(self, problem: Problem) -> tuple[Proposal | None, str]:
        """Ask for a plan; the proposal and an empty reason, or None and the reason. Raises nothing but cancellation."""
        asked = question(problem)
        if asked is None:
            return None, "nothing to plan: every limit is met without orders"
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.settings.budget_s):
                why = await self.open()
                body = b"" if why else await self._ask(asked)
            found, reason = (None, why) if why else answered(body)
        except TimeoutError:
            found, reason = None, f"no answer within {self.settings.budget_s:g} s"
        except _NoAnswerError as error:
            found, reason = None, str(error)
        logger.info("language model took_s=%.2f reason=%s", time.monotonic() - began, reason or "none")
        return found, reason

    async def _ask(self, asked: str) -> bytes:
        import openai

        if self._client is None:
            raise _NoAnswerError("the client is closed")
        try:
            answer = await self._client.chat.completions.with_raw_response.create(
                model=self.settings.model,
                messages=[{"role": "system", "content": TASK}, {"role": "user", "content": asked}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "plan", "strict": True, "schema": SCHEMA},
                },
                temperature=0,
                max_completion_tokens=TOKENS_MAX,
            )
        except openai.APIStatusError as error:  # the body may repeat the key: only the status is told
            raise _NoAnswerError(f"the server answered HTTP {error.status_code} ({type(error).__name__})") from error
        except openai.APITimeoutError as error:
            raise TimeoutError from error
        except openai.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            raise _NoAnswerError(f"no connection to the server ({cause})") from error
        except (openai.OpenAIError, OSError, ValueError) as error:
            raise _NoAnswerError(f"the question could not be asked ({type(error).__name__})") from error
        return answer.content


def question(problem: Problem) -> str | None:
    """What is to be changed and what can be, as JSON; None when no transformer needs anything."""
    grid, resources, rules = problem.grid, problem.resources, problem.rules
    change_kw = _change_kw(problem)
    if not np.any(np.abs(change_kw) > SMALL_KW):
        return None
    tier = rules.tier(resources.kind)
    low, high = resources.reach_kw(tier >= 0)
    ours = change_kw[resources.transformer]
    room_kw = np.where(ours < 0, resources.wanted_kw - low, np.where(ours > 0, high - resources.wanted_kw, 0.0))
    rows = [int(r) for r in np.argsort(-room_kw, kind="stable")[:TOLD_MAX] if room_kw[r] > SMALL_KW]
    named = [
        {
            "resource_id": resources.ids[r],
            "transformer": grid.transformers[resources.transformer[r]].id,
            "kind": KINDS[resources.kind[r]],
            "wanted_kw": round(float(resources.wanted_kw[r]), 4),
            "min_kw": _up(low[r]),
            "max_kw": -_up(-high[r]),
            "cost_per_kw": rules.tier_costs[tier[r]],
        }
        for r in rows
        if _is(_RESOURCE_ID, resources.ids[r])
    ]
    transformers = [
        {"transformer": t.id, "change_kw": _away(float(kw), len(named))}
        for t, kw in zip(grid.transformers, change_kw, strict=True)
        if _is(_TRANSFORMER_ID, t.id)
    ]
    return json.dumps({"transformers": transformers, "resources": named}, allow_nan=False)


def answered(body: bytes) -> tuple[Proposal | None, str]:
    """The proposal in the body of a chat completion and an empty reason, or None and the reason."""
    try:
        choice = _Completion.model_validate_json(body).choices[0]
    except ValidationError:
        return None, "the answer is no chat completion"
    if choice.message.refusal is not None:
        return None, f"the model refused: {_plain(choice.message.refusal)}"
    if choice.finish_reason not in {"stop", None}:
        return None, f"the answer is not complete: it ended by {_plain(choice.finish_reason)}"
    try:
        return Proposal.model_validate_json(choice.message.content or ""), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "plan"
        return None, f"the plan is malformed: {_plain(where + ': ' + first['msg'])}"


class _NoAnswerError(Exception):
    """Why there is none; one line without secrets."""


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is read of a chat completion."""

    choices: Annotated[list[_Choice], Field(min_length=1)]


def _client(settings: Settings) -> "openai.AsyncOpenAI":
    import openai

    here = urlsplit(settings.base_url).hostname in LOOPBACK
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key,
        max_retries=0,
        timeout=settings.budget_s,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False) if here else None,  # no proxy on the way to oneself
    )


def _change_kw(problem: Problem) -> Floats:
    """(T,) by how much each transformer's load must change after help from neighbours, negative is less."""
    load_kw = problem.plan.before_kw + shift_kw(problem.grid, problem.plan.transfers)
    least_kw = -problem.grid.export_limit_kw
    change: Floats = np.clip(load_kw, least_kw, np.maximum(problem.grid.limit_kw, least_kw)) - load_kw
    return change


def _up(kw: Any) -> float:
    """Rounded up to `STEP_KW`, so that a bound that is told is never beyond the real one."""
    return round(float(np.ceil(round(float(kw) / STEP_KW, 3))) * STEP_KW, 4)


def _away(kw: float, resources: int) -> float:
    """A change with room for the rounding of so many resources."""
    return math.copysign(_up(abs(kw) + STEP_KW * resources), kw) if kw else 0.0


def _is(pattern: TypeAdapter[str], text: str) -> bool:
    try:
        pattern.validate_python(text)
    except ValidationError:
        return False
    return True


def _plain(text: str | None) -> str:
    """Foreign text as a short line of printable ASCII."""
    line = " ".join((text or "").split())
    return "".join(c if " " <= c <= "~" else "?" for c in line)[:120]
