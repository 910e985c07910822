"""One duty a file. A rule has any of these functions:

recall(state, fact, utc_s, quality)  a fact of the ledger, read back after a power cut
handle(state, event, now, out)       an event; out.append(fact) writes history
refuse(state) -> bits                why no power may flow now
due(state) -> ms                     when the rule must be asked again, or NEVER
"""

from micropython import const

NEVER = const(0xFFFFFFFFFF)

# phases of a session
NONE = const(0)
PENDING = const(1)  # plugged in; waits for authority, register, or the end of a refusal
OPEN = const(2)
ENDING = const(3)  # waits for the last register
OVER = const(4)  # stopped, the car is still plugged in
