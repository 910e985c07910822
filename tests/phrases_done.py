"""What can happen to a box at home, in plain sentences."""

from wallbox.core import decisions, events
from wallbox.core.rules import access

from tests.phrases import Phrasebook, kwh, utc
from tests.player import Player

phrase = Phrasebook()
LOOPS = {"lid": 1, "terminal cover": 2}
SUBSCRIPTIONS = {"anna": 1, "anna's second": 1, "ben": 2, "the guest": 0}
OUTAGES = {"Wi-Fi": "no wifi", "name server": "no address", "broker": "no broker"}


# the car


@phrase("a car is plugged in(?: and asks for power)?")
def _(box):
    box.charge()
    box.run(15)


@phrase("the car is unplugged")
def _(box):
    box.pilot("A")
    box.run(15)


@phrase("the car has enough")
def _(box):
    box.pilot("B")
    box.run(15)


@phrase(r"the car charges (\d+) minutes at (\d+) kW")
def _(box, minutes, power_kw):
    assert box.powered
    target_wh = box.register_wh + int(minutes) * int(power_kw) * 1000 // 60
    box.run(int(minutes) * 60, power_w=int(power_kw) * 1000)
    box.read(target_wh - box.register_wh)


@phrase(r"(\d+) (minutes|hours|days) go by")
def _(box, count, unit):
    seconds = int(count) * {"minutes": 60, "hours": 3600, "days": 86_400}[unit]
    box.run(seconds, read_s=10 if unit == "minutes" else 140)


@phrase(r"the register rises by (\S+) kWh all the same")
def _(box, energy):
    box.register_wh += kwh(energy)


@phrase(r"something other than a car is connected \(pilot ([A-F])\)")
def _(box, letter):
    box.pilot(letter)
    box.run(15)


@phrase("current flows though the contactor is open")
def _(box):
    box.now += 6000
    for _ in range(2):
        box.send(events.METER_READING, box.register_wh, 500, 0, 0, 0, 2000)


# who may charge


@phrase("(.+)'s tag is held to the reader")
def _(box, name):
    kind = access.PAY_PER_USE if name == "the guest" else 0
    box.tap(name, subscription=SUBSCRIPTIONS[name], kind=kind)
    box.run(15)


@phrase("an? (unknown|blocked|copied) tag is held to the reader")
def _(box, what):
    status = {"unknown": "Invalid", "blocked": "Blocked", "copied": "Accepted"}[what]
    box.tap(what, status=status, copied=what == "copied")
    box.run(15)


@phrase("the operator blocks (.+)'s tag")
def _(box, name):
    box.tag_status(name, "Blocked")


@phrase("the operator demands the reader")
def _(box):
    box.mode("required")


@phrase("the operator demands the reader from (.+) UTC on")
def _(box, moment):
    box.mode("required", utc(moment))


@phrase("the operator frees the reader")
def _(box):
    box.mode("free")


@phrase(r"the app starts a charge for subscription (\d+)")
def _(box, subscription):
    box.remote_start(int(subscription))
    box.run(15)


@phrase("the app stops the charge")
def _(box):
    box.remote_stop()
    box.run(15)


# the box's life


@phrase("the (operator|partner) (?:takes|puts) the box (.+?)(?:, because: (.+))?")
def _(box, by, after, reason):
    after = {"out of service": "decommissioned", "into service": "in service"}.get(after, after)
    after = {"on hold": "on hold", "back to the store": "factory"}.get(after, after)
    box.lifecycle(after, by, reason or "none")
    box.run(15)


@phrase("the (operator|partner) commissions the box")
def _(box, by):
    box.lifecycle("commissioned", by, "installation")


@phrase("the operator suspends charging, because: (.+)")
def _(box, reason):
    box.lifecycle("suspended", reason=reason)
    box.wait(11)


@phrase("the operator lifts the suspension")
def _(box):
    box.lifecycle("in service")
    box.run(15)


@phrase("a box comes new from the store")
def _(box):
    return Player(lifecycle=0).home()


@phrase("a box was configured for another chip")
def _(box):
    return Player(chip_foreign=1).home()


