# Runs on MicroPython: from an opened seal to an open contactor, on the whole firmware at work.
# argv: directory with the firmware's lib/, config.json and the pipe `wake`; pty of the meter; how
# many openings; ms before the first one, in which the loop's stalls are measured.
#
# A thread plays the lid: it opens at any moment, asks for the interrupt as the chip does, and wakes
# a loop that waits. One opening of LOST_EVERY has its interrupt lost.

import _thread
import asyncio
import gc
import json
import os
import sys
import time
from array import array

import micropython

directory, meter, count, without_ms = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.chdir(directory)
sys.path.insert(0, directory + "/lib")

import board  # noqa: E402
import standin  # noqa: E402

from hw.sim.tagreader import Bus, TagReader  # noqa: E402

LOST_EVERY = 20
PAUSE_US = 30_000  # at most, before the lid opens
MISSED_MS = 1000
BACKLOG = 300  # records that are drained again and again
ACKNOWLEDGE_EVERY = 100
SEAL = 15  # the fact's kind
STEP_US = 100  # of a histogram
STEPS = 1000

PHASE, SINCE, LOST, PROGRESS = 0, 1, 2, 3
CLOSED, READY, OPENED, OFF = 0, 1, 2, 3
shared = array("l", [CLOSED, 0, 0, 0])  # with the thread


