# The box in its world: the firmware's own `box`, its pins, and its tasks in simulated time.

from host.years.on_box import chip, tags
from host.years.on_box.chance import Chance
from host.years.on_box.collector import Wrong
from host.years.on_box.net import Transport
from host.years.on_box.sleeping import Sleeping
from host.years.on_box.tasks import Asyncio, Tasks
from host.years.on_box.wear import WornFlash
from hw.sim.flash_faults import PowerCut

chip.install()

from wallbox import box as firmware  # noqa: E402
from wallbox import housekeeping  # noqa: E402
from wallbox.core import events  # noqa: E402
from wallbox.drivers import tags as tag_driver  # noqa: E402
from wallbox.link import link as firmware_link  # noqa: E402

from host.years.on_box.files import Files  # noqa: E402
from host.years.on_box.onlooker import Onlooker  # noqa: E402

firmware_link.Transport = Transport

PPM = 1_000_000
NEVER = 1 << 60
TURNS_MOST = 3000  # of the tasks, in one ms
SAID_MOST = 40
LOOPS = (chip.board.SEAL_LID, chip.board.SEAL_TERMINAL_COVER)
LATCHES = (chip.board.SEAL_LATCH_LID, chip.board.SEAL_LATCH_TERMINAL_COVER)


class Watchdog:
    def feed(self):
        pass


class Pilot:
    """As drivers/pilot.py: the letter is the car's, without the ADC's noise."""

    high_mv = low_mv = 0

    def __init__(self, rig):
        self._rig = rig
        self.letter = 6
        self.set_duty(1000)

    def set_duty(self, duty_permille):
        rig = self._rig
        duty = duty_permille * 65_535 // 1000
        if rig.duty != duty:
            rig.duty = duty
            rig.site.offer_changed()

    def sample(self):
        self.letter = self._rig.letter
        return False


