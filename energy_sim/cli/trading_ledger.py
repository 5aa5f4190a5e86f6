"""`energy-sim trading verify-ledger` and `anchor`: whether a run's ledger holds, and facts about it kept elsewhere."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy_sim.cli.options import Context, say
from energy_sim.errors import ConfigError, DataError, LedgerError

if TYPE_CHECKING:
    from energy_sim.trading.ledger.verify import Verification

RunArgument = Annotated[str, typer.Argument(help="Folder of a run, or the name of one (see `energy-sim runs list`).")]
AnchorsOption = Annotated[
    Path | None, typer.Option("--anchors", help="File of anchors; the configured one without it.", show_default=False)
]
RpcOption = Annotated[str, typer.Option("--rpc", help="JSON-RPC URL of an EVM chain (extra evm).", show_default=False)]
ContractOption = Annotated[
    str, typer.Option("--contract", help="Address of the settlement contract.", show_default=False)
]
KeyOption = Annotated[
    Path | None, typer.Option("--key-file", help="File with the private key of the account.", show_default=False)
]


def verify_ledger(
    context: typer.Context,
    run: RunArgument,
    anchors: AnchorsOption = None,
    operator_key: Annotated[
        str, typer.Option("--operator-key", help="Public key the ledger must name, hex.", show_default=False)
    ] = "",
    rpc: RpcOption = "",
    contract: ContractOption = "",
    blocks: Annotated[bool, typer.Option("--blocks", help="Show every block.")] = False,
) -> None:
    """Check every record, signature and block of a run's ledger; exit code 1 and the first bad block where one is."""
    from energy_sim.trading.ledger import evm
    from energy_sim.trading.ledger.export import LEDGER_FILE, read_export
    from energy_sim.trading.ledger.folder import verify_folder

    folder = _folder(context, run)
    found = verify_folder(folder, _anchors(context, folder, anchors), operator_key or None)
    if blocks:
        for block in found.blocks:
            state = "; ".join(block.problems) or "ok"
            say(f"block {block.height}: step {block.step}, {block.trades} trades, {block.hash[:16]}: {state}")
    _stop_if_bad(found)
    if rpc:
        if not contract:
            raise ConfigError("--contract: is missing; give the contract's address with --rpc")
        stored = read_export(folder / LEDGER_FILE)
        on_chain = evm.read_anchor(evm.connect(rpc), contract, found.ledger_id)
        _stop(evm.verify_on_chain(on_chain, stored))
    say(f"{found.ledger_id}: {len(found.blocks)} blocks, {found.trades} trades, all hold")
    say(f"root {found.ledger_root}")


def anchor(
    context: typer.Context,
    run: RunArgument,
    anchors: AnchorsOption = None,
    rpc: RpcOption = "",
    contract: ContractOption = "",
    key_file: KeyOption = None,
) -> None:
    """Keep a run's anchor in a file, and with --rpc settle its trades and anchor it on a chain.

    Without --contract a new settlement contract is put on the chain. A ledger that does not hold is not anchored.
    """
    from energy_sim.trading.ledger import evm
    from energy_sim.trading.ledger.anchor import append_anchor, make_anchor
    from energy_sim.trading.ledger.export import LEDGER_FILE, read_export
    from energy_sim.trading.ledger.folder import verify_folder

    folder = _folder(context, run)
    found = verify_folder(folder)
    _stop_if_bad(found)
    stored = read_export(folder / LEDGER_FILE)
    path = anchors or _default(context)
    append_anchor(path, make_anchor(stored))
    say(f"{found.ledger_id}: {len(found.blocks)} blocks anchored in {path}")
    if rpc:
        chain = evm.connect(rpc, key_file=key_file)
        address = contract or evm.deploy(chain)
        evm.settle_and_anchor(chain, address, stored)
        say(f"{found.ledger_id}: settled and anchored on chain {chain.web3.eth.chain_id}, contract {address}")
    say(f"root {found.ledger_root}")


def _folder(context: typer.Context, run: str) -> Path:
    from energy_sim.runs import RunStore

    path = Path(run)
    if path.is_dir():
        return path
    if "/" in run or path.exists():
        raise DataError(f"{run}: is no folder; give the folder of a run, or its name")
    chosen: Context = context.obj
    return RunStore(chosen.config.path(chosen.config.runs.folder)).path(run)


def _default(context: typer.Context) -> Path:
    chosen: Context = context.obj
    return chosen.config.path(chosen.config.trading.anchors)


def _anchors(context: typer.Context, folder: Path, given: Path | None) -> Path | None:
    """The file of anchors to check against; the usual one only where it knows the ledger."""
    from energy_sim.trading.ledger.anchor import read_anchors
    from energy_sim.trading.ledger.export import LEDGER_FILE, read_export

    default = _default(context)
    if given is not None or not default.is_file() or not (folder / LEDGER_FILE).is_file():
        return given
    try:
        ledger_id = read_export(folder / LEDGER_FILE).identity.ledger_id
        return default if read_anchors(default, ledger_id) else None
    except LedgerError:  # told by the verification, or by reading the anchors there
        return default


def _stop_if_bad(found: "Verification") -> None:
    _stop(found.first_bad)


def _stop(problem: str) -> None:
    if problem:
        sys.stderr.write(f"energy-sim: {problem}\n")
        raise typer.Exit(1)
