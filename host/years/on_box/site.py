# One site in simulated time: grid, meter, contactor, car, seals, net, broker, operator, and the
# box's power. Time goes from one thing that is due to the next.

import heapq

from wallbox.store import StoreError

from host.years.on_box import chip
from host.years.on_box.broker import Broker
from host.years.on_box.car import Car, Contactor
from host.years.on_box.chance import Chance
from host.years.on_box.chip import Reset
from host.years.on_box.collector import Collector, Wrong
from host.years.on_box.happenings import Happenings
from host.years.on_box.meter import WH, Bus, Meter
from host.years.on_box.net import Net, Transport
from host.years.on_box.orders import Operator
from hw.sim.flash_faults import PowerCut

START_UTC_S = 1_798_761_600  # 2027-01-01
NEVER = 1 << 60
ROUNDS_MOST = 3000  # turns of tasks in one ms
RECOLLECT_MS = 40
STORE_MS = 300_000  # as firmware/lib/wallbox/start.py has it


class Site:
    """plan: (settings, [(at, name, arguments...), ...]), see plan.py."""

    def __init__(self, plan):
        settings = self.settings = plan[0]
        self.plan = plan[1]
        self.at = 0
        self.heap = []
        self.count_of_things = 0
        seed = settings["seed"]
        self.chance = Chance(seed, "site")
        self.key = Chance(seed, "key").below(1 << 40).to_bytes(8, "little") * 4
        meter = Meter(
            settings["meter"], settings["meter_serial"], settings["register_wh"],
            settings["full_wh"],
        )  # fmt: skip
        self.bus = Bus(Chance(seed, "bus"), meter, self.count)
        self.drawn = 0  # W x ms, an account of our own
        self.contactor = Contactor(self)
        self.car = Car(self)
        self.net = Net(self, Chance(seed, "net"))
        self.broker = Broker(self, settings["serial"].encode(), Chance(seed, "broker"))
        self.operator = Operator(self, self.key)
        self.old_statement = bytes(20)
        self.collector_up = True
        self.collector_busy = False
        self.statement_due = False
        self.lose_statement = 0
        self.exchanged = False  # another meter since the session began
        self.power_on_at = -1  # while it is off: when it comes back
        self.counts = {}
        self.full_until = 0  # every task sleeps as it asks
        self.near_until = 0  # readings at the true cadence, house-keeping each 10 s
        self.lively_until = 0  # somebody does something: the pilot is looked at each 20 ms
        Transport.site = self
        from host.years.on_box.rig import Rig

        self.rig = Rig(self)
        chip.world = self.rig
        self.happenings = Happenings(self)
        self.collector = Collector(self.key, self.rig.onlooker.expect)

    # time

    def utc_ms(self):
        return START_UTC_S * 1000 + self.at

    def later(self, at, act, argument):
        self.count_of_things += 1
        heapq.heappush(self.heap, (max(at, self.at), self.count_of_things, act, argument))

    def poke(self, name, in_ms=0):
        self.rig.poke(name, self.at + in_ms)

    def told(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def lively(self, ms=50):
        self.lively_until = max(self.lively_until, self.at + ms)
        self.poke("sense")

    def near(self, ms):
        self.near_until = max(self.near_until, self.at + ms)
        self.rig.poke_all()

    def run(self, until):
        """Up to this ms. Raises collector.Wrong if something does not hold."""
        heap, rig = self.heap, self.rig
        rounds, last = 0, -1
        while True:
            at = rig.next_due if self.power_on_at < 0 else NEVER
            if heap and heap[0][0] < at:
                at = heap[0][0]
            if at > until:
                break
            if at > self.at:
                self.at = at
            if self.at == last:
                rounds += 1
                if rounds > ROUNDS_MOST:
                    raise Wrong("rests", "the box's tasks never come to rest")
            else:
                rounds, last = 0, self.at
            while heap and heap[0][0] <= self.at:
                _, _, act, argument = heapq.heappop(heap)
                self._guarded(act, argument)
                rig.next_due = 0
            if self.power_on_at < 0:
                self._guarded(rig.work, None)
        self.at = max(self.at, until)

    def _guarded(self, act, argument):
        try:
            act(argument)
        except PowerCut:
            self.told("power cut in the flash")
            self.power_off(self.settings["off_ms"])
        except Reset:
            self.told("reset by the firmware")
            self.rig.end()
            self._power_up(2)

    # the box's power

    def power_off(self, off_ms):
        """The power goes off, at this instant, and comes back after a while."""
        if self.power_on_at >= 0:
            return
        self.rig.end()
        self.count()
        self.rig.power_lost()
        self.contactor.command(0)
        self.bus.power_off()
        self._off_until(self.at + max(1, off_ms), 1)

    def _off_until(self, at, cause):
        self.power_on_at = at
        self.later(at, self._power_back, cause)

    def _power_back(self, cause):
        if 0 <= self.power_on_at <= self.at:
            self._power_up(cause)

    def _power_up(self, cause):
        self.power_on_at = -1
        self.told("boots")
        self.near(30_000)
        self.lively(2000)
        try:
            self.rig.boot(cause)
        except PowerCut:
            self.told("power cut in the recovery")
            self.power_off(self.chance.between(1, 5000))
        except StoreError:
            if not self.rig.flash.dead:
                raise
            self.told("starts that a dead flash refused")
            self.rig.end()
            self._off_until(self.at + STORE_MS, 2)

    def restart(self, cause):
        """The chip is reset; its power stays."""
        self.told("resets")
        self._power_up(cause)

    def ordered_cut(self):
        """In a recovery, if the plan wants one."""
        again, self.happenings.cut_again = self.happenings.cut_again, 0
        if again:
            self.rig.flash.cut_in(again)

    # what the chip's pins do

    def coil_changed(self):
        self.contactor.command(self.rig.coil())

    def contacts_moved(self):
        self.rig.contacts(self.contactor.closed)
        self._powers()
        self.lively()
        self.near(12_000)
        car = self.car
        if self.contactor.closed and car.shy_ms >= 0:
            self.later(self.at + car.shy_ms, self._shy, car.number)

    def _shy(self, number):
        if self.car.number == number and self.car.plugged:
            self.told("unplugged in mid-step")
            self.unplug()

    def offer_ma(self):
        """What the pilot offers, 0 while it is steady."""
        duty = self.rig.duty
        return duty * 1000 // 65_535 * 60 if duty < 65_000 else 0

    def offer_changed(self):
        self.count()
        self._powers()
        if self.car.plugged:
            self.car.react()

    def car_changed(self):
        self._powers()
        self.rig.letter = self.car.letter()
        self.lively()
        self.near(12_000)

    def _powers(self):
        offer_ma = self.offer_ma()
        power_w = self.bus.meter.power_w
        for phase in range(3):
            power_w[phase] = self.car.power_w(offer_ma, phase) if self.contactor.closed else 0

    def count(self):
        """Energy up to now."""
        meter = self.bus.meter
        power_w = meter.power_w[0] + meter.power_w[1] + meter.power_w[2]
        energy = power_w * (self.at - meter.at)
        meter.count(self.at)
        self.drawn += energy
        if energy:
            self.car.took(energy)

    def drawn_wh(self):
        self.count()
        return self.drawn // WH

    def unplug(self):
        self.count()
        self.car.unplug()
        self.car_changed()

    def open_seal(self, loop):
        self.rig.onlooker.seal_opened(loop)
        self.rig.seal(loop, 1)
        self.lively(500)

    def close_seal(self, loop):
        self.rig.seal(loop, 0)
        self.lively(500)

    def pilot(self):
        return self.rig.build_pilot()

    # the operator's side

    def collector_wanted(self):
        if not self.collector_busy and self.collector_up:
            self.collector_busy = True
            self.later(self.at + RECOLLECT_MS, self._collect, None)

    def _collect(self, _nothing):
        self.collector_busy = False
        if not self.collector_up:
            return
        queue = self.broker.queue
        while queue:
            self.collector.take(queue.pop(0))
            self.statement_due = True
        if self.statement_due:
            self.statement_due = False
            self.state()

    def state(self):
        """The collector says where it stands."""
        statement = self.collector.statement()
        if self.collector.stand % 64 == 1:
            self.old_statement = statement
        if self.lose_statement and self.chance.one_in(self.lose_statement):
            self.told("statements lost")
            return
        self.broker.send(b"/ack", statement)

    # begin and end

    def begin(self):
        """The box is switched on for the first time."""
        self._power_up(1)

    def heal(self):
        """All that may end by itself ends now."""
        self.plan = []
        net, broker = self.net, self.broker
        net.wifi_up = net.path_up = net.names_up = net.time_up = True
        net.tls_broken = net.elsewhere = False
        net.time_error_ms = 0
        broker.up = True
        broker.refuse_code = broker.lose_puback = broker.repeat_puback = broker.delay_puback = 0
        broker.lose_message = broker.repeat_message = broker.swap_message = 0
        self.lose_statement = 0
        self.bus.meter.fault = 0
        self.contactor.repair()
        self.rig.heal()
        if self.power_on_at >= 0:
            self._off_until(self.at + 1000, 1)
        self.near(60_000)
        self.collector_up = True
        self.state()
        self.collector_wanted()

    def settle(self, patience_ms):
        """All that was promised arrives, and the books are closed."""
        self.run(self.at + 3_600_000)
        onlooker = self.rig.onlooker
        last = onlooker.next_sequence - 1
        until = self.at + patience_ms
        while self.at < until and self.collector.stand < last:
            self.run(self.at + 3_600_000)
        onlooker.closes(last)
