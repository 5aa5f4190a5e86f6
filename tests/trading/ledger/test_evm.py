"""The settlement contract on a chain inside the process."""

from dataclasses import replace

import pytest

from energy_sim.errors import ConfigError, DataError, LedgerError
from energy_sim.trading.ledger import evm
from energy_sim.trading.ledger.anchor import make_anchor
from tests.trading.ledger.books import LEDGER_ID, open_book, write_book


@pytest.fixture(scope="module")
def provider():
    for name in ("vyper", "web3", "eth_tester"):
        pytest.importorskip(name, reason="no chain: install kraftflyt[evm] and eth-tester[py-evm]")
    from eth_tester import EthereumTester, PyEVMBackend
    from web3 import EthereumTesterProvider

    return EthereumTesterProvider(EthereumTester(PyEVMBackend()))


@pytest.fixture(scope="module")
def chain(provider):
    return evm.connect(provider=provider)


@pytest.fixture
def stored(tmp_path):
    engine = open_book(tmp_path)
    found = write_book(engine).read()
    engine.dispose()
    return found


def test_a_ledger_is_settled_and_anchored_once(chain, stored):
    address = evm.deploy(chain)
    assert evm.read_anchor(chain, address, LEDGER_ID) is None
    with pytest.raises(DataError, match="not anchored"):
        evm.verify_on_chain(None, stored)
    kept = evm.settle_and_anchor(chain, address, stored)
    assert kept == make_anchor(stored)
    found = evm.read_anchor(chain, address, LEDGER_ID)
    assert found == evm.ChainAnchor(kept.ledger_root, 7, 10_500)  # 6 steps of 1.75 kWh
    net = [evm.read_balance(chain, address, LEDGER_ID, member) for member in range(4)]
    assert net == [1_800_000, -1_200_000, 300_000, -900_000]  # micro-EUR: 6 steps at 0.20 EUR/kWh
    assert evm.verify_on_chain(found, stored) == ""
    with pytest.raises(LedgerError, match="the period is settled"):
        evm.settle_and_anchor(chain, address, stored)
    assert evm.verify_on_chain(found, replace(stored, blocks=stored.blocks[:5])).startswith("block 5: is missing")
    assert evm.verify_on_chain(replace(found, blocks=5), stored).startswith("block 5: is not on the chain")
    assert "root" in evm.verify_on_chain(replace(found, ledger_root="00" * 32), stored)


def test_what_does_not_sum_to_zero_is_refused_by_the_contract(chain, stored):
    address = evm.deploy(chain)
    with pytest.raises(LedgerError, match="do not sum to zero"):
        evm.settle_and_anchor(chain, address, stored, [5, -4, 0, 0])
    assert evm.read_anchor(chain, address, LEDGER_ID) is None
    assert evm.read_balance(chain, address, LEDGER_ID, 0) == 0
    with pytest.raises(LedgerError, match="1024"):
        evm.settle_and_anchor(chain, address, stored, [0] * 1025)
    evm.settle_and_anchor(chain, address, stored, evm.whole_positions([0.5, -0.25, -0.25, 0.0]))
    assert [evm.read_balance(chain, address, LEDGER_ID, m) for m in range(3)] == [500_000, -250_000, -250_000]


def test_only_the_operator_settles(chain, stored):
    address = evm.deploy(chain)
    with pytest.raises(LedgerError, match="only the operator settles"):
        evm.settle_and_anchor(replace(chain, account=chain.web3.eth.accounts[1]), address, stored)
    assert evm.read_anchor(chain, address, LEDGER_ID) is None


def test_transactions_are_signed_here_with_a_key_from_a_file(provider, stored, tmp_path):
    key = tmp_path / "account.key"
    key.write_text("0x" + "1".zfill(64) + "\n")  # the first account of every eth-tester
    own = evm.connect(provider=provider, key_file=key)
    assert own.account == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    address = evm.deploy(own)
    evm.settle_and_anchor(own, address, stored)
    assert evm.read_anchor(own, address, LEDGER_ID).blocks == 7
    key.write_text("no key")
    with pytest.raises(ConfigError, match="holds no private key"):
        evm.connect(provider=provider, key_file=key)


def test_a_chain_that_does_not_answer_and_an_address_that_is_none_are_named(chain, stored):
    with pytest.raises(ConfigError, match="no chain answers"):
        evm.connect("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="no address"):
        evm.read_anchor(chain, "0x12", LEDGER_ID)
    with pytest.raises(LedgerError, match="the chain refuses"):
        evm.read_anchor(chain, "0x" + "00" * 20, LEDGER_ID)


def test_without_the_extra_the_error_names_it(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(evm, "import_module", missing)
    for call in (evm.compile_contract, lambda: evm.connect("http://127.0.0.1:9")):
        with pytest.raises(ConfigError, match=r"install kraftflyt\[evm\]"):
            call()


@pytest.mark.parametrize(
    ("positions_eur", "expected"),
    [
        ([0.1, -0.1], (100_000, -100_000)),
        ([0.0000005, 0.0000005, -0.000001], (1, 0, -1)),
        ([0.1 + 0.2, -0.3], (300_000, -300_000)),
        ([1.0000004, 1.0000004, -2.0000008], (1_000_001, 1_000_000, -2_000_001)),
        ([0.0000004] * 3, (0, 0, 0)),
        ([], ()),
    ],
)
def test_positions_are_rounded_so_that_they_sum_to_zero(positions_eur, expected):
    assert sum(expected) == 0
    assert evm.whole_positions(positions_eur) == expected


@pytest.mark.parametrize("positions_eur", [[1.0, -0.9], [float("nan"), 0.0]])
def test_positions_that_do_not_balance_are_refused(positions_eur):
    with pytest.raises(LedgerError, match="not 0"):
        evm.whole_positions(positions_eur)
