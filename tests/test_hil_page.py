"""docs/hil.md agrees with the code: the file it shows, its table, its drawings, the pins."""

import importlib
import re
from xml.etree import ElementTree

import pytest

from hw.bench import drawing
from hw.bench.config import BenchConfig, read_bench
from hw.bench.wiring import INPUTS, ORDER_TO_REST, RELAYS, capability_relays
from hw.verbs import CAPABILITIES

PAGE = drawing.PAGE.read_text()
TOML = PAGE.partition("```toml\n")[2].partition("```")[0]


@pytest.fixture
def shown(tmp_path) -> BenchConfig:
    """The bench that the page shows."""
    path = tmp_path / "bench.toml"
    path.write_text(TOML)
    return read_bench(path)


def test_the_file_that_is_shown_can_do_everything(shown):
    assert shown.capabilities == set(CAPABILITIES)
    assert set(shown.relays.coils) == set(RELAYS) == set(ORDER_TO_REST)
    assert set(shown.relays.inputs) == set(INPUTS)


def test_the_table_is_of_that_file(shown):
    table = PAGE.partition(drawing.BEGIN)[2].partition(drawing.END)[0]
    assert table == drawing.wiring_table(shown), "run: make docs"
    for name, coil in shown.relays.coils.items():
        assert f"| `{name}` | coil {coil} | {RELAYS[name].contact} |" in table
    assert drawing.page(PAGE) == PAGE


def test_every_pin_behind_a_relay_is_one_of_the_boards():
    for board in ("wroom32", "wrover"):
        pins = importlib.import_module(f"hw.boards.{board}").PINS
        for name, relay in {**RELAYS, **INPUTS}.items():
            assert not relay.pin or relay.pin in pins, name


@pytest.mark.parametrize("name", drawing.DRAWINGS)
def test_a_drawing_is_the_one_that_is_made_and_fits_its_page(name):
    text = (drawing.DOCS / name).read_text()
    assert text == drawing.DRAWINGS[name](), "run: make docs"
    assert f"({name})" in PAGE
    root = ElementTree.fromstring(text)
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter():
        for point in (element.get("points") or "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height, point


def words(name: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.parse(drawing.DOCS / name).iter()
            if one.tag.endswith("}text")]


def test_every_relay_is_drawn_with_its_contact_and_its_ends():
    drawn = words("hil-relays.svg")
    for name, relay in {**RELAYS, **INPUTS}.items():
        assert name in drawn and set(relay.ends) <= set(drawn), name
        if relay.ohm:
            assert drawing.in_ohm(relay.ohm) in drawn
    assert drawn.count("NC") == 3
    car = words("hil-pilot.svg")
    pilot = [name for name, relay in RELAYS.items() if relay.pin == "pilot_adc"]
    assert len(pilot) == 5 and set(pilot) <= set(car)


def test_the_resistors_make_the_letters_of_the_standard():
    def together(*names: str) -> float:
        return 1 / sum(1 / RELAYS[name].ohm for name in names)

    assert together("pilot_b") == 2740
    assert together("pilot_b", "pilot_c") == pytest.approx(882, abs=1)
    assert together("pilot_b", "pilot_d") == pytest.approx(246, abs=1)


def test_every_capability_is_explained():
    for name in CAPABILITIES:
        assert f"`{name}`" in PAGE.partition("| capability |")[2], name
    for name in RELAYS:
        assert name in capability_relays(RELAYS[name].capability)
    assert not re.search(r"\]\((?!http)[^)]*\.png\)", PAGE)
