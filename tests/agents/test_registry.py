"""Who is known: leases survive a restart, tokens belong to one name."""

import stat

import pytest

from energy_sim.agents.grid.registry import (
    lease_from,
    orders_json,
    read_clock,
    read_leases,
    read_or_make_secret,
    read_orders,
    same,
    token_of,
    write_leases,
    write_progress,
)
from energy_sim.agents.messages import Nameplate, Registration
from energy_sim.agents.orders import Order
from energy_sim.database import open_database
from energy_sim.errors import ConfigError, DataError

PLATES = (Nameplate(id="home_1/load", kind="load", min_kw=0.0, max_kw=9.0),)
ASKED = Registration(id="home_1", role="home", transformer_id="transformer_A", url="", nameplates=PLATES)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'agents.db'}"


def test_leases_orders_sequences_and_the_clock_survive_a_restart(url):
    engine = open_database(url)
    write_leases(engine, [lease_from(ASKED, 1000.0, None)])
    order = Order("c7-1", "home_1/load", 1.5, since_s=42.0, reason="overload")
    write_progress(engine, {"home_1": (1005.0, 17)}, {"home_1": orders_json([order])}, ("grid_agent", 7, 420.0))
    engine.dispose()

    again = open_database(url)
    (lease,) = read_leases(again).values()
    assert (lease.seen, lease.sequence, lease.nameplates) == (1005.0, 17, PLATES)
    assert read_orders(lease.orders) == (order,)
    assert read_clock(again, "grid_agent") == (7, 420.0)
    moved = lease_from(ASKED.model_copy(update={"transformer_id": "transformer_B"}), 2000.0, lease)
    write_leases(again, [moved])  # registering again moves it and forgets neither sequence nor orders
    assert read_leases(again) == {"home_1": moved}
    assert (moved.transformer_id, moved.registered, moved.sequence) == ("transformer_B", 2000.0, 17)
    again.dispose()


def test_a_row_that_cannot_be_read_costs_one_agent_not_all(url, caplog):
    engine = open_database(url)
    other = ASKED.model_copy(update={"id": "home_2", "nameplates": ()})
    write_leases(engine, [lease_from(ASKED, 1.0, None), lease_from(other, 1.0, None)])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE agents SET nameplates = 'torn' WHERE id = 'home_1'")
    assert list(read_leases(engine)) == ["home_2"]
    assert "agent=home_1" in caplog.text
    assert read_orders("[{torn") == ()
    engine.dispose()


def test_a_token_opens_one_name_and_stays_the_same(tmp_path):
    path = tmp_path / "keys" / "grid.key"
    secret = read_or_make_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_secret(path) == secret
    assert list(path.parent.iterdir()) == [path]
    assert token_of(secret, "home_1") == token_of(secret, "home_1") != token_of(secret, "home_2")
    assert same(token_of(secret, "home_1"), token_of(secret, "home_1"))
    assert not same("ø\ud800", token_of(secret, "home_1"))


def test_a_secret_that_others_may_read_or_that_is_short_is_refused(tmp_path):
    path = tmp_path / "grid.key"
    path.write_bytes(b"x" * 64)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"may be read by others; run chmod 600"):
        read_or_make_secret(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"shorter than 32 bytes; remove it"):
        read_or_make_secret(path)
    with pytest.raises(ConfigError, match=r"agents\.grid_key: .*give a file that may be written"):
        read_or_make_secret(path / "below_a_file")


def test_foreign_and_doubled_nameplates_are_refused():
    foreign = ASKED.model_copy(update={"nameplates": (PLATES[0].model_copy(update={"id": "home_10/load"}),)})
    with pytest.raises(DataError, match=r"home_10/load does not belong to home_1; register your own"):
        lease_from(foreign, 1.0, None)
    with pytest.raises(DataError, match="names a resource twice"):
        lease_from(ASKED.model_copy(update={"nameplates": PLATES * 2}), 1.0, None)
    for kind, low, high, told in (
        ("solar", -5.0, 1.0, "solar is 0 kW or below"),
        ("load", -1.0, 5.0, "a load is 0 kW or above"),
        ("ev", -11.0, 11.0, "an ev is 0 kW or above"),
    ):
        plate = Nameplate(id=f"home_1/{kind}", kind=kind, min_kw=low, max_kw=high)
        with pytest.raises(DataError, match=told):
            lease_from(ASKED.model_copy(update={"nameplates": (plate,)}), 1.0, None)
