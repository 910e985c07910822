"""The limits of an installation (duties I2, I3, W1) and the verdict on each answer."""

from __future__ import annotations

from dataclasses import dataclass

from host.provisioning.order import Installation
from host.provisioning.texts import N_

CABLE_MM2_MIN = 4.0
CABLE_LONG_MM2_MIN = 6.0
CABLE_LONG_M = 35.0
BREAKERS_A = (16, 20)
LOWER_EDGE_CM_MIN = 50
UPPER_EDGE_CM_MAX = 150
LOWER_EDGE_CM_BEST = 70
CLEARANCE_CM_MIN = 20


@dataclass(frozen=True)
class Line:
    """One line of the checklist; `question` and `limit` are message ids."""

    field: str
    question: str
    answer: object
    limit: str
    passed: bool


def judge(told: Installation) -> list[Line]:
    """Every limit with its answer. What fails is refused by the step, never by the form."""
    long = told.cable_length_m > CABLE_LONG_M
    enough_mm2 = CABLE_LONG_MM2_MIN if long else CABLE_MM2_MIN
    return [
        Line("own_circuit", N_("The circuit feeds only the box"), told.own_circuit,
             N_("yes"), told.own_circuit),
        Line("cable_mm2", N_("Cross-section of the cable, mm²"), told.cable_mm2,
             N_("at least 6 over 35 m") if long else N_("at least 4; at least 6 over 35 m"),
             told.cable_mm2 >= enough_mm2),
        Line("cable_length_m", N_("Length of the cable, m"), told.cable_length_m,
             N_("as measured"), True),
        Line("protection", N_("Protection"), told.protection,
             N_("RCBO, or RCD and fuse"), True),
        Line("breaker_a", N_("Breaker, A"), told.breaker_a,
             N_("16 or 20"), told.breaker_a in BREAKERS_A),
        Line("earth_electrode", N_("Earth electrode works"), told.earth_electrode,
             N_("yes"), told.earth_electrode),
        Line("lower_edge_cm", N_("Lower edge above ground, cm"), told.lower_edge_cm,
             N_("at least 50, better 70"), told.lower_edge_cm >= LOWER_EDGE_CM_MIN),
        Line("upper_edge_cm", N_("Upper edge above ground, cm"), told.upper_edge_cm,
             N_("at most 150, above the lower edge"),
             told.lower_edge_cm < told.upper_edge_cm <= UPPER_EDGE_CM_MAX),
        Line("clearance_cm", N_("Free on the other sides, cm"), told.clearance_cm,
             N_("at least 20"), told.clearance_cm >= CLEARANCE_CM_MIN),
        Line("vertical", N_("The box hangs vertically"), told.vertical,
             N_("yes"), told.vertical),
        Line("facade_insulation", N_("The wall is façade insulation"), told.facade_insulation,
             N_("no"), not told.facade_insulation),
    ]
