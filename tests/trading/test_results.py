"""The results files: columns and texts as promised, read back as written, and every fault named."""

import numpy as np
import pandas as pd
import pytest

from energy_sim.errors import DataError
from energy_sim.trading.model import Trades
from energy_sim.trading.results import read_results, recorded, results_table, trade_texts
from energy_sim.trading.settlement import settle
from energy_sim.trading.simulator import simulate
from tests.trading.cases import COLUMNS, case, days_of
from tests.trading.seed_folder import OPTIMISED, TWELVE, column, rows_of, write_seed_folder

ODD_IDS = ("NA", "house-1", "a:b", "null", "7", "Über 3")


@pytest.fixture(scope="module")
def table():
    made = case(*days_of(6, 20, seed=2), "greedy", household={"battery_probability": 0.5})
    flows = simulate(made).optimised
    accounts = settle(flows, made.prices, made.market, "mid_market_rate", False, 5.0, None)
    assert len(flows.trades.kwh) > 5
    assert (flows.capacity_kwh == 0).any()
    return results_table(recorded(ODD_IDS, flows, accounts)), flows, accounts


def trades_of(*rows):
    columns = list(zip(*rows, strict=True))
    return Trades(*(np.array(c, dtype=np.int64) for c in columns[:3]), np.array(columns[3]))


def test_trades_stand_with_the_buyer_as_seller_and_amount():
    texts = trade_texts(("a", "b", "c"), trades_of((0, 0, 1, 1.5), (0, 2, 1, 0.25), (1, 1, 0, 1e-7)), 2)
    assert texts.tolist() == [["", "a:1.500000000-c:0.250000000", ""], ["b:0.000000100", "", ""]]


def test_the_columns_are_those_of_the_contract_in_its_order_steps_first_then_households(table):
    rows, flows, accounts = table
    assert list(rows) == COLUMNS
    assert rows["step"].tolist() == [t for t in range(20) for _ in ODD_IDS]
    assert rows["household_id"].tolist() == [*ODD_IDS] * 20
    none = flows.capacity_kwh == 0
    filled = rows["battery_pct"].to_numpy().reshape(20, 6)
    assert (filled[:, none] == 0).all()
    np.testing.assert_allclose(filled[:, ~none], 100 * flows.stored_kwh[:, ~none] / 10)
    assert rows["wallet"].to_numpy().reshape(20, 6).tolist() == accounts.wallet_eur.tolist()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_written_is_read_back_whatever_households_are_called(table, tmp_path, kind):
    rows, flows, accounts = table
    path = tmp_path / f"optimized_results.{kind}"
    rows.to_csv(path, index=False) if kind == "csv" else rows.to_parquet(path, index=False)
    found = read_results(path)
    assert (found.ids, found.steps) == (ODD_IDS, 20)
    for name, wanted in (("production", flows.pv_kwh), ("stored_kwh", flows.stored_kwh), ("fee", accounts.fee_eur),
                         ("wallet", accounts.wallet_eur), ("unserved_kwh", flows.unserved_kwh)):  # fmt: skip
        assert np.array_equal(found.columns[name], wanted)
    for field in ("step", "seller", "buyer"):
        told = pd.DataFrame({name: getattr(found.trades, name) for name in ("step", "buyer", "seller")})
        wanted = pd.DataFrame({name: getattr(flows.trades, name) for name in ("step", "buyer", "seller")})
        told, wanted = (one.sort_values(["step", "buyer", "seller"])[field].tolist() for one in (told, wanted))
        assert told == wanted
    np.testing.assert_allclose(np.sort(found.trades.kwh), np.sort(flows.trades.kwh), rtol=0, atol=1e-9)


