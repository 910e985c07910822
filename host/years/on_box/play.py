# One box for so long, from its seed; runs on CPython and on MicroPython alike.
#
# argv: a file with a plan (host/years/job.py writes it), or seed, number of the box and days.
# Prints one line of JSON.

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
        "last": onlooker.recent() if wrong else [],
        "said": [list(words) for words in rig.words] if wrong else [],
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
        "written": onlooker.written(),
        "refused": sorted(onlooker.model.met),
        "flash_cuts": rig.flash.cuts,
        "flash_operations": rig.flash.operations,
        "torn": [rig.flash.torn_programs, rig.flash.torn_erases],
        "counts": site.counts,
        "digest": "%08x-%s"
        % (
            rig.flash.digest(),
            str(hexlify(collector.previous), "ascii"),
        ),  # fmt: skip
    }


def main(words):
    chip.install()
    if len(words) == 1:
        with open(words[0]) as file:
            order = json.loads(file.read())
        made, span_ms = (order["settings"], order["entries"]), order["span_ms"]
    else:
        order = {}
        span_ms = int(words[2]) * DAY_MS
        made = plan.make(int(words[0]), int(words[1]), span_ms)
    site, wrong = play(made, span_ms)
    if "records" in order:
        with open(order["records"], "wb") as file:
            for data in site.collector.stored:
                file.write(data)
    print(json.dumps(told(site, wrong)))


if __name__ == "__main__":
    main(sys.argv[1:])
