"""Power cuts without end: the ring under a flash that tears, wavers and wears.

Plain Python for CPython and MicroPython alike. One run is a sequence of lives of a box. Each life
mounts the ring, checks it against what was ever promised, and works until the power goes off
inside a program or an erase. A run depends on its seed alone.

    make torture CUTS=1000000        or        python -m tests.torture --help
"""

from binascii import crc32

from hw.sim.flash_faults import TEARS
from tests.tortured import KEY, LONGEST, NAME, Torture

__all__ = ("KEY", "LONGEST", "NAME", "Torture", "run")

CUTS_A_RUN = 500

# what is counted; "in a row": without one recovery between them that was not cut
COUNTS = (
    "cuts",
    "lives",
    "records appended",
    "recoveries cut",
    "recoveries cut twice in a row",
    "recoveries cut three times in a row or more",
    "failures of bad sectors",
    "damaged places told",
)
TORN_PROGRAMS = len(COUNTS)  # behind them, one count for each tear
TORN_ERASES = TORN_PROGRAMS + TEARS


def box_of(seed):
    """In turn one box of each sort."""
    return Torture(
        seed,
        overwrite=seed % 4 == 3,
        sector_size=1024 if seed % 4 == 1 else 512,
        bad=2 if seed % 5 == 2 else 0,
        fickle=seed % 10 == 2,
        restless=seed % 3 == 0,
    )


def run(seed, cuts):
    """Exactly `cuts` power cuts, a run of CUTS_A_RUN on each box of seed, seed + 1 ...

    Returns (counts, digest of what the flashes hold). AssertionError tells seed and life.
    """
    counts = [0] * (TORN_ERASES + TEARS)
    digest = 0
    while counts[0] < cuts:
        box = box_of(seed)
        try:
            box.run(min(CUTS_A_RUN, cuts - counts[0]))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, life {box.lives}: {error}") from error
        except Exception as error:
            named = f"seed {seed}, life {box.lives}: {type(error).__name__}: {error}"
            raise AssertionError(named) from error
        for index, count in enumerate(counts_of(box)):
            counts[index] += count
        digest = crc32(box.flash.image(), digest)
        seed += 1
    return counts, digest


def counts_of(box):
    """In the order of COUNTS, then programs and erases by tear."""
    flash = box.flash
    counts = [flash.cuts, box.lives, box.appended] + box.recoveries_cut
    counts += [sum(flash.failures), box.damaged]
    return counts + flash.torn_programs + flash.torn_erases


if __name__ == "__main__":
    from tests.torture_command import main

    main()
