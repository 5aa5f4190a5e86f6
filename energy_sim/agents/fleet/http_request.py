"""One HTTP request with JSON both ways and one deadline, by the standard library alone."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 4_000_000  # of an answer


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; ``status`` 0 is no answer, and ``body`` then says why."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it is an answer as hoped for."""
        return 200 <= self.status < 300

    @property
    def why(self) -> str:
        """What went wrong, one line; empty when nothing did."""
        if self.ok:
            return ""
        said = self.body.get("error", "") if isinstance(self.body, dict) else self.body
        return " ".join(str(said).split())[:300] or f"answered {self.status}"


def ask(method: str, url: str, body: object = None, *, key: str = "", timeout_s: float = 1.0) -> Reply:
    """Send a request and read its answer; never raises for what the other side does.

    Args:
        method: GET or POST.
        url: http or https address with path and query.
        body: sent as JSON; None sends nothing.
        key: bearer token; empty for none.
        timeout_s: longest silence, in seconds.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    content = None
    if body is not None:
        content = json.dumps(body)
        headers["Content-Type"] = "application/json"
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    except (ValueError, http.client.HTTPException) as error:
        return Reply(0, f"{url}: is no address ({error}); give http://host:port")
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), content, headers)
        response = connection.getresponse()
        text = response.read(MOST_BYTES)
    except TimeoutError:
        return Reply(0, f"no answer within {timeout_s:g} s")
    except ConnectionRefusedError:
        return Reply(0, f"nobody listens at {parts.hostname}:{parts.port}")
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, str(error) or type(error).__name__)
    finally:
        connection.close()
    try:
        return Reply(response.status, json.loads(text) if text else None)
    except ValueError:
        refused = response.status >= 400
        return Reply(response.status, text.decode(errors="replace")) if refused else Reply(0, "the answer is no JSON")
