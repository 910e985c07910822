"""The torture finds a ring in which one rule is taken out: a test of the test.

Each rule is one place in the source (docs/DESIGN.md, "Power cuts"). The seeds are such that it is
found soon; if the store reads in another order they may need others, so there are some to spare.
"""

import importlib
from pathlib import Path

import pytest

from tests import torture

CUTS_TO_SPARE = 20_000

RULES = {
    "the stretch behind the newest record is void": (
        *("ring", "Ring", "_settle", 1),
        *(
            "        mark = void_from + self.longest\n        try",
            "        mark = void_from\n        try",
        ),
    ),
    "a mark is written": (
        *("ring", "Ring", "_settle", 1),
        *("self._write_mark(mark, void_from)", "pass"),
    ),
    "the newest record is programmed again": (
        *("ring", "Ring", "_settle", 1),
        *("self._program(self.head, self.chain.whole(length), self._newest_offset)", "pass"),
    ),
    "a mark that was seen is programmed again": (
        *("ring", "Ring", "_settle", 2),
        *("self._write_mark(end - MARK_SIZE, begin)", "pass"),
    ),
    "the newest record is believed by its mac": (
        *("ring", "Ring", "_load_head", 1),
        *("if not good and", "if False and"),
    ),
    "a program is read back": (
        *("writer", "Writer", "_program", 2),
        *("back != view", "False"),
    ),
    "an erasure is read back": (
        *("writer", "Writer", "_erase", 2),
        *("window != BLANK", "False"),
    ),
    "a sector counts as erased once that is written in it": (
        *("sectors", "Sectors", "farthest_begun", 1),
        *("if header[:4] == MAGIC and number(header, 4, 4) == self.lap_of(sector)", "if True"),
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_ring_without_the_rule_is_found(rule, monkeypatch):
    module_name, class_name, method, seed, text, instead = RULES[rule]
    module = importlib.import_module(f"wallbox.store.{module_name}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert source.count(text) == 1, f"{module.__file__} has changed: say here what the rule is now"
    changed = {"__name__": module.__name__, "__package__": module.__package__}
    exec(compile(source.replace(text, instead), module.__file__, "exec"), changed)
    function = vars(changed[class_name])[method]
    monkeypatch.setattr(getattr(module, class_name), method, function)
    with pytest.raises(AssertionError, match=r"^seed \d+, life \d+: "):
        torture.run(seed, CUTS_TO_SPARE)
