"""What anybody may know who holds the cable: which box it is, and how it is."""

import gc
import sys

import machine

from .. import build, crash, lock, report, version, why
from ..core import events, refusals, status

PROTOCOL = 1


def identity(console) -> dict:
    lifecycle = None
    if console.box:
        lifecycle = report.LIFECYCLES.split(",")[console.box.agent.state.lifecycle]
    return {
        "to": "identity",
        "protocol": PROTOCOL,
        "serial": console.ear.serial or build.serial(),
        "type": console.ear.designation,
        "chip": "".join("%02x" % byte for byte in machine.unique_id()),
        "firmware": version.TEXT,
        "python": "%d.%d.%d" % sys.implementation.version[:3],
        "lifecycle": lifecycle,
        "locked": lock.locked(),
        "key": console.key != b"",
    }


def health(console) -> dict:
    gc.collect()
    box = console.box
    tree = {
        "to": "health",
        "agent": console.ear.why or "runs",
        "configuration": (box.config_error or "") if box else "",
        "uptime_ms": console.now(),
        "crashes": crash.count(),
        "heap_free": gc.mem_free(),
    }
    if not box:
        return tree
    state, ledger = box.agent.state, box.ledger
    tree["boot"] = box.agent.boot
    tree["state"] = status.NAMES[status.of(state)]
    tree["why"] = why.name(state, console.now())
    tree["refusals"] = refusals.names(state.refusals)
    tree["clock"] = events.QUALITY[state.clock_quality]
    tree["wifi_dbm"] = box.wifi.signal_dbm()
    tree["link"] = box.link.up
    tree["ledger"] = {
        "sequence": ledger.next_sequence - 1,
        "acknowledged": ledger.acknowledged,
        "fill_permille": ledger.fill_permille,
        "damaged": ledger.damaged,
    }
    return tree
