"""Smart meters over MQTT: every house of a street tells its reading to a broker, every 10 s.

    url = parse_url("mqtt://user:password@broker.local:1883/street")
    publish_sessions(sessions, url, stop)                    # until somebody sets `stop`

Messages go out with QoS 0. A reading replaces the one before it and its registers are cumulative, so a lost one costs
nothing that the next does not bring; and nothing piles up while the broker is away, where QoS 1 would keep old readings
and wait for an answer to each. What `meter_messages` says goes under ``{prefix}/{MAC}/SENSOR``.
"""

import contextlib
import logging
import math
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from energy_sim.community.meter_messages import Message, readings
from energy_sim.community.mqtt_url import MqttUrl
from energy_sim.errors import DataError
from energy_sim.session import LiveRoom, Sessions

logger = logging.getLogger(__name__)

ROOM = "community"
EVERY_S = 10.0
MAX_WAITING = 20_000  # messages handed to the network thread and not yet sent: two rounds of the largest street
CLOSE_WAIT_S = 2.0
_KEEPALIVE_S = 30


class Publisher:
    """A connection to a broker that is kept up by a thread of its own; no state of the broker raises anything.

    While the broker is away the thread tries again after 1, 2, 4 ... seconds, messages are left out and counted, and
    the log has one WARNING for the whole outage.
    """

    def __init__(self, url: MqttUrl, *, max_waiting: int = MAX_WAITING, longest_wait_s: int = 30) -> None:
        """Begin to connect, and return at once.

        Args:
            url: the broker.
            max_waiting: messages on their way to the broker; beyond, further ones are left out.
            longest_wait_s: between two attempts to connect.
        """
        self.url = url
        self.outages = 0
        self.left_out = 0
        self._max_waiting = max_waiting
        self._prefix = f"{url.prefix}/" if url.prefix else ""
        self._lock = threading.Lock()
        self._connected = self._away = self._slow = self._closing = False
        self._handed: deque[tuple[paho.MQTTMessageInfo, int]] = deque()  # last message of a batch, size of the batch
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.reconnect_delay_set(1, longest_wait_s)
        if url.user is not None:
            client.username_pw_set(url.user, url.password)
        if url.tls:
            client.tls_set_context(ssl.create_default_context())
        client.connect_async(url.host, url.port, _KEEPALIVE_S)
        client.loop_start()

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._connected

    @property
    def waiting(self) -> int:
        """Messages handed over and not yet sent."""
        with self._lock:
            return self._waiting()

    def publish(self, messages: Sequence[Message]) -> int:
        """Hand messages over to be sent; how many: none without a broker, less when it takes them too slowly."""
        sent, full = 0, False
        with self._lock:
            if self._connected:
                room = self._max_waiting - self._waiting()
                full = room < len(messages)
                for topic, payload in messages[: max(room, 0)]:
                    info = self._client.publish(self._prefix + topic, payload, qos=0)
                    if info.rc != paho.MQTT_ERR_SUCCESS:
                        break
                    sent, last = sent + 1, info
                if sent:
                    self._handed.append((last, sent))
            self.left_out += len(messages) - sent
            newly_slow, self._slow = full and not self._slow, full
        if newly_slow:
            logger.warning("broker too slow broker=%s waiting=%d; readings are left out", self.url, self._max_waiting)
        return sent

    def close(self) -> None:
        """Send what waits, for 2 s at most, and end the connection and its thread."""
        until = time.monotonic() + CLOSE_WAIT_S
        while self.waiting and time.monotonic() < until:
            time.sleep(0.01)
        self._closing = True
        stuck = self.waiting > 0
        self._client.disconnect()
        open_socket = cast("socket.socket | None", self._client.socket())
        if stuck and open_socket is not None:  # the thread would go on trying until the broker counts as dead
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _waiting(self) -> int:
        while self._handed and self._handed[0][0].is_published():
            self._handed.popleft()
        return sum(count for _, count in self._handed)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._lost(str(reason))
            return
        with self._lock:
            self._handed.clear()
            was_away, self._away, self._connected = self._away, False, True
            left_out = self.left_out
        if was_away:
            logger.info("broker back broker=%s outages=%d left_out=%d", self.url, self.outages, left_out)
        else:
            logger.info("broker connected broker=%s", self.url)

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        error = sys.exc_info()[1]  # the client calls this while it handles the error, and does not pass it on
        self._lost("no answer" if error is None else str(error))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._lost(str(reason))

    def _lost(self, reason: str) -> None:
        with self._lock:
            self._connected = False
            self._handed.clear()
            if self._away or self._closing:
                return
            self._away = True
            self.outages += 1
        logger.warning("broker away broker=%s reason=%s; trying on, readings are left out", self.url, reason)


