"""The operator's signing key: a file that only its owner may read, made when it is first needed."""

import contextlib
import logging
import os
import secrets
from pathlib import Path

from nacl.signing import SigningKey

from energy_sim.errors import ConfigError
from energy_sim.trading.ledger.records import KEY_BYTES

logger = logging.getLogger(__name__)


def read_or_make_operator_key(path: Path) -> SigningKey:
    """Read the operator's key (64 hex digits), or make one; several processes may start at once.

    Raises:
        ConfigError: the file cannot be read or written, holds no key, or may be read by others.
    """
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode & 0o777
        content = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be used ({error.strerror}); choose another place") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: the ledger's key may be read by others (mode {mode:o}); call chmod 600")
    try:
        seed = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        seed = b""
    if len(seed) != KEY_BYTES:
        raise ConfigError(f"{path}: is no key of {2 * KEY_BYTES} hex digits; restore it, or move it away for a new one")
    return SigningKey(seed)


def _make(path: Path) -> None:
    """Write the key beside its place and link it there, so that nobody ever reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(bytes(SigningKey.generate()).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its key counts
            os.link(draft, path)
            logger.info("operator key made path=%s", path)
    finally:
        draft.unlink()
