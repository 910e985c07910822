"""The box's flash: NOR rules, partitions, power cuts inside an operation, counters, NVS."""

from __future__ import annotations

from host import image
from hw.sim.flash import NorFlash
from tests.simbox import powered, printed

LEDGER = image.partitions()["ledger"]


def test_partitions_are_read_from_the_flash_itself():
    lines = printed(
        """
        from esp32 import Partition
        print([p.info()[4] for p in Partition.find(Partition.TYPE_DATA)])
        print(Partition.find(Partition.TYPE_DATA, label="ledger")[0].info())
        print(Partition(Partition.RUNNING).info(), Partition("trace").ioctl(4, 0))
        print(Partition.find(Partition.TYPE_DATA, label="none"))
        try:
            Partition("none")
        except OSError as error:
            print(error)
        """
    )
    assert lines == [
        "['nvs', 'phy_init', 'romfs', 'vfs', 'ledger', 'trace']",
        "(1, 64, 2621440, 524288, 'ledger', False)",
        "(0, 0, 65536, 1900544, 'factory', False) 256",
        "[]",
        "(-261, 'ESP_ERR_NOT_FOUND')",
    ]


def test_programming_only_clears_bits():
    lines = printed(
        """
        from esp32 import Partition
        part = Partition.find(1, label="ledger")[0]
        def attempt(*arguments):
            try:
                part.writeblocks(*arguments)
            except OSError as error:
                print(error)
        buf = bytearray(4)
        part.writeblocks(0, b"\\xf0\\x0f", 30)
        attempt(0, b"\\xf1", 30)
        part.writeblocks(0, b"\\x80", 30)
        part.readblocks(0, buf, 29)
        print(bytes(buf))
        part.writeblocks(0, b"\\x55" * 4096)
        part.readblocks(0, buf, 4092)
        print(bytes(buf), part.ioctl(6, 0))
        part.readblocks(0, buf)
        print(bytes(buf))
        attempt(128, b"\\0", 0)
        attempt(0, b"\\0" * 100)
        """
    )
    assert lines == [
        "[Errno 5] EIO: flash: bits set without erase at 0x28001e",
        "b'\\xff\\x80\\x0f\\xff'",
        "b'UUUU' 0",
        "b'\\xff\\xff\\xff\\xff'",
        "(-258, 'ESP_ERR_INVALID_ARG')",
        "(-260, 'ESP_ERR_INVALID_SIZE')",
    ]


WORK = """
    from esp32 import Partition
    part = Partition.find(1, label="ledger")[0]
    for block in range(2):
        part.ioctl(6, block)
        for at in range(0, 4096, 256):
            part.writeblocks(block, bytes(range(256)), at)
    print("written")
"""


