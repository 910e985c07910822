"""One duty a file. A rule has any of these functions:

recall(state, fact, utc_s, quality)  a fact of the ledger, read back after a power cut
handle(state, event, now, out)       an event; out.append(fact) writes history
refuse(state) -> bits                why no power may flow now
due(state) -> ms                     when the rule must be asked again, or NEVER
"""

from micropython import const

NEVER = const(0xFFFFFFFFFF)
