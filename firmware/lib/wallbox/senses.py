"""What the box senses of car, contactor, seals, surroundings and link, as events for the core.

All of it are levels: each is offered until the inbox has room for it.
"""

from .core import events


class Senses:
    """contactor, pilot, seals, wifi, clock: drivers."""

    def __init__(self, inbox, contactor, pilot, seals, wifi, clock):
        self._inbox = inbox
        self._contactor = contactor
        self._pilot = pilot
        self._seals = seals
        self._wifi = wifi
        self._clock = clock
        self._seal_event = [events.SEAL] + [0] * (events.MAX_FIELDS - 1)
        self._link = 0  # as the link said last; 0: it has said nothing yet
        self.tell_again()
        self.contactor_held = False  # a self-test moves it, which is none of the core's business

    def tell_again(self) -> None:
        """The core knows nothing of the present: all of it is told again."""
        self._letter = self._closed = -1
        self._clock_news = self._clock.quality != events.UNKNOWN
        self._link_news = self._link != 0
        self._looked = -1 if self._wifi.looked else 0

    def link_changed(self, code: int) -> None:
        """The link's news; of two that could not be told, the later one is."""
        self._link = code
        self._tell_link()

    def seal_event(self) -> list:
        """How the seals are now; latches count in the event that begins a boot."""
        self._seals.news = False
        event = self._seal_event
        event[1] = self._seals.open
        event[2] = self._seals.latched
        return event

    def watch_seals(self, stops) -> None:
        """stops() -> bool: the policy lets an opening stop the charge at once."""
        self._stops = stops
        self._seals.watch(self._seal_opened)

    def _seal_opened(self) -> None:
        """Also from an interrupt, and then in the middle of a step: the core hears of it next."""
        if self._stops():
            self._contactor.trip()
        self._inbox.wake()

    def tell_seals(self, agent, now: int) -> None:
        """Before all that waits in the inbox: the event goes straight to the agent."""
        while self._seals.news:
            agent.take(self.seal_event(), now)
        self._contactor.release()
        if self._seals.news:  # opened in between
            self._seal_opened()

    def service_seals(self, now: int) -> None:
        """Call every 20 ms or less."""
        self._seals.service(now)
        if self._seals.news:
            self._inbox.wake()

    def service(self, now: int) -> None:
        """Call every 20 ms."""
        self.service_seals(now)
        self._pilot.sample()
        if self._pilot.letter != self._letter:
            self._tell_pilot()
        if self._contactor.closed() != self._closed and not self.contactor_held:
            self._tell_contactor()

    def _tell_pilot(self) -> None:
        event = self._inbox.claim(events.PILOT)
        if event:
            self._letter = event[1] = self._pilot.letter
            event[2] = self._pilot.high_mv
            event[3] = self._pilot.low_mv
            self._inbox.commit()

    def _tell_contactor(self) -> None:
        event = self._inbox.claim(events.CONTACTOR)
        if event:
            self._closed = event[1] = self._contactor.closed()
            self._inbox.commit()

    def service_network(self, now: int, charging: bool) -> None:
        """Call every 100 ms."""
        wifi = self._wifi
        if now >= wifi.due:
            wifi.service(now)
            if wifi.looked != self._looked:
                self._tell_place()
        # looking up a name blocks, and so is not done while the contactor is closed
        may_ask = wifi.up and (self._clock.resolved or not charging)
        if self._clock.service(now, may_ask) or self._clock_news:
            self._tell_clock(now)
        if self._link_news:
            self._tell_link()

    def _tell_link(self) -> None:
        event = self._inbox.claim(events.LINK)
        self._link_news = event is None
        if event:
            event[1] = self._link
            self._inbox.commit()

    def _tell_place(self) -> None:
        event = self._inbox.claim(events.PLACE)
        if event:
            self._looked = self._wifi.looked
            event[1] = self._wifi.known
            event[2] = self._wifi.others
            self._inbox.commit()

    def _tell_clock(self, now: int) -> None:
        event = self._inbox.claim(events.CLOCK)
        self._clock_news = event is None
        if event:
            event[1] = self._clock.offset_ms + now
            event[2] = self._clock.quality
            self._inbox.commit()
