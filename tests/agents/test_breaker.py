"""The circuit breaker: two failures open it, one probe decides, and probes are few."""

from energy_sim.agents.grid.breaker import Breaker, answered, choose, failed, standing


def test_it_opens_with_the_second_failure_and_asks_for_one_probe_after_thirty_seconds():
    once = failed(Breaker(), 100.0, failures=2)
    assert (once, standing(once, 100.0, 30.0)) == (Breaker(1), "closed")
    twice = failed(once, 105.0, failures=2)
    assert twice == Breaker(2, opened_s=105.0)
    assert [standing(twice, now, 30.0) for now in (105.0, 134.9, 135.0)] == ["open", "open", "probe"]


def test_a_failed_probe_opens_it_anew_and_an_answer_closes_it():
    reopened = failed(Breaker(2, 105.0), 135.0, failures=2)
    assert reopened == Breaker(3, opened_s=135.0)
    assert standing(reopened, 164.0, 30.0) == "open"
    assert answered(reopened) == Breaker()
    assert answered(Breaker(1)) == Breaker()


def test_all_closed_ones_are_asked_and_of_the_probes_those_that_waited_longest():
    breakers = {f"hung_{n}": Breaker(2, opened_s=float(n)) for n in range(5)} | {"shut": Breaker(2, opened_s=90.0)}
    ids = ["new", *sorted(breakers, reverse=True)]
    ask, leave = choose(ids, breakers, now_s=100.0, open_s=30.0, probes=2)
    assert ask == ["new", "hung_0", "hung_1"]
    assert sorted(leave) == ["hung_2", "hung_3", "hung_4", "shut"]
