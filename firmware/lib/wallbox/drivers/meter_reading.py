"""The last believed values of the meter."""

from .meter_maps import CURRENT_L1, EXPORT, FREQUENCY, POWER, POWER_L1, REGISTER, VOLTAGE_L1


class Reading:
    """The last believed values; all zero until the first."""

    def __init__(self):
        self.read_at_ms = -1  # when the register came; -1 = never
        self.register_wh = 0
        self.export_wh = 0
        self.power_w = 0
        self.power_l1_w = 0
        self.power_l2_w = 0
        self.power_l3_w = 0
        self.current_l1_ma = 0
        self.current_l2_ma = 0
        self.current_l3_ma = 0
        self.voltage_l1_mv = 0
        self.voltage_l2_mv = 0
        self.voltage_l3_mv = 0
        self.frequency_mhz = 0  # 0 = not measured in the poll

    def fill(self, values, now: int) -> None:
        self.read_at_ms = now
        self.register_wh = values[REGISTER]
        self.export_wh = values[EXPORT]
        self.power_w = values[POWER]
        self.power_l1_w = values[POWER_L1]
        self.power_l2_w = values[POWER_L1 + 1]
        self.power_l3_w = values[POWER_L1 + 2]
        self.current_l1_ma = values[CURRENT_L1]
        self.current_l2_ma = values[CURRENT_L1 + 1]
        self.current_l3_ma = values[CURRENT_L1 + 2]
        self.voltage_l1_mv = values[VOLTAGE_L1]
        self.voltage_l2_mv = values[VOLTAGE_L1 + 1]
        self.voltage_l3_mv = values[VOLTAGE_L1 + 2]
        self.frequency_mhz = values[FREQUENCY]
