# One box for so long, from its seed; runs on CPython and on MicroPython alike.
#
# argv: seed, number of the box, days[, JSON of a plan]. Prints one line of JSON.

import io
import json
import sys
from binascii import hexlify

from host.years.on_box import chip, plan
from host.years.on_box.collector import Wrong
from host.years.on_box.site import Site

DAY_MS = 86_400_000
DRAIN_DAYS = 4


def play(made, span_ms):
    """(site, what does not hold as (invariant, sentence), or None)"""
    site = Site(made)
    try:
        site.happenings.begin()
        site.begin()
        site.run(span_ms)
        site.heal()
        site.settle(DRAIN_DAYS * DAY_MS)
    except Wrong as wrong:
        return site, wrong.args
    except Exception as error:
        return site, ("crash", _traceback(error))
    return site, None


def _traceback(error):
    if hasattr(sys, "print_exception"):
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    import traceback

    return "".join(traceback.format_exception(error))


def told(site, wrong):
    """What came of it, for people and for comparing."""
    rig, onlooker = site.rig, site.rig.onlooker
    collector = site.collector
    return {
        "wrong": list(wrong) if wrong else None,
        "at_ms": site.at,
        "steps": onlooker.steps,
        "facts": onlooker.facts,
        "sessions": onlooker.sessions,
        "kwh_checked": onlooker.kwh_checked,
        "drawn_wh": site.drawn_wh(),
        "stored": collector.stand,
        "repeated": collector.repeated,
        "holes": collector.holes,
        "messages": collector.messages,
        "packed": collector.packed,
        "broker": site.broker.counts,
        "dropped": site.broker.dropped,
        "orders": site.operator.sent,
        "halts": onlooker.halts,
        "flash_cuts": rig.flash.cuts,
        "flash_operations": rig.flash.operations,
        "torn": [rig.flash.torn_programs, rig.flash.torn_erases],
        "counts": site.counts,
        "digest": "%08x-%s"
        % (
            rig.digest(),
            str(hexlify(collector.previous), "ascii"),
        ),  # fmt: skip
    }


def main(words):
    chip.install()
    seed, number, days = int(words[0]), int(words[1]), int(words[2])
    made = plan.make(seed, number, days * DAY_MS)
    site, wrong = play(made, days * DAY_MS)
    print(json.dumps(told(site, wrong)))


if __name__ == "__main__":
    main(sys.argv[1:])
