"""The certificate for people: one sheet of A4, whatever stands in it, in both languages."""

from __future__ import annotations

import html
import re

import pytest

from host.provisioning import page
from host.provisioning.limits import judge
from host.provisioning.names import LINES
from host.provisioning.order import Installation
from host.provisioning.texts import LANGUAGES
from tests.webdriver import browser, printed

# the longest that an order may hold, and the longest that a box says
LONG = "Øster Farimagsgade " * 6 + "123456"
ORDER_TEXT_MAX = 120


def certificate(text: str = "Vej 1, 8000 Aarhus C", measured: str = "closed and opened",
                note: str = "", seal: str = "1000", seals: int = 2) -> dict:
    place = Installation(
        address=text[:ORDER_TEXT_MAX], own_circuit=True, cable_mm2=4, cable_length_m=12.5,
        protection="RCD and fuse", breaker_a=16, earth_electrode=True, lower_edge_cm=70,
        upper_edge_cm=110, clearance_cm=25, vertical=True, facade_insulation=False,
    )
    told = {
        "format": "wallbox-certificate-1", "signed_utc_s": 1_795_359_347,
        "box": {"serial": "WB-000001", "type": "WB 11-3", "chip": "240ac4000000",
                "firmware": "0.1.0", "micropython": "1.29.0"},
        "order": text[:ORDER_TEXT_MAX], "installer": text[:ORDER_TEXT_MAX],
        "installation": place.model_dump(),
        "checklist": [vars(line) for line in judge(place)],
        "meter": {"model": "em340", "address": 1, "serial": "KW34004"},
        "seals": {"numbers": [seal] * seals, "policy": "stop"},
        "first_register_wh": 1_234_500, "first_register_utc_s": 1_795_359_340,
        "self_test": [
            {"name": name, "result": "skip" if note else "pass", "measured": measured,
             "note": note}
            for name in LINES
        ],
        "lifecycle": "in service", "locked": True,
    }
    return {"certificate": told, "signature": {}}


USUAL = certificate()
LONGEST = certificate(LONG, "B, 9012 mV; C, 6020 mV; " * 2, "not in service: an opened loop would "
                      "break the seal", "A" * 16, 4)


@pytest.fixture
def heights(monkeypatch):
    """What each page is reckoned to be high, as it is made."""
    found = []
    reckon = page.height_mm
    monkeypatch.setattr(page, "height_mm", lambda *rows: found.append(reckon(*rows)) or found[-1])
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("signed", "letters"), [(USUAL, 9.5), (LONGEST, 6.5)],
                         ids=["usual", "longest"])
def test_its_letters_are_as_large_as_one_sheet_allows(language, signed, letters, heights):
    (size,) = re.findall(r"font: ([0-9.]+)pt/", page.render(signed, language))
    assert float(size) >= letters
    assert heights[-1] <= 273, "A4 without its margins"
    assert "@page { size: A4" in page.render(signed, language)


def test_it_prints_on_one_sheet(tmp_path):
    sheet = tmp_path / "page.html"
    with browser() as chrome:
        for signed in (USUAL, LONGEST):
            for language in LANGUAGES:
                sheet.write_text(page.render(signed, language), encoding="utf-8")
                assert len(re.findall(rb"/Type\s*/Page\b", printed(chrome, sheet))) == 1


def test_everything_of_the_certificate_is_on_it_in_danish_too():
    for language in LANGUAGES:
        text = html.unescape(page.render(USUAL, language))
        told = USUAL["certificate"]
        for value in (told["box"]["serial"], told["box"]["chip"], told["order"], "KW34004",
                      "1234.500 kWh", "1000, 1000", "RST", "12.5"):
            assert value in text, value
    danish = re.sub(r"<style>.*?</style>", "", page.render(USUAL, "da"))
    for word in ("pass,", "closed", "yes", "in service", "fuse", "at least"):
        assert word not in danish, word


def test_a_page_is_made_of_text_alone():
    signed = certificate(text="<script>alert(1)</script>", measured="<img src=x>")
    for language in LANGUAGES:
        assert "<script" not in page.render(signed, language)
        assert "<img" not in page.render(signed, language)
