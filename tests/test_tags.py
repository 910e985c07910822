"""From a tag at the reader to the core's event: the list, the counter, the reader itself."""

from __future__ import annotations

import textwrap

import pytest
from wallbox.core import events
from wallbox.drivers.tags import Tags
from wallbox.inbox import Inbox
from wallbox.store.tagcounters import Counters
from wallbox.store.taglist import TagList

from host import image
from hw.sim.tagcards import Card
from hw.sim.world import World
from tests.tagline import Line
from tests.taglists import Entry, send

KEY = bytes(range(32))
UID = b"\x04abcdef"


class Desk:
    """Reader, list and counters of a box, and the inbox that the core would empty."""

    def __init__(self, folder) -> None:  # type: ignore[no-untyped-def]
        self.line = Line()
        self.tags = TagList(str(folder / "tags"), KEY)
        self.tags.mount()
        self.inbox = Inbox()
        self.service = Tags(
            self.line.reader, self.tags, Counters(str(folder / "counters")), self.inbox
        )

    def run(self, duration_ms: int) -> list[list[object]]:
        """What the core is told in this time."""
        end = self.line.now + duration_ms
        while self.line.now < end:
            self.service.service(self.line.now)
            self.line.us += 1000 * max(1, self.service.due - self.line.now)
        return self.taken()

    def taken(self) -> list[list[object]]:
        told: list[list[object]] = []
        while (event := self.inbox.take()) is not None:
            packed = bytearray(80)
            end = events.pack_into(packed, 0, event)
            unpacked: list[object] = [0] * events.MAX_FIELDS
            events.unpack_into(unpacked, packed, 0, end)
            told.append(unpacked[: {events.TAG: 9, events.TAG_STATUS: 5}.get(event[0], 2)])
            self.inbox.release()
        return told

    def tap(self, card: Card) -> list[list[object]]:
        """A tag for half a second, then none for a second."""
        self.line.hold(card)
        told = self.run(500)
        self.line.chip.clear()
        return told + self.run(1_000)

    def hash(self, uid: bytes = UID) -> bytes:
        return bytes(self.tags.hash(bytearray(uid), len(uid)))


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    assert made.run(400) == [[events.READER, 1]]
    return made


def test_a_tag_of_the_list_is_told_with_all_that_the_list_says(desk):
    entry = Entry(desk.hash(), 0, 1, 4711, 10_000, 1_900_000_000)
    send(desk.tags, [entry, Entry(b"12345678")], 7)
    assert desk.tap(Card(UID)) == [
        [events.TAG, 0, 1, 4711, 10_000, 1_900_000_000, 0, 7, desk.hash()]
    ]


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_each_status_of_the_list(desk, status):
    send(desk.tags, [Entry(desk.hash(), status)], 1)
    assert desk.tap(Card(UID))[0][1] == status


def test_a_stranger_is_invalid(desk):
    send(desk.tags, [Entry(b"12345678")], 3)
    assert desk.tap(Card(UID)) == [[events.TAG, 3, 0, 0, 0, 0, 0, 3, desk.hash()]]


def test_without_a_list_everybody_is_a_stranger(desk):
    assert desk.tap(Card(UID)) == [[events.TAG, 3, 0, 0, 0, 0, 0, 0, desk.hash()]]


def test_a_damaged_list_is_said_once_and_everybody_is_a_stranger(desk, capsys):
    send(desk.tags, [Entry(desk.hash())], 1)
    with open(desk.tags.path, "r+b") as file:
        file.write(b"x" * 21)
    desk.tags.mount()
    for _ in range(2):
        assert desk.tap(Card(UID))[0][1] == 3
    assert capsys.readouterr().out.count("is damaged; send the full list") == 1


def test_a_tag_that_stays_is_told_once_and_again_after_it_was_away(desk):
    desk.line.hold(Card(UID))
    assert len(desk.run(60_000)) == 1
    desk.line.chip.clear()
    assert desk.run(1_000) == []
    assert len(desk.tap(Card(UID))) == 1


def test_a_copy_is_told_by_its_counter(desk):
    send(desk.tags, [Entry(desk.hash())], 1)
    genuine, copy = Card(UID, counter=5), Card(UID, counter=5)
    assert [desk.tap(genuine)[0][6] for _ in range(3)] == [0, 0, 0]
    desk.service.save()
    assert desk.tap(copy)[0][6] == 1
    assert desk.tap(genuine)[0][6] == 1  # which of them is the copy cannot be told
    desk.service.counters.forget(desk.hash())
    assert desk.tap(genuine)[0][6] == 0


def test_a_copy_of_the_uid_alone_is_told_too(desk):
    send(desk.tags, [Entry(desk.hash())], 1)
    genuine = Card(UID, counter=5)
    assert [desk.tap(genuine)[0][6] for _ in range(2)] == [0, 0]
    assert desk.tap(Card(UID))[0][6] == 1


def test_strangers_do_not_push_known_tags_out_of_the_counters(desk):
    send(desk.tags, [Entry(desk.hash())], 1)
    genuine, copy = Card(UID, counter=5), Card(UID, counter=4)
    desk.tap(genuine)
    for number in range(70):
        desk.tap(Card(b"\x04xyz" + number.to_bytes(3, "big"), counter=9))
    assert desk.tap(copy)[0][6] == 1


