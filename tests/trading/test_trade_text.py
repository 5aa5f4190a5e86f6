"""The text of a household's trades: `seller:amount-seller:amount`, written and read back."""

import re

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from energy_sim.errors import DataError
from energy_sim.trading.model import Trades
from energy_sim.trading.results import parse_trades, trade_texts


@pytest.mark.parametrize(
    ("text", "trades"),
    [
        ("", ()),
        ("A:1.500000000", (("A", 1.5),)),
        ("A:0.5-B:2", (("A", 0.5), ("B", 2.0))),
        ("home-1:0.25-home-2:0.75", (("home-1", 0.25), ("home-2", 0.75))),
        ("-A-:1--B:2", (("-A-", 1.0), ("-B", 2.0))),
        ("A:1e-05-B:2E+1-C:3e1", (("A", 1e-05), ("B", 20.0), ("C", 30.0))),
        ("A:1e-05:2", (("A:1e-05", 2.0),)),  # the last colon's
        ("street:5:0.5-B::1", (("street:5", 0.5), ("B:", 1.0))),
        ("7:1-8:2", (("7", 1.0), ("8", 2.0))),
        ("e-5:1e-5-5:5", (("e-5", 1e-5), ("5", 5.0))),
        ("a\nb:1.-Ø æ:.5", (("a\nb", 1.0), ("Ø æ", 0.5))),
        ("A:1-A:2", (("A", 1.0), ("A", 2.0))),
        ("x:1-y:2", (("x", 1.0), ("y", 2.0))),  # also what a seller "x:1-y" would be written as
    ],
)
def test_a_text_is_read_as_its_trades(text, trades):
    assert parse_trades(text) == trades


@pytest.mark.parametrize(
    "text",
    [
        *("A", "A:", ":1", "A:x", "A:-1", "A:nan", "A:.", "A:1.0.0", "A:1e", "A:1-", "-", "A:1-B", "A:1-:2", "A:1 "),
        *("A:1\n", "A:\N{FULLWIDTH DIGIT ONE}", "[]"),
    ],
)
def test_a_text_that_is_something_else_is_refused_by_name(text):
    with pytest.raises(DataError) as refused:
        parse_trades(text)
    assert str(refused.value) == f"p2p_trades is {text!r}; write seller:amount-seller:amount"


def test_trades_are_written_with_the_buyer_nine_decimals_in_their_order():
    trades = Trades(np.array([0, 1, 1]), np.array([0, 2, 0]), np.array([1, 1, 1]), np.array([0.5, 1e-5, 2.0]))
    texts = trade_texts(["A", "B", "C-1"], trades, 3)
    assert texts.tolist() == [["", "A:0.500000000", ""], ["", "C-1:0.000010000-A:2.000000000", ""], ["", "", ""]]


def is_clear(name: str) -> bool:
    """Whether nothing inside the name looks like the end of a trade."""
    return re.search(r":[0-9.]+(e[-+]?[0-9]+)?-", name, re.IGNORECASE) is None


names = st.one_of(st.text("ab:-.015eE+", min_size=1, max_size=8), st.text(min_size=1, max_size=5)).filter(is_clear)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(names, min_size=2, max_size=5, unique=True))
def test_what_is_written_is_read_back(data, ids):
    homes = st.integers(0, len(ids) - 1)
    rows = data.draw(st.lists(st.tuples(st.integers(0, 1), homes, homes, st.floats(0, 1e6)), max_size=8))
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    step, seller, buyer = (np.array(column, np.int64) for column in columns[:3])
    texts = trade_texts(ids, Trades(step, seller, buyer, np.array(columns[3], float)), 2)
    event(f"{len(rows)} trades")
    for at in range(2):
        for home in range(len(ids)):
            read = parse_trades(texts[at, home])
            mine = [(ids[who], kwh) for when, who, whose, kwh in rows if (when, whose) == (at, home)]
            assert [who for who, _ in read] == [who for who, _ in mine]
            assert [kwh for _, kwh in read] == pytest.approx([kwh for _, kwh in mine], rel=1e-12, abs=5.1e-10)
