"""Why a meter's value was not believed; names are in meter_texts.py.

The numbers are stored in ledgers: never renumber.
"""

from micropython import const

NONE = const(0)
# the bus
SILENT = const(1)
BAD_CRC = const(2)
UNIT_MISMATCH = const(3)
WRONG_ANSWER = const(4)
EXCEPTION = const(5)
BUS_NOISE = const(6)
BUS_ERROR = const(7)
# one value
NOT_A_NUMBER = const(8)
OUT_OF_RANGE = const(9)
NOT_AVAILABLE = const(10)
SCALE_MISMATCH = const(11)
# the register's history
REGRESS = const(12)
ROLLOVER = const(13)
IMPOSSIBLE_SLOPE = const(14)
FROZEN = const(15)
UNCONFIRMED = const(16)
# which meter it is
WRONG_METER = const(17)
METER_EXCHANGED = const(18)
