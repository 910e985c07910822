"""docs/rules.md says what the rules do today."""

from wallbox.core import events, fields, refusals

from host.rules import play
from host.rules.__main__ import DOCUMENT
from host.rules.page import page
from host.rules.samples import SAMPLES
from host.rules.situations import SITUATIONS


def test_the_page_is_not_stale():
    assert DOCUMENT.read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_kind_of_event_is_played():
    kinds = {name for name, _ in fields.table(events.KINDS)}
    assert {sample.label.split(" ")[0] for sample in SAMPLES} == kinds


def test_every_refusal_is_seen_and_has_its_rule():
    assert set(play.refusing_rules()) == set(refusals.all_names())


def test_situations_and_samples_are_told_apart():
    assert len({one.name for one in SITUATIONS}) == len(SITUATIONS)
    assert len({one.label for one in SAMPLES}) == len(SAMPLES)


def test_every_phase_of_a_session_and_every_way_of_the_supply_is_reached():
    phases = {name for pair in play.edges(play.phase) for name in pair}
    assert phases == set(play.PHASES)
    ways = {name for pair in play.edges(play.supply) for name in pair}
    assert ways == {"off", "offered", "on", "asked to pause"}
