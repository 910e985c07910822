"""The text of an order: which verbs there are, and the check of one against them."""

from ..commands import envelope, verbs

# as those of commands/verbs.py, without their numbers
TABLE = (
    "status\n"
    "why\n"
    "self-test;only:t:0:200:;tap_s:i:0:60:0;open_s:i:0:60:0;contactor:b:0:1:0\n"
    "ledger;first:i:0:65535:0;count:i:1:256:256\n"
    "trace;first:i:0:65535:0;count:i:1:256:256\n"
    "seal;numbers:t:1:48\n"
    "network;values:o:1:16\n"
    "configure;values:o:1:16\n"
    "lifecycle;after:c:factory|commissioned|in service\n"
    "decommission;reason:c:none|installation|always-on|tampering|payment|moved|hold|"
    "new resident|dismounted:8\n"
    "wipe;sequence:i:0:4294967295:0;mac:h:0:16:;keys:b:0:1:1\n"
    "crash\n"
    "clear-fault\n"
    "restart;force:b:0:1:0"
)


def parsed(text: bytes, last_n: int) -> tuple:
    """(number, verb, arguments in the table's order), or (0, "", what is wrong)."""
    try:
        tree = envelope.parsed(text)
        number = tree.get("n", 0)
        if not isinstance(number, int) or isinstance(number, bool) or number <= last_n:
            return 0, "", "n: above %d" % last_n
        verb = tree.get("verb")
        return number, verb, verbs.arguments(verbs.row_of(TABLE, verb)[1:], tree.get("with", {}))
    except envelope.Refused as refused:
        return 0, "", refused.args[1]
