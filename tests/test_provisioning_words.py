"""What the box says reaches the partner in Danish: each sentence of the firmware is listed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pydantic
import pytest

from host.provisioning import box_words, names, order, texts
from host.provisioning.box_words import in_words
from host.provisioning.manifest import Manifest
from host.provisioning.order import Order, check_order, field_error
from host.provisioning.outcome import Stopped
from host.provisioning.page import _TESTS
from host.provisioning.partner import Partner

BOX = Path(__file__).resolve().parent.parent / "firmware" / "lib" / "wallbox"
LAPTOP = Path(box_words.__file__).resolve().parent
# words of a protocol or a file, units, joined parts: nothing to translate
AS_THEY_ARE = {
    "%s %s", "%s V", "%d.%d", "%d.%03d kWh", "%d %d %d mA", "%s, %d mV", "%d dBm", "%s: %s",
    "%s:%d", "%d s UTC", "L%d", ", ", " ", "A B C", "",
}


def constants(*paths: Path) -> set[str]:
    """Every text in the code, without docstrings."""
    found = set()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found |= {
            node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and id(node) not in docs
        }
    return found


def bare(text: str) -> str:
    """Without the names of its values: `%s`, `%d`, `{name}` are {}."""
    return re.sub(r"%[-0-9.]*[sdx]|{\w*}", "{}", text)


@pytest.mark.parametrize(
    ("listed", "files"),
    [
        (box_words.OF_SELF_TEST, sorted((BOX / "selftest").glob("*.py"))),
        (box_words.OF_METER, [BOX / "drivers" / "meter_texts.py"]),
        (box_words.OF_LINK, [BOX / "link" / "texts.py"]),
        (box_words.OF_CONFIGURATION, [BOX / "config.py"]),
        (box_words.OF_ORDERS, [BOX / "console" / "partner.py", BOX / "console" / "desk.py"]),
        (box_words.OF_PEOPLE, [LAPTOP / "step_test_people.py"]),
    ],
    ids=["self-test", "meter", "link", "configuration", "orders", "people"],
)
def test_what_is_listed_is_what_the_code_says(listed, files):
    said = {bare(text) for text in constants(*files)}
    whole = "\n".join(sorted(said))
    for message in listed:
        parts = [part for part in bare(message).split("{}") if len(part) > 3]
        assert bare(message) in said or all(part.strip("; ") in whole for part in parts), message


def test_each_sentence_of_the_self_test_is_listed():
    files = sorted((BOX / "selftest").glob("*.py"))
    listed = {bare(text) for text in (*box_words.OF_SELF_TEST, *box_words.OF_ORDERS)}
    sentences = {
        text for text in constants(*files)
        if " " in text and text not in AS_THEY_ARE and not re.fullmatch(r"[a-z -]+", text)
        or text.startswith(("no ", "not ", "stays "))
    }
    assert len(sentences) > 30
    missing = {text for text in sentences if bare(text) not in listed}
    # refused only if a program orders a test that there is none of; part of `open: {names}`
    assert missing <= {"only: %s is no test", "open: "}, missing


def test_the_meters_and_the_links_sentences_are_listed():
    for file, listed in ((BOX / "drivers" / "meter_texts.py", box_words.OF_METER),
                         (BOX / "link" / "texts.py", box_words.OF_LINK)):
        said = {text for text in constants(file) if re.search(r"[a-z]+: [a-z].* ", text)}
        missing = {bare(text) for text in said} - {bare(text) for text in listed}
        # parts of sentences that are put together
        parts = {"{}: {}: {}", "link to {}:{}: {}", "meter {}, address {}, {} baud 8{}1",
                 "store: {}"}  # of a full ledger: a bug, with the interpreter's own words
        assert missing <= parts


def danish(text: str) -> str:
    return in_words(text, "da")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("open: lid, terminal cover", "åben: låg, klemdæksel"),
        ("open the lid, and close it again", "åbn låg, og luk igen"),
        ("hold a tag to the reader within 30 s", "hold en brik mod læseren inden 30 s"),
        ("L1, L2: 207 to 253 V are right; check breaker and terminals",
         "L1, L2: 207 til 253 V er rigtigt; se på afbryder og klemmer"),
        ("link to broker.example:8883: refused: not available now",
         "forbindelse til broker.example:8883: afvist: ikke tilgængelig nu"),
        ("meter EM340, address 1, 9600 baud 8N1: Silent: "
         "no answer: check address, baud rate, parity N/E, and A/B swapped",
         "måler EM340, adresse 1, 9600 baud 8N1: Silent: "
         "intet svar: se på adresse, baudrate, paritet N/E, og om A/B er byttet"),
        ("230.0 230.0 230.0 V", "230.0 230.0 230.0 V"),
        ("what nobody has listed", "what nobody has listed"),
    ],
)
def test_sentences_with_values_inside_sentences(said, shown):
    assert danish(said) == shown
    assert in_words(said, "en") == said


def test_the_box_may_say_what_it_likes():
    """Braces, nesting and length in its words neither fail nor go on for ever."""
    for text in ("{count} bytes", "{} bytes", "open: " * 40, "refused: {0.__class__}",
                 "record " + "9" * 5000, "link to " + ": refused: " * 50):
        assert isinstance(danish(text), str)


def test_names_of_lifecycles_lines_and_contents_are_translated():
    assert ",".join(names.LIFECYCLES) in constants(BOX / "report.py")
    try:
        texts.choose("da")
        assert names.lifecycle_name("in service") == "i drift"
        assert names.lifecycle_name(None) == "–" and names.line_name("cable_mm2") == "cable_mm2"
        assert names.line_name("idle-current") == "hvilestrøm"
        assert names.content_name("blank") == "tom"
    finally:
        texts.choose("en")


def test_every_line_of_the_self_test_has_a_name_on_screen_and_page():
    from wallbox import selftest

    of_box = " ".join(tests for _module, tests in selftest._TESTS).split()
    assert list(names.LINES) == [*of_box, "test-plug", "meter-serial", "display"]
    assert set(_TESTS) == set(names.LINES)


GOOD = {"serial": "WB-1", "type": "WB", "order": "1", "installer": "x"}
PLACE = {"address": "x", "own_circuit": True, "cable_mm2": 4, "cable_length_m": 1,
         "protection": "RCBO", "breaker_a": 16, "earth_electrode": True, "lower_edge_cm": 70,
         "upper_edge_cm": 100, "clearance_cm": 20, "vertical": True, "facade_insulation": False}
NO_FIELD = texts.translated("da", "there is no such field")
STRANGE = (None, "", "x" * 200, "a\nb", -1, 10**13, 1.5, float("nan"), float("inf"), True, [],
           ["x"] * 9, ["a b"], {}, {"strange": 1}, "2026-11-22")


def wrong_orders():
    """Every field of an order with every strange value, and without any."""
    tables = {
        **GOOD, "installation": PLACE, "wifi": {"ssid": "s", "password": "p"},
        "meter": {"model": "em340", "address": 1, "serial": "1", "display_wh": 1},
        "seals": {"fitted": True, "numbers": ["1"], "policy": "stop"},
        "reader": {"fitted": True, "mode": "free"},
    }
    for name, table in tables.items():
        yield from ({**tables, name: value} for value in STRANGE)
        if isinstance(table, dict):
            for field in table:
                for value in STRANGE:
                    yield {**tables, name: {**table, field: value}}


def test_no_field_of_an_order_is_refused_in_english(monkeypatch):
    monkeypatch.setattr(texts, "_chosen", "da")
    found = set()
    for tables in wrong_orders():
        try:
            check_order(tables, "order.toml")
        except Stopped as stopped:
            found.add(stopped.why)
            assert stopped.why.startswith(("det skal", "det mangler", NO_FIELD)), stopped
            assert not re.search(r"\b(it|is|be|valid|should|Input)\b", stopped.why), stopped
    assert len(found) > 15, found


@pytest.mark.parametrize("model", [Order, Partner, Manifest])
def test_an_empty_file_names_the_first_field_that_is_missing(model):
    with pytest.raises(pydantic.ValidationError) as wrong:
        model.model_validate({})
    stopped = field_error(wrong.value, "file.toml")
    assert stopped.field in model.model_fields and "missing" in stopped.why


def test_a_kind_of_error_that_nobody_has_listed_is_told_by_its_kind():
    assert order._right("new_kind", {}) == "it is not valid (new_kind)"