def test_the_counters_are_written_when_there_is_time(desk, tmp_path):
    send(desk.tags, [Entry(desk.hash())], 1)
    desk.tap(Card(UID, counter=5))
    assert not (tmp_path / "counters").exists()
    assert desk.service.idle
    desk.service.save()
    assert (tmp_path / "counters").exists()


def test_a_reader_that_fails_is_told_and_said_and_so_is_its_return(desk, capsys):
    desk.line.chip.unplug()
    assert desk.run(1_000) == [[events.READER, 0]]
    assert capsys.readouterr().out == ("tag reader: no answer; look at its cable and its supply\n")
    assert desk.run(60_000) == []
    desk.line.chip.plug()
    assert desk.run(70_000) == [[events.READER, 1]]
    desk.service.tell_again()
    assert desk.run(100) == [[events.READER, 1]]


def test_a_full_inbox_delays_a_tag_but_not_for_long(desk):
    for _ in range(16):
        desk.inbox.claim(events.TICK)
        desk.inbox.commit()
    desk.line.hold(Card(UID))
    desk.service.reader.due = 0
    end = desk.line.now + 1_000
    while desk.line.now < end:
        desk.service.service(desk.line.now)
        desk.line.us += 1_000
    assert not desk.service.idle
    assert [event[0] for event in desk.taken()] == [events.TICK] * 16
    assert [event[0] for event in desk.run(100)] == [events.TAG]


def test_a_tag_that_could_not_be_told_in_time_is_not_told_late(desk):
    for _ in range(16):
        desk.inbox.claim(events.TICK)
        desk.inbox.commit()
    desk.line.hold(Card(UID))
    end = desk.line.now + 3_000
    while desk.line.now < end:
        desk.service.service(desk.line.now)
        desk.line.us += 1_000
    assert len(desk.taken()) == 16
    assert desk.run(1_000) == []
    assert desk.service.discarded == 1


def test_after_a_change_of_the_list_the_charging_tag_is_told_anew(desk):
    send(desk.tags, [Entry(desk.hash(), 0, 0, 1, 16_000)], 1)
    desk.tap(Card(UID))
    desk.service.recheck(desk.hash())
    assert desk.run(100) == [[events.TAG_STATUS, 0, 16_000, 0, desk.hash()]]
    desk.tags.block(desk.hash())
    desk.service.recheck(desk.hash())
    assert desk.run(100) == [[events.TAG_STATUS, 1, 16_000, 0, desk.hash()]]
    send(desk.tags, [], 2)
    desk.service.recheck(desk.hash())
    assert desk.run(100) == [[events.TAG_STATUS, 3, 0, 0, desk.hash()]]


def test_no_uid_is_kept_in_a_file(desk, tmp_path):
    desk.tap(Card(UID, counter=5))
    desk.tags.block(desk.hash())
    desk.tap(Card(UID, counter=5))
    desk.service.save()
    for path in tmp_path.iterdir():
        assert UID not in path.read_bytes()


BOX = """
    import asyncio, board, gc, machine, time
    from machine import Pin
    from wallbox.core import events
    from wallbox.drivers import mfrc522, tagreader, tags
    from wallbox.inbox import Inbox
    from wallbox.store import tagcounters, taglist
    spi = machine.SPI(board.TAG_SPI, baudrate=mfrc522.BUS_HZ, sck=Pin(board.TAG_SCK),
                      mosi=Pin(board.TAG_MOSI), miso=Pin(board.TAG_MISO))
    chip = mfrc522.Mfrc522(spi, Pin(board.TAG_SELECT, Pin.OUT, value=1),
                           Pin(board.TAG_RESET, Pin.OUT, value=0))
    listed = taglist.TagList("tags", bytes(range(32)))
    listed.mount()
    inbox = Inbox()
    service = tags.Tags(tagreader.Reader(chip), listed, tagcounters.Counters("counters"), inbox)
    listed.block(listed.hash(b"\\x88abc", 4))
    print("list", listed.error or "sound")

    async def serve():
        while True:
            now = time.ticks_ms()
            service.service(now)
            event = inbox.take()
            while event:
                if event[0] == events.TAG:
                    print("tag", event[1], event[6], "".join("%02x" % b for b in event[8]))
                    service.save()
                else:
                    print("works", event[1])
                inbox.release()
                event = inbox.take()
            await asyncio.sleep_ms(max(1, service.due - now))

    asyncio.run(serve())
"""


def test_on_the_box_through_its_spi_and_its_own_file_system(tmp_path):
    flash = image.build_flash(
        None,
        serial="TEST-1",
        ledger_key=KEY,
        files={"main.py": textwrap.dedent(BOX).encode(), "boot.py": b""},
    )
    blocked, copied = TagList("", KEY).hash(b"\x88abc", 4), TagList("", KEY).hash(UID, 7)
    with World(flash=flash, broker=None, directory=tmp_path) as world:
        world.box.wait_for("^list sound\n(.|\n)*^works 1\n", timeout_s=30)

        def told() -> str:
            return world.box.wait_for(r"^(?:tag|works) ([0-9].*)\n", since=mark)[1]

        mark = world.box.log.position
        world.tag.present(b"\x88abc")
        assert told() == f"1 0 {blocked.hex()}"
        mark = world.box.log.position
        world.tag.present(UID, counter=5)
        assert told() == f"3 0 {copied.hex()}"
        mark = world.box.log.position
        world.tag.unplug()
        assert told() == "0"
        mark = world.box.log.position
        world.tag.plug()
        assert told() == "1"
