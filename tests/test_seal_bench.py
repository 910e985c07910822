"""The bench of the seals runs, misses nothing, and tells all of its figures."""

from collections import Counter

from host.figures.seal_bench import HISTOGRAMS, Times, _figures, measure

OPENINGS = 40


def test_openings_at_any_moment_open_the_contactor_with_and_without_their_interrupt():
    run = measure(OPENINGS, without_ms=1000)
    times = {name: Times() for name in HISTOGRAMS}
    for name in HISTOGRAMS:
        times[name].add(*run.pop(name))
    assert run["openings"] == OPENINGS and run["missed"] == 0
    assert times["off"].total + times["off_erasing"].total + times["lost"].total == OPENINGS
    assert times["lost"].total + times["off_erasing"].total >= OPENINGS // 20
    assert times["durable"].total + times["durable_erasing"].total == OPENINGS
    assert run["published"] > 0 and run["reader_accesses"] > 0, "all else is at work"
    figures = {figure.name: figure for figure in _figures(times, Counter(run))}
    assert figures["contactor not off within 1 s"].met


def test_parts_of_many_times():
    times = Times()
    assert times.ms(0.5) == 0
    times.add(350, {"0": 90, "3": 9})
    times.add(9990, {"99": 1})
    assert (times.total, times.longest_ms) == (100, 9.99)
    assert (times.ms(0.5), times.ms(0.9), times.ms(0.99), times.ms(1)) == (0.1, 0.1, 0.4, 9.99)
