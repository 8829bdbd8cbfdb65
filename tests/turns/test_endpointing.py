"""The silence that ends a caller's turn. Whole turns are in test_caller."""

from __future__ import annotations

from patter_nb.turns.endpointing import Endpointing


def test_without_a_silence_granted_no_turn_is_over():
    endpoint = Endpointing()
    assert not endpoint.is_reached(1e9)
    assert endpoint.next_timer() is None
    assert endpoint.later(3.0) == float("inf")


def test_the_silence_is_reached_at_its_end_and_that_instant_stays():
    endpoint = Endpointing()
    endpoint.grant(2.0)
    assert not endpoint.is_reached(1.999)
    assert endpoint.next_timer() == 2.0
    assert endpoint.is_reached(2.0)
    assert endpoint.is_reached(3.0)
    assert endpoint.reached_at == 2.0
    assert endpoint.next_timer() is None
    assert endpoint.later(0.5) == 2.5


def test_it_is_noted_when_it_was_seen():
    endpoint = Endpointing()
    endpoint.grant(2.0)
    assert endpoint.is_reached(2.4)
    assert endpoint.reached_at == 2.4


def test_speech_takes_the_silence_back():
    endpoint = Endpointing()
    endpoint.grant(2.0)
    assert endpoint.is_reached(2.0)
    endpoint.hold()
    assert endpoint.reached_at is None
    assert not endpoint.is_reached(9.0)


def test_a_silence_granted_anew_is_reached_anew():
    endpoint = Endpointing()
    endpoint.grant(2.0)
    assert endpoint.is_reached(2.0)
    endpoint.grant(5.0)
    assert not endpoint.is_reached(3.0)
    assert endpoint.next_timer() == 5.0


def test_the_turn_is_not_over_before_another_key_could_have_followed():
    endpoint = Endpointing(not_before=3.0)
    endpoint.grant(2.0)
    assert endpoint.next_timer() == 3.0
    endpoint.grant(3.5)
    assert endpoint.next_timer() == 3.5
