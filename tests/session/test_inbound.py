"""When inbound audio was really heard."""

import random

from patter_nb.session.inbound import StreamClock


def test_a_frame_that_waited_in_a_busy_loop_is_dated_by_its_stamp() -> None:
    clock = StreamClock()
    assert clock.ends_at(0, 0.02, 5.02) == 5.02
    assert abs(clock.ends_at(20, 0.02, 7.0) - 5.04) < 1e-5
    assert abs(clock.ends_at(40, 0.02, 7.0) - 5.06) < 1e-5


def test_the_least_delayed_frame_sets_the_offset_whatever_the_jitter() -> None:
    random.seed(3)
    clock = StreamClock()
    errors = []
    for number in range(500):
        true_end = (number + 1) * 0.02
        ends_at = clock.ends_at(number * 20, 0.02, true_end + random.uniform(0, 0.08))
        errors.append(ends_at - true_end)
    assert all(error >= -1e-9 for error in errors)
    assert max(errors[100:]) < 0.005


def test_a_carriers_slow_clock_is_followed() -> None:
    clock = StreamClock()
    drift = 30e-6
    for number in range(200_000):
        true_end = (number + 1) * 0.02 * (1 + drift)
        ends_at = clock.ends_at(number * 20, 0.02, true_end)
    assert abs(ends_at - true_end) < 0.001
