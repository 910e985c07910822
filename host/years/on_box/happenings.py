# The verbs of a plan: what befalls the site. Each that lasts ends by itself.

from host.years.on_box import meter as meters
from host.years.on_box.tags import uid_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ATTEND_MS = 6 * HOUR_MS
LISTS = {"lose_statement": 1}


class Happenings:
    def __init__(self, site):
        self.site = site
        self.next = 0  # entry of the plan
        self.down = {}  # how many outages of a sort last
        self.cut_again = 0

    def begin(self):
        self._ask()
        self.site.later(self.site.at + ATTEND_MS, self._attend, None)

    def _ask(self):
        plan = self.site.plan
        if self.next < len(plan):
            self.site.later(plan[self.next][0], self._happen, None)

    def _happen(self, _nothing):
        entry = self.site.plan[self.next]
        self.next += 1
        self._ask()
        self.site.told(entry[1])
        getattr(self, entry[2])(*entry[3:])

    def _attend(self, _nothing):
        site = self.site
        site.later(site.at + ATTEND_MS, self._attend, None)
        box = site.rig.box
        if box is not None and site.broker.line is not None and site.collector_up:
            site.operator.attend(box.agent.state)

    def _lasts(self, sort, length, changed):
        """changed(True) with the first of them, changed(False) with the end of the last."""
        self.down[sort] = self.down.get(sort, 0) + 1
        if self.down[sort] == 1:
            changed(True)

        def over(_nothing):
            self.down[sort] -= 1
            if not self.down[sort]:
                changed(False)

        self.site.later(self.site.at + length, over, None)

    # people and cars

    def plug(self, stay_ms, max_ma, phases, wh, waits, shy_ms, diode, tag, taps):
        site = self.site
        if site.car.plugged:
            return
        if taps and tag & 1:
            self.tap(tag)
        site.car.plug(max_ma, phases, wh, waits, shy_ms, diode)
        number = site.car.number
        if taps and not tag & 1:
            site.later(site.at + 3000, self._tap, tag)
        if taps > 1:
            site.later(site.at + 3600, self._tap, tag)
        site.later(site.at + stay_ms, self._leave, (number, tag, taps))
        site.near(20_000)

    def _leave(self, who):
        number, tag, taps = who
        if self.site.car.number == number:
            if taps and number & 1:
                self.tap(tag)
            self.site.unplug()
            self.site.near(20_000)

    def _tap(self, tag):
        self.tap(tag)

    def tap(self, tag):
        site = self.site
        if site.rig.box is None or site.rig.reader is None:
            return
        site.told("taps")
        site.rig.reader.waiting.append(uid_of(tag))
        site.poke("tags")
        site.near(12_000)

    # power

    def cut(self, off_ms):
        self.site.told("power cuts")
        self.site.power_off(off_ms)

    def flash_cut(self, operations, tear, off_ms, again):
        site = self.site
        site.settings["off_ms"] = off_ms
        self.cut_again = again
        if site.power_on_at < 0:
            site.rig.flash.cut_in(operations, tear)
            site.near(12_000)

    def file_cut(self, operations):
        self.site.rig.files.cut_in(operations)

    def reset(self, cause):
        site = self.site
        if site.power_on_at < 0:
            site.rig.end()
            site.restart(cause)

    # the way to the operator

    def wifi(self, length):
        self._lasts("wifi", length, self._wifi)

    def _wifi(self, down):
        self.site.net.wifi_up = not down
        self._line_silent(down)

    def path(self, length):
        self._lasts("path", length, self._path)

    def _path(self, down):
        self.site.net.path_up = not down
        self._line_silent(down)

    def _line_silent(self, down):
        site = self.site
        if down and site.broker.line is not None:
            site.broker.line.silent = True
        site.near(12_000)

    def broker(self, length):
        self._lasts("broker", length, self._broker)

    def _broker(self, down):
        if down:
            self.site.broker.stop()
        else:
            self.site.broker.up = True
        self.site.near(20_000)

    def amnesia(self):
        self.site.broker.forget()
        self.site.near(20_000)

    def broker_fault(self, way, one_in, length):
        target = self.site if way in LISTS else self.site.broker
        self._lasts(way, length, lambda on: setattr(target, way, one_in if on else 0))

    def collector(self, length):
        self._lasts("collector", length, self._collector)

    def _collector(self, down):
        site = self.site
        site.collector_up = not down
        if not down:
            site.state()
            site.collector_wanted()

    def refused(self, way, length):
        if way:
            self._lasts("tls", length, lambda on: setattr(self.site.net, "tls_broken", on))
        else:
            self._lasts("code", length, lambda on: setattr(self.site.broker, "refuse_code", 5 * on))
        self.site.broker.forget()

    # the meter

    def meter_fault(self, fault, strength, length):
        site = self.site
        site.count()
        meter = site.bus.meter
        if meter.fault:
            return
        meter.begin_fault(fault, strength)
        site.told("meter: " + meters.FAULTS[fault])
        site.rig.onlooker.session_tainted = True

        def over(_nothing):
            site.count()
            meter.fault = 0
            site.near(12_000)

        site.later(site.at + length, over, None)
        site.near(12_000)

    def exchange(self, serial, register_wh):
        site = self.site
        site.count()
        meter = site.bus.meter
        meter.serial = serial
        meter.energy = register_wh * meters.WH
        site.exchanged = True
        site.rig.onlooker.session_tainted = True
        site.near(12_000)

    # time

    def time_down(self, length):
        self._lasts("time", length, lambda on: setattr(self.site.net, "time_up", not on))

    def time_lies(self, error_ms, length):
        self._lasts(
            "lies", length, lambda on: setattr(self.site.net, "time_error_ms", error_ms * on)
        )

    def drift(self, ppm):
        self.site.rig.set_drift(ppm)

    # hands at the box

    def seal(self, loop, length):
        site = self.site
        site.open_seal(loop)
        site.later(site.at + length, site.close_seal, loop)
        site.near(12_000)

    def contactor(self, way, length):
        contactor = self.site.contactor
        if way:
            contactor.welded = True
        else:
            contactor.stuck = True
        self.site.later(self.site.at + length, lambda _nothing: contactor.repair(), None)

    def moved(self, length):
        """Carried away, without power; elsewhere it is plugged in, and then at home again."""
        self._lasts("moved", length, self._moved)
        self._lasts("wifi", length, self._wifi)

    def _moved(self, away):
        self.site.net.elsewhere = away
        self.site.power_off(5000)

    def sensor(self, source, limit_ma, length):
        self.site.rig.local_limit(source, limit_ma)
        self.site.later(
            self.site.at + length, lambda _n: self.site.rig.local_limit(source, 0xFFFFFF), None
        )

    def close_look(self, length):
        self.site.full_until = self.site.at + length
        self.site.rig.poke_all()

    # orders

    def order(self, verb, a, b):
        site = self.site
        operator = site.operator
        utc_s = site.utc_ms() // 1000
        box = site.rig.box
        if verb < 4:
            source = ("grid", "protection")[verb & 1]
            begin = utc_s + (a % 7200 - 3600)
            end = max(begin, utc_s) + 60 + b % 20_000
            fallback = 0xFFFFFF if a % 3 else 8000
            operator.order(
                "limit",
                '"source":"%s","lease":%d,"limit_ma":%d,"from_utc_s":%d,"until_utc_s":%d,'
                '"fallback_ma":%d'
                % (source, 1 + a % 50, (0, 6000, 8000, 10_000, 5000)[b % 5], begin, end, fallback),
            )
        elif verb == 4:
            operator.order("limit-end", '"lease":%d' % (1 + a % 50))
        elif verb == 5:
            hour_s = utc_s - utc_s % 3600
            periods = ",".join(
                "[%d,%d,%d]" % (hour_s + 3600 * at, hour_s + 3600 * at + 3600,
                                (0, 16_000, 6000, 10_000)[(a >> at) % 4])
                for at in range(1 + b % 24)
            )  # fmt: skip
            operator.order("plan", '"lease":%d,"periods":[%s]' % (1000 + a % 9000, periods))
        elif verb == 6:
            operator.order("opt-out", '"on":%s' % ("true" if a & 1 else "false"))
        elif verb == 7:
            operator.order("charge-now", '"on":%s' % ("true" if a & 1 else "false"))
        elif verb == 8:
            operator.order("start", '"subscription":%d,"limit_ma":%d' % (1 + a % 5, b % 3 * 8000))
        elif verb == 9:
            operator.order("stop")
        elif verb == 10:
            after = ("suspended", "on hold", "in service")[a % 3]
            operator.order("lifecycle", '"after":"%s","reason":"payment"' % after)
        elif verb == 11:
            operator.order(
                "absence",
                '"from_utc_s":%d,"until_utc_s":%d' % (utc_s + 60, utc_s + 3600 + a % 9999),
            )
        elif a & 1 and box is not None and box.tags:
            operator.order("reader-mode", '"mode":"%s"' % ("required", "free")[b & 1])
        else:
            operator.order("reboot", '"force":%s' % ("true" if b & 1 else "false"))
        site.near(20_000)

    def configure(self, key, value):
        self.site.operator.order("configure", '"key":"%s","value":%s' % (key, value))
        self.site.near(20_000)

    def hostile(self, way):
        self.site.operator.hostile(way)
        self.site.near(10_000)

    # the flash

    def bad_sector(self, number, way):
        self.site.rig.flash.bad_sector(number, way)

    def flash_dies(self, way, length):
        """No sector of the ledger takes anything, for a while."""
        flash = self.site.rig.flash
        if flash.dead:
            return
        flash.ledger_dies(way)
        self.site.near(min(length + 60_000, HOUR_MS))
        self.site.later(self.site.at + length, lambda _nothing: flash.ledger_lives(), None)

    def rot(self, place, bit):
        rig = self.site.rig
        ledger = rig.box.ledger if rig.box is not None else None
        if rig.flash.rot(place, bit, ledger, self.site.collector.stand):
            self.site.told("bits that rot flipped")
