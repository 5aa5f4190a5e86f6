"""A real MQTT broker for tests: mosquitto on a free port of this machine, and a subscriber that keeps what arrives."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

SBIN = "/usr/sbin:/usr/local/sbin"  # where Debian keeps it, outside the PATH of many users


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
    assert found, f"no {name} on the PATH or in {SBIN}: install the package mosquitto, as `make test` does for root"
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until(found: Any, what: str, seconds: float = 10.0) -> None:
    stop = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < stop, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)


class Broker:
    """A broker that can be killed and started again on the same port; with `login` (user, password) it asks for it."""

    def __init__(self, folder: Path, login: tuple[str, str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", f"user {getpass.getuser()}"]
        lines += ["max_queued_messages 0", f"allow_anonymous {'false' if login else 'true'}"]
        if login:
            passwords = folder / "passwords"
            command = [program("mosquitto_passwd"), "-c", "-b", str(passwords), *login]
            subprocess.run(command, check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> "Broker":
        with (self.folder / "mosquitto.txt").open("ab") as console:
            command = [program("mosquitto"), "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdout=console, stderr=console)
        wait_until(self._answers, f"mosquitto: {(self.folder / 'mosquitto.txt').read_text()}")
        return self

    def end(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "mosquitto.txt").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Subscriber:
    """Keeps (topic, payload) of everything a broker passes on, in order."""

    def __init__(self, port: int, login: tuple[str, str] | None = None) -> None:
        self.got: list[tuple[str, bytes]] = []
        self._ready = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_subscribe = self._subscribed
        self._client.on_message = lambda _client, _data, message: self.got.append((message.topic, message.payload))
        if login:
            self._client.username_pw_set(*login)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: self._ready, "the subscription")

    def _subscribed(self, *_: Any) -> None:
        self._ready = True

    def topics(self) -> set[str]:
        return {topic for topic, _ in self.got}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