class MeteredRoom(LiveRoom, Protocol):
    """A room with meters; its frames have ``time_s`` and, per house, ``net_w``, ``import_kwh`` and ``export_kwh``."""

    @property
    def house_ids(self) -> tuple[str, ...]:
        """Ids of the houses, in the order of the frames."""


def session_messages(sessions: Sessions, session_id: str) -> list[Message]:
    """The readings of a session's houses now; asking for them keeps no session awake.

    Raises:
        DataError: no such session, or it began again with other houses meanwhile.
    """
    data = sessions.frame(session_id, awake=False).data
    room = cast("MeteredRoom", sessions.live(session_id))
    return list(readings(room.house_ids, session_id, data.time_s, data.net_w, data.import_kwh, data.export_kwh))


def publish_sessions(
    sessions: Sessions, url: MqttUrl, stop: threading.Event, every_s: float = EVERY_S, only: str | None = None
) -> None:
    """Publish the meters of every community session that plays, at whole multiples of ``every_s`` of the wall clock.

    Args:
        sessions: of the database that the server uses; the community room is among its rooms.
        url: the broker.
        stop: set it to end.
        every_s: from round to round; a round that takes longer skips those it missed.
        only: publish this session and no other, whether it plays or not.

    Raises:
        DataError: the session named does not exist or is of another room.
    """
    if only is not None and (room := sessions.record(only).room) != ROOM:
        raise DataError(f"session {only!r}: it is of the room {room}, which has no meters; give one of {ROOM}")
    failing: set[str] = set()
    publisher = Publisher(url)
    logger.info("meters go out broker=%s every_s=%g session=%s", url, every_s, only or "all that play")
    try:
        while not stop.wait(seconds_to_next(time.time(), every_s)):
            _publish_round(sessions, publisher, only, failing)
    finally:
        publisher.close()


def seconds_to_next(now_s: float, every_s: float) -> float:
    """Time to the next multiple of ``every_s``; waking a hundredth of it too early does not make a second round.

    >>> seconds_to_next(1_000_003.0, 10.0), seconds_to_next(1_000_009.99, 10.0)
    (7.0, 10.01)
    """
    return round((math.floor(now_s / every_s + 0.01) + 1) * every_s - now_s, 6)


def _publish_round(sessions: Sessions, publisher: Publisher, only: str | None, failing: set[str]) -> None:
    """One round; a session that cannot be read is warned of once, until it can."""
    try:
        chosen = (only,) if only is not None else sessions.playing(ROOM)
    except DataError as error:
        logger.warning("sessions not read, no meters this time error=%s", error)
        return
    for session_id in chosen:
        try:
            messages = session_messages(sessions, session_id)
        except DataError as error:
            if session_id not in failing:
                logger.warning("session not read, its meters are left out id=%s error=%s", session_id, error)
            failing.add(session_id)
            continue
        failing.discard(session_id)
        sent = publisher.publish(messages)
        logger.debug("meters published id=%s sent=%d left_out=%d", session_id, sent, len(messages) - sent)