def test_counters_agree_with_the_flash_models():
    with powered(WORK) as box:
        box.wait_for("written")
        counted = box.flash_counters
        contents = box.flash_path.read_bytes()
    model = NorFlash()
    for block in range(2):
        model.erase(LEDGER.offset + block * 4096)
        for at in range(0, 4096, 256):
            model.program(LEDGER.offset + block * 4096 + at, bytes(range(256)))
    assert counted.program_calls == model.program_calls == 32
    assert counted.bytes_programmed == model.bytes_programmed == 8192
    assert counted.erases == {LEDGER.offset // 4096: 1, LEDGER.offset // 4096 + 1: 1}
    assert counted.erases_between(LEDGER.offset, LEDGER.size) == 2
    assert counted.modelled_us == model.modelled_us
    where = slice(LEDGER.offset, LEDGER.offset + LEDGER.size)
    assert contents[where] == model.image()[where]


def test_a_power_cut_tears_a_program_and_an_erase():
    main = "import machine\nif machine.reset_cause() == 1:\n    input()\n" + "\n".join(
        line[4:] for line in WORK.splitlines()
    )
    lost = []
    with powered(main) as box:
        box.on_power_lost = lambda: lost.append(True)
        box.cut_at_flash_operation(2)  # the erase, one program, then half of the second
        box.type("\r")
        box.wait_until(lambda: not box.running)
        sector = box.flash_path.read_bytes()[LEDGER.offset : LEDGER.offset + 4096]
        assert sector[:384] == bytes(range(256)) + bytes(range(128))
        assert sector[384:] == b"\xff" * (4096 - 384)
        box.power_on()
        box.wait_until(lambda: box.running)
        box.cut_at_flash_operation(0)
        mark = box.log.position
        box.type("\r")
        box.wait_until(lambda: not box.running)
        sector = box.flash_path.read_bytes()[LEDGER.offset : LEDGER.offset + 4096]
        assert sector[:2048] == b"\xff" * 2048
        assert "written" not in box.log.text(mark)
    assert lost == [True, True]


def test_a_kill_at_any_instant_leaves_only_programmed_bytes():
    """Records of 256 equal bytes: after a kill only the last one may be incomplete."""
    main = """
        from esp32 import Partition
        part = Partition.find(1, label="ledger")[0]
        for block in range(16):
            part.ioctl(6, block)
        print("go")
        for at in range(0, 65536, 256):
            part.writeblocks(at // 4096, bytes([at // 256 % 251 + 1]) * 256, at % 4096)
        print("end")
    """
    with powered(main) as box:
        for n in range(4):
            box.wait_for("go")
            enough = box.flash_counters.program_calls + 8 * n
            box.wait_until(lambda enough=enough: box.flash_counters.program_calls > enough)
            box.power_cut()
            data = box.flash_path.read_bytes()[LEDGER.offset :][:65536]
            records = [data[at : at + 256] for at in range(0, 65536, 256)]
            whole = [bytes([n % 251 + 1]) * 256 for n in range(256)]
            done = sum(record == right for record, right in zip(records, whole, strict=True))
            assert records[:done] == whole[:done]
            if done < 256:
                torn = records[done].rstrip(b"\xff")
                assert torn == whole[done][: len(torn)]
            assert all(record == b"\xff" * 256 for record in records[done + 1 :])
            box.power_on()


def test_nvs_keeps_what_was_committed():
    main = """
        import machine
        from esp32 import NVS
        nvs = NVS("wallbox")
        buf = bytearray(40)
        def show(function, *arguments):
            try:
                print(function(*arguments))
            except OSError as error:
                print(error)
        print(nvs.get_blob("serial", buf), bytes(buf[:6]))
        show(nvs.get_i32, "count")
        if machine.reset_cause() == machine.PWRON_RESET:
            nvs.set_i32("count", -5)
            nvs.set_blob("blob", b"\\0\\xff" * 100)
            nvs.commit()
            nvs.set_i32("lost", 1)
            show(nvs.get_i32, "lost")
            NVS("other").set_i32("count", 7)
            machine.reset()
        show(nvs.get_i32, "lost")
        show(nvs.get_blob, "blob", buf)
        nvs.erase_key("count")
        nvs.commit()
        show(nvs.get_i32, "count")
        show(NVS("wallbox").get_blob, "serial", buf)
        show(nvs.get_i32, "serial")
        show(nvs.erase_key, "none")
        show(nvs.get_i32, "a key of 16 char")
        show(nvs.set_blob, "big", bytes(1985))
        try:
            nvs.set_i32("x", 1 << 31)
        except OverflowError:
            print("overflow")
    """
    missing = "(-4354, 'ESP_ERR_NVS_NOT_FOUND')"
    with powered(main) as box:
        box.wait_for("overflow")
        text = box.log.text()
        first, second = text.split("rst:2,boot:0x13 (SPI_FAST_FLASH_BOOT)\n")
        assert first.splitlines() == ["6 b'TEST-1'", missing, "1"]
        assert second.splitlines()[:10] == [
            "6 b'TEST-1'",
            "-5",
            missing,
            "(-4364, 'ESP_ERR_NVS_INVALID_LENGTH')",
            missing,
            "6",
            missing,
            missing,
            "(-4361, 'ESP_ERR_NVS_KEY_TOO_LONG')",
            "(-4366, 'ESP_ERR_NVS_VALUE_TOO_LONG')",
        ]


def test_nvs_survives_a_power_cut_in_every_operation_of_a_commit():
    """Six operations: three erases, the entries, the header, and none cut."""
    main = """
        from esp32 import NVS
        nvs = NVS("test")
        try:
            value = nvs.get_i32("value")
        except OSError:
            value = 0
        print("value", value)
        input()
        nvs.set_i32("value", value + 1)
        nvs.commit()
        print("committed")
    """
    with powered(main) as box:
        for operation in range(6):
            mark = box.log.position
            box.power_cut()
            box.power_on()
            box.wait_for("^value 0", since=mark)
            box.cut_at_flash_operation(operation)
            box.type("\r")
            if operation < 5:
                box.wait_until(lambda: not box.running)
            else:
                box.wait_for("committed", since=mark)
        mark = box.log.position
        box.power_cut()
        box.power_on()
        box.wait_for("^value 1", since=mark)
