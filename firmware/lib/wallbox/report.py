"""The box's status as people and the operator read it: one JSON object, docs/mqtt.md."""

import gc
import json

import esp32

from . import why
from .core import clock, events, refusals
from .core.rules import access, session

# as in core/codes.py, which the box does without
LIFECYCLES = "factory,commissioned,in service,suspended,on hold,decommissioned"
_LOOPS = ("lid", "terminal cover")


class Report:
    """Builds the status from the agent, the meter's sampling and the link."""

    def __init__(self, serial: str, firmware: str, agent, sampling, clock_driver, tags=None):
        self._serial = serial
        self._firmware = firmware
        self._agent = agent
        self._sampling = sampling
        self._clock = clock_driver
        self._tags = tags
        self._link = None
        self.minimum_free = gc.mem_free()
        self._said: tuple = ()

    def watch_link(self, link) -> None:
        self._link = link

    def watch(self) -> None:
        """Collects garbage, and keeps the all-time minimum of what is free then; about 2 ms."""
        gc.collect()
        free = gc.mem_free()
        if free < self.minimum_free:
            self.minimum_free = free

    def say(self, now: int) -> None:
        """Why the box does what it does, on the console, when that is another than before."""
        state = self._agent.state
        answer = (why.name(state, now), state.refusals, state.limit_ma, state.limit_source)
        if answer != self._said:
            self._said = answer
            print(why.line(state, now))

    def build(self) -> bytes:
        tree = self.tree()
        text = json.dumps(tree).encode()
        self.watch()  # while tree and text are there: nothing else needs as much at once
        return text

    def tree(self) -> dict:
        state = self._agent.state
        reading = self._sampling.meter.reading
        now = self._clock.now()
        tree = {
            "online": True,
            "serial": self._serial,
            "lifecycle": LIFECYCLES.split(",")[state.lifecycle],
            "refusals": refusals.names(state.refusals),
            "register_wh": reading.register_wh if state.reading else None,
            "power_w": reading.power_w,
            "power_phase_w": [reading.power_l1_w, reading.power_l2_w, reading.power_l3_w],
            "current_ma": [reading.current_l1_ma, reading.current_l2_ma, reading.current_l3_ma],
            "voltage_mv": [reading.voltage_l1_mv, reading.voltage_l2_mv, reading.voltage_l3_mv],
            "pilot": events.LETTERS[state.letter],
            "session": _session(state, reading.register_wh),
            "seals": {"open": _loops(state.seal_open), "broken": _loops(state.seal_broken)},
            "reader": self._reader(state),
            "absent_since_utc_s": state.absent_utc_s if state.absent else None,
            "ledger": self._ledger(),
            "clock": events.QUALITY[state.clock_quality],
            "utc_s": clock.utc_s(state, now),
            "command": state.command_counter,
            "boot": self._agent.boot,
            "uptime_ms": now,
            "firmware": self._firmware,
            "heap": self._heap(),
            "discarded_events": self._agent.inbox.discarded,
        }
        answer = why.why(state, now)
        del answer["losers"]  # refusals has them
        tree.update(answer)
        if self._link:
            tree["link"] = {"outage": self._link.last_outage, "outages": self._link.outages}
        return tree

    def _reader(self, state) -> dict:
        works = None
        if self._tags and self._tags.reader.works >= 0:
            works = self._tags.reader.works == 1
        return {
            "required": state.mode == access.REQUIRED,
            "works": works,
            "list_version": self._tags.tags.version if self._tags else 0,
            "blocks": self._tags.tags.blocks if self._tags else 0,
        }

    def _ledger(self) -> dict:
        ledger = self._agent.ledger
        return {
            "sequence": ledger.next_sequence - 1,
            "acknowledged": ledger.acknowledged,
            "fill_permille": ledger.fill_permille,
            "damaged": ledger.damaged,
            "trace_failed": self._agent.trace_failed,
        }

    def _heap(self) -> dict:
        """free and minimum of Python's heap; largest free block of the heap that it grows from."""
        largest = 0
        for area in esp32.idf_heap_info(esp32.HEAP_DATA):
            largest = max(largest, area[2])
        return {"free": gc.mem_free(), "largest": largest, "minimum": self.minimum_free}


def _loops(bits: int) -> list:
    return [_LOOPS[loop] for loop in range(len(_LOOPS)) if bits >> loop & 1]


def _session(state, register_wh: int):
    if state.session_phase < session.OPEN:
        return None
    return {
        "id": state.session,
        "start_utc_s": state.session_utc_s,
        "start_register_wh": state.session_begin_wh,
        "energy_wh": max(0, session.energy_wh(state, register_wh)) if state.reading else None,
    }
