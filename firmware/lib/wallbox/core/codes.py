"""Names of the codes in facts, in the order of their numbers; the numbers are in ledgers.

The box works with the numbers and does not import this; the host and docs/FACTS.md tell them.
"""

SEAL_CHANGES = ("opened", "opened without power", "closed", "sealed")
SEAL_LOOPS = ("lid", "terminal cover")  # bits

# status of a tag, OCPP 1.6
TAG_VERDICTS = ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")
TAG_REASONS = (
    "none",
    "unknown tag",
    "too many refused taps",
    "another tag charges",
    "pay-per-use needs the reader on",
    "its counter went back: a copy",
    "expired",
    "blocked",
    "box refuses",
    "a session is ending",
    "remote start, refused by the list",
)
TAG_ACTIONS = ("none", "start", "stop", "wait for the car")

LIMIT_CHANGES = ("set", "ended", "taken back", "replaced")
LIMIT_SOURCES = ("installation", "cable", "tag", "smart", "grid", "protection", "thermal")

LIFECYCLES = ("factory", "commissioned", "in service", "suspended", "on hold", "decommissioned")
LIFECYCLE_BY = ("box", "partner", "operator")
LIFECYCLE_REASONS = (
    "none",
    "installation",
    "always-on",
    "tampering",
    "payment",
    "moved",
    "hold",
    "new resident",
    "dismounted",
)

SESSION_AUTHORITIES = ("nobody", "anybody", "tag", "operator")
SESSION_FLAGS = ("smart", "overridden")  # bits
READER_MODES = ("free", "required")
ABSENCE_CAUSES = ("power", "wifi", "address", "broker", "acknowledgement")  # bits
PLACE_CHANGES = ("moved", "approved")
COMMAND_VERBS = (
    "none",
    "block-tag",
    "tags-begin",
    "reader-mode",
    "start",
    "stop",
    "limit",
    "limit-end",
    "plan",
    "opt-out",
    "charge-now",
    "lifecycle",
    "absence",
    "seal",
    "approve-place",
    "approve-meter",
    "configure",
    "reboot",
    "forget-counter",
)
# names of OCPP 2.0.1, but for RefusedTaps, which it does not know
SECURITY_EVENTS = (
    "InvalidMessages",
    "AttemptedReplayAttacks",
    "InvalidCsmsCertificate",
    "RefusedTaps",
    "MaintenanceLoginAccepted",
    "MaintenanceLoginFailed",
)
SECURITY_DETAILS = (
    "none",
    "too long",
    "retained",
    "no command",
    "not signed with this box's key",
    "not JSON",
    "unknown verb",
    "wrong arguments",
    "outside its time",
    "wrong answer to the challenge",
)

# (kind, field): names by number, or by bit if the tuple begins with None
NAMES = {
    ("SEAL", "change"): SEAL_CHANGES,
    ("SEAL", "loops"): (None,) + SEAL_LOOPS,
    ("TAG", "verdict"): TAG_VERDICTS,
    ("TAG", "reason"): TAG_REASONS,
    ("TAG", "action"): TAG_ACTIONS,
    ("LIMIT", "change"): LIMIT_CHANGES,
    ("LIMIT", "source"): LIMIT_SOURCES,
    ("LIFECYCLE", "before"): LIFECYCLES,
    ("LIFECYCLE", "after"): LIFECYCLES,
    ("LIFECYCLE", "by"): LIFECYCLE_BY,
    ("LIFECYCLE", "reason"): LIFECYCLE_REASONS,
    ("SESSION_BEGIN", "authority"): SESSION_AUTHORITIES,
    ("SESSION_END", "flags"): (None,) + SESSION_FLAGS,
    ("PREFERENCE", "flags"): (None,) + SESSION_FLAGS,
    ("MODE", "mode"): READER_MODES,
    ("ABSENCE_BEGIN", "cause"): (None,) + ABSENCE_CAUSES,
    ("ABSENCE_END", "cause"): (None,) + ABSENCE_CAUSES,
    ("PLACE", "change"): PLACE_CHANGES,
    ("COMMAND", "verb"): COMMAND_VERBS,
    ("SECURITY", "event"): SECURITY_EVENTS,
    ("SECURITY", "detail"): SECURITY_DETAILS,
}