@pytest.mark.parametrize("order", ["step", "household"])
def test_twelve_columns_are_enough_in_any_order_of_the_rows(tmp_path, order):
    found = read_results(write_seed_folder(tmp_path, order) / "optimized_results.csv")
    assert found.ids == ("ap1", "ap2", "cs1")
    assert np.array_equal(found.columns["wallet"], column(OPTIMISED, 4))
    assert np.array_equal(found.columns["p2p_sell_amount"], column(OPTIMISED, 9))
    assert "charge_kwh" not in found.columns
    trades = found.trades
    assert [t.tolist() for t in (trades.step, trades.seller, trades.buyer)] == [
        [0, 0, 2, 2],
        [0, 0, 0, 1],
        [1, 2, 2, 2],
    ]
    assert trades.kwh.tolist() == [3.0, 2.0, 1.5, 0.75]


GOOD = rows_of(OPTIMISED)
FAULTS = {  # what becomes of the rows -> what is said
    "no rows": ([], "has no rows"),
    "a step without a household": (GOOD[:-1], "step 2 has not each of the 3 households once"),
    "a row twice": ([*GOOD, GOOD[0]], "step 0 has not each of the 3 households once"),
    "a household twice instead of another": ([*GOOD[:-1], GOOD[-2]], "step 2 has not each of the 3 households once"),
    "a whole step is missing": (GOOD[:3] + GOOD[6:], "step 1 is missing"),
    "a step is text": ([*GOOD[:-1], GOOD[-1].replace("2,cs1", "x,cs1")], "step in data row 9: 'x' is no whole number"),
    "all steps are blank": ([row[1:] for row in GOOD], "step in data row 1: .* is no whole number"),
    "half a step": ([*GOOD[:-1], GOOD[-1].replace("2,cs1", "1.5,cs1")], "is no whole number"),
    "a number is text": ([*GOOD[:-1], GOOD[-1].replace("-37.9", "much")], "step 2, cs1, wallet: 'much' is no number"),
    "a number is blank": ([*GOOD[:-1], GOOD[-1].replace("-37.9", "")], "step 2, cs1, wallet: '' is no number"),
    "NaN": ([*GOOD[:-1], GOOD[-1].replace("-37.9", "nan")], "step 2, cs1, wallet: 'nan' is no number"),
    "infinity": ([*GOOD[:-1], GOOD[-1].replace("-37.9", "inf")], "step 2, cs1, wallet: .* is outside -1e"),
    "absurd": ([*GOOD[:-1], GOOD[-1].replace("-37.9", "1e300")], "step 2, cs1, wallet: .*1e.300.* is outside -1e"),
    "no id": ([*GOOD[:-1], GOOD[-1].replace("cs1", "")], "a household_id is blank"),
    "trade with a stranger": ([*GOOD[:-1], GOOD[-1].replace("ap2:", "zz:")], "p2p_trades: .*: seller 'zz' is no"),
    "half a trade": ([*GOOD[:-1], GOOD[-1].replace("-ap2:0.75", "-ap2")], "p2p_trades: 'ap1:1.5-ap2': is not seller"),
    "trade of a debt": ([*GOOD[:-1], GOOD[-1].replace("ap1:1.5-ap2:0.75", "ap1:-1")], "is not seller:amount"),
    "trade of infinity": ([*GOOD[:-1], GOOD[-1].replace("ap1:1.5", "ap1:1e999")], "is not seller:amount"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_with_a_fault_is_refused_with_its_place(tmp_path, name):
    rows, says = FAULTS[name]
    assert rows != GOOD
    path = tmp_path / "baseline_results.csv"
    path.write_text("\n".join([TWELVE, *rows, ""]), encoding="utf-8")
    with pytest.raises(DataError, match=says) as caught:
        read_results(path)
    assert str(caught.value).startswith(str(path))


def test_other_faults_of_a_file(tmp_path):
    for name, content, says in (
        ("a.csv", TWELVE.replace(",wallet", "").replace(",production", "") + "\n", "column production, wallet missing"),
        ("b.csv", "", "cannot be read"),
        ("c.csv", b"\xff\xfe\x00\x01", "cannot be read"),
        ("d.parquet", "no parquet", "cannot be read"),
        ("e.csv", None, "cannot be read"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(DataError, match=says):
            read_results(tmp_path / name)
