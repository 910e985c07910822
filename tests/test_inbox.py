"""Events wait in order; a full inbox discards and counts."""

import asyncio

from wallbox.core import events
from wallbox.inbox import Inbox


def put(inbox: Inbox, kind: int, value: int = 0) -> bool:
    event = inbox.claim(kind)
    if event is None:
        return False
    event[1] = value
    inbox.commit()
    return True


def test_events_come_out_in_the_order_they_went_in_for_ever():
    inbox = Inbox()
    for number in range(100):
        assert put(inbox, events.LINK, number) and put(inbox, events.PILOT, number)
        for kind in (events.LINK, events.PILOT):
            assert inbox.take()[:2] == [kind, number]
            inbox.release()
    assert inbox.take() is None and inbox.discarded == 0


def test_a_full_inbox_discards_the_newcomer_and_counts_it():
    inbox = Inbox()
    taken = 0
    while put(inbox, events.LINK, taken):
        taken += 1
    assert taken == 16 and inbox.discarded == 1
    assert inbox.take()[1] == 0
    inbox.release()
    assert put(inbox, events.LINK, 99)


def test_what_is_claimed_but_not_committed_is_not_there():
    inbox = Inbox()
    inbox.claim(events.LINK)
    assert inbox.take() is None


def test_who_waits_is_woken_once():
    async def story() -> int:
        inbox = Inbox()
        inbox.wake()
        await inbox.wait()
        try:
            await asyncio.wait_for(inbox.wait(), 0.01)
        except asyncio.TimeoutError:
            return 1
        return 2

    assert asyncio.run(story()) == 1