class Rig:
    def __init__(self, site):
        settings = site.settings
        self.site = site
        self.net = site.net
        self.chance = Chance(settings["seed"], "rig")
        self.pins = [0] * 40
        self.pins[chip.board.CONTACTOR_FEEDBACK] = 1
        self.interrupts = {}
        self.duty = 65_535
        self.letter = 0
        self.local_ma = {}  # of sensors that limit, as they are
        self.nvs = {"ledger_key": site.key, "serial": settings["serial"].encode()}
        self.rtc_ms = None
        self.reset_cause = 1
        ledger_size, trace_size = settings["ledger_size"], settings["trace_size"]
        self.flash = WornFlash(ledger_size, trace_size, settings["seed"])
        self.partitions = {"ledger": (0, ledger_size), "trace": (ledger_size, trace_size)}
        self.files = Files(self._cut)
        self.files.held["config.json"] = settings["config"].encode()
        self.ppm = PPM + settings["drift_ppm"]
        self.base_at = self.base_now = 0  # where the crystal's present pace began
        self._now = 0
        self._now_at = -1  # the world's ms to which it belongs
        self._due = -1  # of the core, box's ms; and the world's
        self._due_at = 0
        self.box = None
        self.tasks = Tasks(Sleeping(self).wake)
        self.reader = None
        self.list = tags.List()
        self.next_due = 0  # the world's ms at which a task goes on
        self._said_status = b""
        self.words = []  # what the firmware has printed lately
        self.onlooker = Onlooker(self)
        self.stride_ms = settings["stride_ms"]  # of the link, while it is calm

    # for the chip's modules

    def now(self):
        """ms since boot, by the box's own crystal."""
        at = self.site.at
        if at != self._now_at:
            self._now_at = at
            self._now = self.base_now + (at - self.base_at) * self.ppm // PPM
        return self._now

    def world_at(self, now):
        """The first ms of the world at which the box reads at least this."""
        return self.base_at + ((now - self.base_now) * PPM + self.ppm - 1) // self.ppm

    def set_drift(self, ppm):
        """The crystal runs faster or slower from now on."""
        self.base_now, self.base_at = self.now(), self.site.at
        self.ppm = PPM + ppm
        self._now_at = self._due = -1

    def noise(self, count):
        return bytes([self.chance.below(256) for _ in range(count)])

    def said(self, text):
        self.words.append((self.site.at, text))
        if len(self.words) > SAID_MOST:
            self.words.pop(0)

    def _cut(self):
        self.flash.cuts += 1
        raise PowerCut("in a file")

    def build_pilot(self):
        return Pilot(self)

    def build_tags(self, values, key, inbox):
        if not values["reader.fitted"]:
            return None
        self.reader = tags.Reader()
        return tag_driver.Tags(self.reader, self.list, tags.Counters(), inbox)

    # power

    def boot(self, cause):
        """The chip starts; whatever is left of the flash is what it finds."""
        site = self.site
        self.flash.power_on()
        self.base_at, self.base_now = site.at, 0
        self._now_at = self._due = -1
        self.reset_cause = cause
        self.next_due = 0
        self.tasks.clear()
        Asyncio.tasks = self.tasks
        site.ordered_cut()
        box = firmware.Box(Watchdog(), site.key)
        assert not box.config_error, box.config_error
        self.box = box
        self._asked_again(box.senses)
        self.letter = site.car.letter()
        self.onlooker.boots(box, cause)
        box.recover(cause)
        self.onlooker.recovered(box)
        self.decide = self.tasks.add("decide", box.decide())
        self.sense = self.tasks.add("sense", box.sense())
        self.measure = self.tasks.add("measure", box.measure())
        self.tasks.add("network", box.network())
        self.tasks.add("keep", housekeeping.keep(box))
        if box.tags:
            self.tasks.add("tags", box.read_tags())
        self.link = self.tasks.add("link", box.link.run())
        self._build_status = box.link.publisher.build
        box.link.publisher.build = self._status

    def end(self):
        """The chip stops, in the middle of whatever it did."""
        self.onlooker.ends()
        self.tasks.clear()
        if self.box is not None:
            line = self.site.broker.line
            if line is not None:
                line.open = False
                self.site.broker.line = None
            self.box = None
        self.interrupts = {}
        if self.duty != 65_535:
            self.duty = 65_535
            self.site.offer_changed()
        if self.pins[chip.board.CONTACTOR]:
            self.pins[chip.board.CONTACTOR] = 0
            self.site.coil_changed()

    def power_lost(self):
        self.rtc_ms = None

    def _status(self, buf):
        """The status is made anew while something happens; what it says is asked by nobody here."""
        if self.site.at < self.site.near_until or not self._said_status:
            self._said_status = bytes(buf[: self._build_status(buf)])
        buf[: len(self._said_status)] = self._said_status
        return len(self._said_status)

    # levels

    def coil(self):
        return self.pins[chip.board.CONTACTOR]

    def contacts(self, closed):
        self.pins[chip.board.CONTACTOR_FEEDBACK] = 0 if closed else 1

    def latches_reset(self):
        """An open loop wins over the reset."""
        for loop in range(2):
            self.pins[LATCHES[loop]] = self.pins[LOOPS[loop]]

    def seal(self, loop, opened):
        """The loop's level; its latch remembers an opening, with or without power."""
        if opened:
            self.pins[LATCHES[loop]] = 1
        if self.pins[LOOPS[loop]] != opened:
            self.pins[LOOPS[loop]] = opened
            handler = self.interrupts.get(LOOPS[loop])
            if handler is not None and opened and self.box is not None:
                handler(None)

    def local_limit(self, source, limit_ma):
        """A sensor of the house or of the box itself speaks."""
        self.local_ma[source] = limit_ma
        self._tell_limit(source)

    def _asked_again(self, senses):
        """As any sense, this one tells again when the core has forgotten the present."""
        tell_again = senses.tell_again

        def all_tell_again():
            tell_again()
            for source in sorted(self.local_ma):
                self._tell_limit(source)

        senses.tell_again = all_tell_again

    def _tell_limit(self, source):
        if self.box is not None:
            event = self.box.inbox.claim(events.LOCAL_LIMIT)
            if event:
                event[1], event[2] = source, self.local_ma[source]
                self.box.inbox.commit()
                self.site.near(10_000)

    # the tasks

    def poke(self, name, at):
        """The task goes on at this ms at the latest."""
        for task in self.tasks.all:
            if task.name == name and task.wake_at > at:
                task.wake_at = at
                if at < self.next_due:
                    self.next_due = at

    def poke_all(self):
        at = self.site.at
        for task in self.tasks.all:
            if task.name == "measure":
                if self.box is not None and self.box.sampling.meter.idle:
                    task.wake_at = min(task.wake_at, at + 1 + self.chance.below(1000))
            elif task.wake_at > at + 1000 and task.name != "tags" and task.name != "more":
                task.wake_at = at + (40 if task.name != "keep" else 1000)
        self.next_due = 0

    def _core_due(self):
        """The world's ms at which the core wants a TICK."""
        due = self.box.agent.state.due
        if due != self._due:
            self._due = due
            self._due_at = self.world_at(due)
        return self._due_at

    def work(self, _nothing):
        """Each task that is ready goes on, until all of them wait; `next_due` tells how long."""
        site, tasks, box, sense = self.site, self.tasks, self.box, self.sense
        at = site.at
        turns = 0
        while True:
            if sense.sleeps & 1 and sense.wake_at > at and not box.agent.halted:
                if at >= self._core_due():
                    sense.wake_at = at
            nearest = NEVER
            ran = False
            for task in tasks.all:
                waits = task.waits
                if waits is not None:
                    if not waits.up:
                        continue
                elif task.wake_at > at:
                    if task.wake_at < nearest:
                        nearest = task.wake_at
                    continue
                tasks.run(task)
                ran = True
                if tasks.changed:
                    tasks.sweep()
                    break
            if not ran:
                break
            turns += 1
            if turns > TURNS_MOST:
                raise Wrong("rests", "the box's tasks never come to rest")
        measure = self.measure
        meter = box.sampling.meter
        if meter._wanted and measure.wake_at > at + 1000 and meter.idle:
            measure.wake_at = at + 1 + self.chance.below(1000)
            nearest = min(nearest, measure.wake_at)
        if sense.sleeps & 1 and not box.agent.halted:
            nearest = min(nearest, self._core_due())
        self.next_due = nearest
        if self.onlooker.must_be_broken:
            self.onlooker.looks()

    def heal(self):
        self.flash.ledger_lives()
        self.flash.bad_sectors.clear()
        self.files.cut_in(0)
        self.flash.cut_in(0)
        for loop in range(2):
            self.seal(loop, 0)
