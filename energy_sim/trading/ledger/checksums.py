"""SHA-256 of every file of a run's folder, signed by the operator: what the ledger does not know is not altered unseen.

The ledger holds the trades. Wallets, prices, parameters and the baseline stand in other files of the folder; their
checksums stand in ``checksums.json``, signed with the key that signs the blocks.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from energy_sim.errors import DataError
from energy_sim.trading.ledger.verify import Finding

CHECKSUMS_FILE = "checksums.json"
RUN_MARK = "params.json"  # a folder with it is a whole run, and has checksums
_SIGNED_FOR = b"kraftflyt checksums 1\x00"


def write_checksums(folder: Path, operator_key: SigningKey) -> None:
    """Write ``checksums.json`` of all files that are in the folder.

    Raises:
        DataError: a file cannot be read, or the checksums cannot be written.
    """
    try:
        files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
        signature = operator_key.sign(_message(files)).signature.hex()
        text = json.dumps({"files": files, "signature": signature}, indent=1)
        (folder / CHECKSUMS_FILE).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder}: checksums cannot be written ({error.strerror}); choose another folder") from error


def check_checksums(folder: Path, operator_public_key: str) -> Iterator[Finding]:
    """What differs from ``checksums.json``; nothing for a folder that is no whole run and has none.

    Args:
        folder: of a run.
        operator_public_key: hex, of the ledger.
    """
    path = folder / CHECKSUMS_FILE
    if not path.is_file():
        if (folder / RUN_MARK).is_file():
            yield Finding(None, f"{CHECKSUMS_FILE}: is missing; files beside the ledger cannot be checked")
        return
    try:
        content = json.loads(path.read_bytes())
        files, signature = content["files"], bytes.fromhex(content["signature"])
        if not all(isinstance(part, str) for pair in files.items() for part in pair):
            raise TypeError("names and checksums are texts")  # noqa: TRY301
        VerifyKey(bytes.fromhex(operator_public_key)).verify(_message(files), signature)
    except BadSignatureError:
        yield Finding(None, f"{CHECKSUMS_FILE}: the operator's signature does not hold")
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield Finding(None, f"{CHECKSUMS_FILE}: cannot be read ({type(error).__name__})")
        return
    for name, told in files.items():
        file = folder / Path(name).name
        if not file.is_file():
            yield Finding(None, f"{name}: is missing")
        elif _sha256(file) != told:
            yield Finding(None, f"{name}: is not the file that was written; its checksum differs")


def _message(files: dict[str, str]) -> bytes:
    return _SIGNED_FOR + json.dumps(files, sort_keys=True, separators=(",", ":")).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
