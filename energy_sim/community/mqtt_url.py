"""The address of an MQTT broker, read from one line and shown without what logs in.

parse_url("mqtts://user:password@broker.local/street")
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from energy_sim.errors import ConfigError

PORTS = {"mqtt": 1883, "mqtts": 8883}  # registered for MQTT, without and with TLS


@dataclass(frozen=True, slots=True)
class MqttUrl:
    """Where the broker is; as text without what logs in."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = ""

    def __str__(self) -> str:
        """For logs: scheme, host, port and prefix."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}" + (f"/{self.prefix}" if self.prefix else "")


def parse_url(text: str) -> MqttUrl:
    """An address such as ``mqtt://user:password@host:1883/prefix``, ``mqtts`` for TLS with the system's authorities.

    Raises:
        ConfigError: it is none; the message holds nothing of it, as any part may be the password.
    """

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"community.mqtt.url: {what}; give mqtt://user:password@host:1883/prefix or mqtts://...")

    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise wrong("host or port cannot be read (write / as %2F, @ as %40, # as %23 in a password)") from None
    if parts.scheme not in PORTS:
        raise wrong("it does not begin with mqtt:// or mqtts://")
    if not parts.hostname:
        raise wrong("it names no host")
    if port == 0:
        raise wrong("port 0 is none")
    if parts.query or parts.fragment:
        raise wrong("it holds a ? or # (write them as %3F, %23 in a password)")
    prefix = unquote(parts.path).strip("/")
    if any(sign in prefix for sign in "+#\0"):
        raise wrong("a topic may not hold + or #")
    return MqttUrl(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password is not None else None,
        prefix=prefix,
    )