class Histogram:
    def __init__(self):
        self.counts = array("H", [0] * (STEPS + 1))
        self.most = 0

    def note(self, us):
        self.counts[min(us // STEP_US, STEPS)] += 1
        self.most = max(self.most, us)

    def figures(self):
        """Longest us, and how many by step."""
        counts = self.counts
        return self.most, {str(at): counts[at] for at in range(STEPS + 1) if counts[at]}


def play_lid(openings, levels, schedule, interrupt, wake, progress):
    """In a thread: touches nothing but what it is given, and allocates nothing."""
    random = 1
    lid = board.SEAL_LID
    for number in range(openings):
        while shared[PHASE] != READY:
            time.sleep_us(100)
        random = (random * 1103515245 + 12345) & 0x3FFFFFFF
        time.sleep_us((random >> 8) % PAUSE_US)
        lost = (number + 1) % LOST_EVERY == 0
        shared[LOST] = 1 if lost else 0
        shared[PROGRESS] = progress[0]
        levels[lid] = 1
        shared[SINCE] = time.ticks_us()
        shared[PHASE] = OPENED
        if not lost:
            try:
                schedule(interrupt, lid)
            except RuntimeError:  # the queue is full: as on the chip, it is lost
                shared[LOST] = 1
            wake(b"!")
        while shared[PHASE] == OPENED:
            time.sleep_us(100)


class Done(Exception):
    pass


class Bench:
    def __init__(self):
        reader = TagReader(time.ticks_us)
        self.flash = standin.install("flash", meter, Bus(reader))
        standin.Pin.written[board.TAG_SELECT] = reader.select
        standin.Pin.written[board.TAG_RESET] = reader.reset_line
        standin.Pin.written[board.CONTACTOR] = self.switched
        standin.Pin.levels[board.CONTACTOR_FEEDBACK] = 1
        from wallbox import box

        self.reader = reader
        self.box = box.Box(standin.Watchdog(), bytes(32))
        if self.box.config_error:
            raise ValueError(self.box.config_error)
        self.off, self.off_erasing, self.lost = Histogram(), Histogram(), Histogram()
        self.durable, self.durable_erasing = Histogram(), Histogram()
        self.stalls, self.stalls_erasing, self.stalls_sealing = [Histogram() for _ in range(3)]
        self.sealing = False
        self.opened = self.missed = self.by_interrupt = 0
        self.interrupting = False
        for number in range(BACKLOG):
            self.box.ledger.append(4, 3, 1, number, 1_790_000_000 + number, bytes(21))
        self.append = self.box.ledger.append
        self.box.ledger.append = self.watch_append

    def switched(self, level):
        """The coil: the feedback follows at once."""
        standin.Pin.levels[board.CONTACTOR_FEEDBACK] = 0 if level else 1
        if not level and shared[PHASE] == OPENED:
            us = time.ticks_diff(time.ticks_us(), shared[SINCE])
            if self.erased():
                self.off_erasing.note(us)
            else:
                (self.lost if shared[LOST] else self.off).note(us)
            self.by_interrupt += self.interrupting
            shared[PHASE] = OFF

    def interrupt(self, pin):
        """Between two instructions of the firmware, as the chip does it."""
        self.interrupting = True
        standin.interrupt(pin)
        self.interrupting = False

    def erased(self):
        """Whether an erase has cost time since the lid opened."""
        return shared[PROGRESS] & 1 or self.flash.progress[0] != shared[PROGRESS]

    def watch_append(self, kind, *rest):
        self.append(kind, *rest)
        if kind == SEAL and shared[PHASE] == OFF:
            us = time.ticks_diff(time.ticks_us(), shared[SINCE])
            (self.durable_erasing if self.erased() else self.durable).note(us)

    async def play(self):
        """Closes the lid again, as if it had been sealed anew, once the core has decided."""
        box = self.box
        state = box.agent.state
        until = time.ticks_add(time.ticks_ms(), without_ms)
        while time.ticks_diff(until, time.ticks_ms()) > 0:
            await asyncio.sleep_ms(100)
            self.drain_again()
        self.sealing = True
        while self.opened < count:
            await asyncio.sleep_ms(1)
            if shared[PHASE] == OFF and state.seal_broken and not state.contactor:
                self.reseal(state)
                shared[PHASE] = CLOSED
            elif shared[PHASE] == CLOSED and state.contactor:
                shared[PHASE] = READY
            elif shared[PHASE] == OPENED:
                late_us = time.ticks_diff(time.ticks_us(), shared[SINCE])
                if late_us > MISSED_MS * 1000:
                    self.missed += 1
                    shared[PHASE] = OFF
            elif shared[PHASE] == CLOSED:
                box.inbox.claim(0) and box.inbox.commit()  # TICK

    def reseal(self, state):
        box = self.box
        self.opened += 1
        standin.Pin.levels[board.SEAL_LID] = 0
        box.seals._open[0] = 0
        state.seal_broken = state.seal_open = state.seal_told = 0
        state.seal_told_at = state.restart_at = 0
        if self.opened % ACKNOWLEDGE_EVERY == 0:
            box.ledger.acknowledge(box.ledger.next_sequence - 1 - BACKLOG)
        self.drain_again()

    def drain_again(self):
        """All is drained: once more from what is acknowledged on."""
        session = self.box.link.session
        if session.cursor >= self.box.ledger.next_sequence:
            session.cursor = self.box.ledger.acknowledged + 1

    async def probe(self):
        """How late a task is that wants to run every millisecond."""
        wanted_us = time.ticks_us()
        while True:
            erases = self.flash.erases
            await asyncio.sleep_ms(1)
            now_us = time.ticks_us()
            late_us = max(0, time.ticks_diff(now_us, wanted_us) - 1000)
            if self.flash.erases != erases:
                self.stalls_erasing.note(late_us)
            elif self.sealing:
                self.stalls_sealing.note(late_us)
            else:
                self.stalls.note(late_us)
            wanted_us = now_us

    async def woken(self, pipe):
        """What ends the loop's wait, as an interrupt does on the chip."""
        while True:
            yield asyncio.core._io_queue.queue_read(pipe)
            pipe.read(1)

    async def play_until_done(self):
        await self.play()
        raise Done

    async def run(self, pipe):
        self.box.recover(1)
        tasks = (self.box.run(), self.probe(), self.woken(pipe), self.play_until_done())
        try:
            await asyncio.gather(*tasks)
        except Done:
            pass


gc.threshold(4096)
bench = Bench()
pipe = open("wake", "r+b")
_thread.start_new_thread(
    play_lid,
    (
        count,
        standin.Pin.levels,
        micropython.schedule,
        bench.interrupt,
        pipe.write,
        bench.flash.progress,
    ),
)
began = time.ticks_ms()
asyncio.run(bench.run(pipe))
box = bench.box
print(
    json.dumps(
        {
            "off": bench.off.figures(),
            "off_erasing": bench.off_erasing.figures(),
            "lost": bench.lost.figures(),
            "durable": bench.durable.figures(),
            "durable_erasing": bench.durable_erasing.figures(),
            "stalls": bench.stalls.figures(),
            "stalls_erasing": bench.stalls_erasing.figures(),
            "stalls_sealing": bench.stalls_sealing.figures(),
            "openings": bench.opened,
            "missed": bench.missed,
            "by_interrupt": bench.by_interrupt,
            "elapsed_ms": time.ticks_diff(time.ticks_ms(), began),
            "records": box.ledger.next_sequence - 1,
            "published": box.link.session.acknowledged,
            "erases": bench.flash.erases,
            "reader_accesses": bench.reader.accesses,
            "readings": box.sampling.readings,
            "heap_used": gc.mem_alloc(),
            "spikes": box.seals.spikes,
            "discarded": box.inbox.discarded,
        }
    )
)