@phrase(r"a box behind a breaker of (\d+) A")
def _(box, limit_a):
    return Player(installation_limit_ma=int(limit_a) * 1000).home()


@phrase(r"it is (.+) UTC")
def _(box, moment):
    box.clock(utc(moment))
    box.run(15)


@phrase(r"new firmware (\S+) starts")
def _(box, version):
    after = box.survivor()
    after.facts, after.fact_times = box.facts, box.fact_times
    after.send(events.BOOT, 2, 5, 0, 0, 0, 0, version.encode())
    return after


# power, network, place, seals


@phrase(r"the power is cut for (\d+) (minutes|hours)")
def _(box, count, unit):
    letter = events.LETTERS[box.state.letter]
    seconds = int(count) * {"minutes": 60, "hours": 3600}[unit]
    after = box.resume(seconds)
    after.pilot(letter)
    after.run(15)
    return after


@phrase("the (Wi-Fi|name server|broker) is lost")
def _(box, what):
    box.link(OUTAGES[what])


@phrase("the operator is reached again")
def _(box):
    box.link("connected")
    box.link("delivered")
    box.run(15)


@phrase(r"an absence in the next (\d+) hours is announced")
def _(box, hours):
    box.announce(box.utc_s, box.utc_s + int(hours) * 3600)


@phrase(r"it sees strangers' networks alone for (\d+) hours")
def _(box, hours):
    for _ in range(int(hours)):
        box.now += 3_600_000
        box.scan(known=0, others=2)
        box.read()


@phrase("the operator approves its place")
def _(box):
    box.approve_place()
    box.run(15)


@phrase("the seal of the (lid|terminal cover) is opened")
def _(box, loop):
    box.seal(opened=LOOPS[loop])


@phrase(r"the power is cut for (\d+) hours, and the (lid|terminal cover) opened meanwhile")
def _(box, hours, loop):
    after = box.survivor()
    after.facts, after.fact_times = box.facts, box.fact_times
    heartbeat = (box.state.register_wh, box.utc_s, events.SYNCHRONISED)
    after.boot(2, heartbeat)
    after.seal(latched=LOOPS[loop])
    after.clock(box.utc_s + int(hours) * 3600)
    after.identity()
    after.read()
    return after


@phrase("everything is closed again")
def _(box):
    box.seal()
    box.run(15)


@phrase("the operator names new seals (.+)")
def _(box, numbers):
    box.sealed(numbers.encode())
    box.run(15)


@phrase("another meter is wired in")
def _(box):
    box.identity(77)


@phrase("the operator approves the meter")
def _(box):
    box.approve_meter(box.state.meter_seen)
    box.identity(box.state.meter_seen)
    box.run(15)


@phrase("the meter falls silent")
def _(box):
    box.send(events.METER_SILENT, 1)


# limits


@phrase(r"the (grid|protection) allows (\d+) A for (\d+) minutes")
def _(box, source, limit_a, minutes):
    number = 1 + len(box.of_kind(decisions.LIMIT))
    until_utc_s = box.utc_s + int(minutes) * 60
    box.lease(source, number, int(limit_a) * 1000, box.utc_s, until_utc_s)


@phrase(r"the plan allows (\d+) A until (.+) UTC")
def _(box, limit_a, moment):
    number = 1 + len(box.of_kind(decisions.LIMIT))
    box.lease("smart", number, int(limit_a) * 1000, box.utc_s, utc(moment))


@phrase("the subscriber opts out of limits for the grid")
def _(box):
    box.opt_out()


@phrase("the subscriber says: charge now")
def _(box):
    box.charge_now()
    box.run(90)


# the link


@phrase(r"(?:the operator|somebody) sends command (\d+)(?: again)?")
def _(box, counter):
    box.send(events.COMMAND, int(counter), box.utc_s - 60, box.utc_s + 60, 1)


@phrase("a stranger sends something")
def _(box):
    box.send(events.MESSAGE_REFUSED, 4, 1)


@phrase(r"(a stranger tries to log|the partner logs) in at the service console")
def _(box, who):
    box.send(events.LOGIN, 1 if "partner" in who else 0, 1)
