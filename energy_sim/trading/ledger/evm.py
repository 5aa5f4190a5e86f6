"""Settlement and anchor on an EVM chain over JSON-RPC; needs the extra ``evm``.

    chain = connect("http://localhost:8545")
    address = deploy(chain)
    settle_and_anchor(chain, address, stored)
    read_anchor(chain, address, "trading_20260131_120000_a1b2c3")

The contract is ``EnergySettlement.vy``: it takes one net position per household, refuses what does not sum to zero and
a period that is settled, and keeps the ledger's root. Nothing is assumed of the chain but the standard methods.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from energy_sim.errors import ConfigError, DataError, LedgerError
from energy_sim.trading.ledger.anchor import make_anchor
from energy_sim.trading.ledger.records import UEUR_PER_EUR, Anchor, StoredLedger, decode_trade

logger = logging.getLogger(__name__)

CONTRACT_FILE = Path(__file__).with_name("EnergySettlement.vy")
MOST_MEMBERS = 1024  # as in the contract
UWH_PER_WH = 1_000_000
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Chain:
    """A connection, and the account that pays and is the operator."""

    web3: Any
    account: str


@dataclass(frozen=True, slots=True)
class ChainAnchor:
    """What a chain knows of a ledger."""

    ledger_root: str  # hex
    blocks: int
    energy_wh: int


def connect(url: str = "", provider: Any = None, key_file: Path | None = None) -> Chain:
    """Connect to a chain.

    Args:
        url: JSON-RPC over HTTP.
        provider: a web3 provider instead of `url`.
        key_file: hex private key that signs here; without it the node's first account, which the node must hold open.

    Raises:
        ConfigError: the extra is not installed, the chain does not answer, or there is no account.
    """
    web3 = _extra("web3")
    chosen = provider or web3.HTTPProvider(url, request_kwargs={"timeout": _TIMEOUT_S})
    chain = web3.Web3(chosen)
    place = url or type(provider).__name__
    try:
        if not chain.is_connected():
            raise ConfigError(f"{place}: no chain answers; give the JSON-RPC URL of a node")
        account = _own_account(chain, key_file) if key_file else next(iter(chain.eth.accounts), "")
    except (OSError, web3.exceptions.Web3Exception) as error:
        raise ConfigError(f"{place}: no chain answers ({_line(error)}); give the JSON-RPC URL of a node") from error
    if not account:
        raise ConfigError(f"{place}: the node holds no account; give a file with a private key")
    chain.eth.default_account = account
    return Chain(chain, account)


def _own_account(chain: Any, key_file: Path) -> str:
    try:
        owner = chain.eth.account.from_key(key_file.read_text(encoding="ascii").strip())
    except OSError as error:
        raise ConfigError(f"{key_file}: cannot be read ({error.strerror}); give a file with a private key") from error
    except ValueError as error:  # its text could show the key
        raise ConfigError(f"{key_file}: holds no private key in hex") from error
    signing = import_module("web3.middleware").SignAndSendRawMiddlewareBuilder.build(owner)
    chain.middleware_onion.inject(signing, layer=0)
    return str(owner.address)


def compile_contract() -> dict[str, Any]:
    """The contract's `abi` and `bytecode`.

    Raises:
        ConfigError: the extra is not installed.
    """
    source = CONTRACT_FILE.read_text(encoding="utf-8")
    compiled: dict[str, Any] = _extra("vyper").compile_code(source, output_formats=["abi", "bytecode"])
    return compiled


def deploy(chain: Chain) -> str:
    """Put the contract on the chain; whoever deploys it is its operator.

    Returns:
        Its address.

    Raises:
        LedgerError: the chain refuses.
    """
    compiled = compile_contract()
    contract = chain.web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
    receipt = _sent(chain, contract.constructor().transact)
    logger.info("contract deployed address=%s gas=%d", receipt["contractAddress"], receipt["gasUsed"])
    return str(receipt["contractAddress"])


def period_of(ledger_id: str) -> int:
    """The number by which the contract knows a ledger: a name in 256 bits."""
    return int.from_bytes(sha256(ledger_id.encode()).digest(), "big")


def net_positions(stored: StoredLedger) -> tuple[int, ...]:
    """What each member got less what it paid in trades, micro-EUR; sums to 0 exactly, as amounts are whole."""
    net = [0] * len(stored.identity.households)
    for block in stored.blocks:
        for entry in block.entries:
            trade = decode_trade(entry.record)
            net[trade.seller] += trade.amount_ueur
            net[trade.buyer] -= trade.amount_ueur
    return tuple(net)


def whole_positions(positions_eur: Sequence[float]) -> tuple[int, ...]:
    """Positions in micro-EUR, rounded so that they sum to 0: the largest remainders are rounded up.

    Raises:
        LedgerError: they do not sum to 0 within a micro-EUR each.

    >>> whole_positions([0.0000004, 0.0000004, -0.0000008])
    (1, 0, -1)
    """
    exact = [position * UEUR_PER_EUR for position in positions_eur]
    if not abs(math.fsum(exact)) <= max(len(exact), 1):
        raise LedgerError(f"net positions sum to {math.fsum(positions_eur)} EUR, not 0; settle all who traded")
    down = [math.floor(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda i: (down[i] - exact[i], i))
    for i in range(-sum(down)) if exact else ():
        down[order[i % len(order)]] += 1
    for i in range(sum(down)):  # what sums to more than 0 by rounding of floats
        down[order[-1 - i % len(order)]] -= 1
    return tuple(down)


def settle_and_anchor(
    chain: Chain, address: str, stored: StoredLedger, net_ueur: Sequence[int] | None = None
) -> Anchor:
    """Settle a ledger's trades and anchor its root; returns when the chain has taken it.

    Args:
        chain: of ``connect``, by the account that deployed the contract.
        address: of the contract.
        stored: a ledger that has been verified.
        net_ueur: (N,) other net positions, such as of ``whole_positions``; those of the trades when not given.

    Raises:
        LedgerError: the chain refuses, for instance because the ledger is settled already; or too many members.
    """
    net = net_positions(stored) if net_ueur is None else tuple(net_ueur)
    if len(net) > MOST_MEMBERS:
        raise LedgerError(f"{len(net)} members are more than the {MOST_MEMBERS} of a settlement; use several ledgers")
    anchor = make_anchor(stored)
    trades = (decode_trade(entry.record) for block in stored.blocks for entry in block.entries)
    energy_wh = (sum(trade.energy_uwh for trade in trades) + UWH_PER_WH // 2) // UWH_PER_WH
    root = bytes.fromhex(anchor.ledger_root)
    call = _contract(chain, address).functions.settle(
        period_of(anchor.ledger_id), list(net), energy_wh, root, anchor.blocks
    )
    receipt = _sent(chain, call.transact)
    logger.info("ledger settled ledger=%s root=%s gas=%d", anchor.ledger_id, anchor.ledger_root, receipt["gasUsed"])
    return anchor


def read_anchor(chain: Chain, address: str, ledger_id: str) -> ChainAnchor | None:
    """What the chain knows of a ledger; None where it was never anchored.

    Raises:
        LedgerError: there is no such contract.
    """
    call = _contract(chain, address).functions.anchor(period_of(ledger_id))
    root, blocks, energy_wh = _asked(chain, call.call)
    return ChainAnchor(bytes(root).hex(), int(blocks), int(energy_wh)) if blocks else None


def read_balance(chain: Chain, address: str, ledger_id: str, member: int) -> int:
    """Net position of a member in a settled ledger, micro-EUR.

    Raises:
        LedgerError: there is no such contract.
    """
    return int(_asked(chain, _contract(chain, address).functions.balance_ueur(period_of(ledger_id), member).call))


def _contract(chain: Chain, address: str) -> Any:
    if not chain.web3.is_address(address):
        raise ConfigError(f"{address!r} is no address; give that of the contract, 0x and 40 hex digits")
    checked = chain.web3.to_checksum_address(address)
    return chain.web3.eth.contract(address=checked, abi=compile_contract()["abi"])


def _sent(chain: Chain, transact: Callable[[dict[str, Any]], Any]) -> Any:
    """The receipt of a transaction that the chain has taken."""
    sent = _asked(chain, lambda: transact({"from": chain.account}))
    receipt = _asked(chain, lambda: chain.web3.eth.wait_for_transaction_receipt(sent, timeout=_TIMEOUT_S))
    if receipt["status"] != 1:
        raise LedgerError(f"transaction {bytes(sent).hex()}: the chain refuses it; see the node's log")
    return receipt


def _asked(chain: Chain, call: Callable[[], Any]) -> Any:
    """What the chain answers, with its refusals as errors of ours."""
    refusals: list[type[Exception]] = [OSError, _extra("web3").exceptions.Web3Exception]
    try:
        refusals.append(import_module("eth_tester.exceptions").TransactionFailed)  # the chain inside a process
    except ImportError:
        logger.debug("no chain inside the process")
    try:
        return call()
    except tuple(refusals) as error:
        raise LedgerError(f"{chain.account}: the chain refuses: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"anchoring on a chain needs {name}: install kraftflyt[evm]") from error


def verify_on_chain(found: ChainAnchor | None, stored: StoredLedger) -> str:
    """What is wrong with a ledger by what a chain knows of it; empty where they agree.

    Raises:
        DataError: the chain knows nothing of the ledger.
    """
    if found is None:
        raise DataError(f"ledger {stored.identity.ledger_id}: is not anchored on this chain; anchor it first")
    anchor = make_anchor(stored)
    if found.blocks > anchor.blocks:
        return f"block {anchor.blocks}: is missing; the chain knows {found.blocks} blocks"
    if found.blocks < anchor.blocks:
        return f"block {found.blocks}: is not on the chain, which knows {found.blocks} blocks"
    if found.ledger_root != anchor.ledger_root:
        return f"block {anchor.blocks - 1}: does not lead to the root {found.ledger_root} that the chain knows"
    return ""
