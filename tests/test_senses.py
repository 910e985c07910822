"""What is sensed is a level: the core hears of it even if the inbox was full at first."""

import pytest
from wallbox import senses
from wallbox.core import events
from wallbox.inbox import Inbox

CONNECTED, DELIVERED, NO_WIFI = 1, 2, 3


class Still:
    """The drivers that have nothing to say."""

    quality = letter = looked = 0
    due = 1 << 40
    up = False

    def service(self, now: int, may_ask: bool) -> bool:
        return False


@pytest.fixture
def box():
    return senses.Senses(Inbox(), Still(), Still(), Still(), Still(), Still())


def fill(box: senses.Senses) -> None:
    while box._inbox.claim(events.TICK):
        box._inbox.commit()


def told(box: senses.Senses) -> list[int]:
    """The codes of the link that the core would take now; empties the inbox."""
    codes = []
    while (event := box._inbox.take()) is not None:
        if event[0] == events.LINK:
            codes.append(event[1])
        box._inbox.release()
    return codes


def test_the_links_news_is_told_at_once(box):
    box.link_changed(CONNECTED)
    box.link_changed(DELIVERED)
    assert told(box) == [CONNECTED, DELIVERED]
    box.service_network(100, False)
    assert told(box) == [], "and once"


def test_news_that_found_the_inbox_full_is_told_later_the_last_of_it(box):
    fill(box)
    box.link_changed(NO_WIFI)
    box.link_changed(CONNECTED)
    assert told(box) == []
    box.service_network(100, False)
    assert told(box) == [CONNECTED]
    box.service_network(200, False)
    assert told(box) == []


def test_older_news_is_not_told_after_younger(box):
    fill(box)
    box.link_changed(NO_WIFI)
    told(box)
    box.link_changed(DELIVERED)
    box.service_network(100, False)
    assert told(box) == [DELIVERED]


def test_networks_in_range_are_told_again_too(box):
    wifi = box._wifi
    wifi.due, wifi.looked, wifi.known, wifi.others = 0, 1, 1, 0
    wifi.service = lambda now: False
    told_places = []
    for again in (False, False, True, False):
        if again:
            box.tell_again()
        box.service_network(100, False)
        event = box._inbox.take()
        told_places.append(event[:3] if event else None)
        if event:
            box._inbox.release()
    assert told_places == [[events.PLACE, 1, 0], None, [events.PLACE, 1, 0], None]


def test_a_core_that_has_forgotten_is_told_again(box):
    box.tell_again()
    box.service_network(100, False)
    assert told(box) == [], "there was no news yet"
    box.link_changed(DELIVERED)
    told(box)
    box.tell_again()
    box.service_network(200, False)
    assert told(box) == [DELIVERED]
