"""The page in a real browser: it draws, zooms, tells values, and asks nobody for anything."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from host.replay.timeline import make_timeline
from tests.field_story import field_log
from tests.webdriver import TIMEOUT_S, browser, colours, complaints, requests

BARS = "return document.querySelectorAll('#chart0 .bars .point path').length"
LABELS = "return [...document.querySelectorAll('#chart0 .xtick text')].map(t => t.textContent)"
RANGE = "return document.getElementById('chart0')._fullLayout.xaxis.range"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("story")
    path = folder / "page.html"
    path.write_text(make_timeline(field_log(folder, hours=20)).html(), encoding="utf-8")
    return path


def labels(chrome):
    return chrome.execute_script(LABELS)


def test_the_page_draws_zooms_and_tells_values_without_any_network(page):
    with browser() as chrome:
        chrome.get(page.as_uri())
        wait = WebDriverWait(chrome, TIMEOUT_S)
        wait.until(lambda c: c.execute_script("return document.body.dataset.ready"))
        assert chrome.title == "Timeline of box WB-000007"
        lines = chrome.find_elements(By.CSS_SELECTOR, "#chart0 .scatterlayer .trace path.js-line")
        assert len(lines) >= 8 and chrome.execute_script(BARS) > 20
        assert colours(chrome.get_screenshot_as_png()) > 100  # different rows of the picture

        # the hour that comes twice is told by its zone, and days begin at local midnight
        before = labels(chrome)
        assert any("Sun 25 Oct" in text for text in before)
        button = chrome.find_element(By.CSS_SELECTOR, "[data-act=zoom_in]")
        whole = chrome.execute_script(RANGE)
        button.click()
        wait.until(lambda c: labels(c) != before)
        low, high = chrome.execute_script(RANGE)
        assert whole[0] < low < high < whole[1]

        chrome.execute_script(
            "return Plotly.relayout('chart0', {'xaxis.range': [1792886400000, 1792893600000]})"
        )
        wait.until(lambda c: any("+02:00" in text for text in labels(c)))
        twice = [text for text in labels(chrome) if text.startswith("02:")]
        assert [text[:12] for text in twice if text.startswith("02:00")] == [
            "02:00 +02:00", "02:00 +01:00",
        ]

        chrome.find_element(By.CSS_SELECTOR, "[data-act=all]").click()
        wait.until(lambda c: c.execute_script(RANGE) == whole)
        plot = chrome.find_element(By.CSS_SELECTOR, "#chart0 .nsewdrag")
        place = ActionChains(chrome).move_to_element(plot)
        place.move_by_offset(3, 2).perform()
        hover = wait.until(lambda c: c.find_elements(By.CSS_SELECTOR, "#chart0 .hovertext"))
        assert "kW" in hover[0].text and "2026" in hover[0].text, hover[0].text

        assert complaints(chrome) == []
        asked = [url for url in requests(chrome) if not url.startswith("data:")]
        assert asked == [page.as_uri()]
