"""Which verbs there are, with which arguments: one table, and the check of a command against it.

A row: verb, its number in a COMMAND fact, arguments as name:type:least:most[:default]. Types: i
whole number, b true or false, t text by its length, h bytes as hex digits by their number, l list
by its length, o object by its keys, v number or text; c one of words, name:c:words[:default], which
becomes its index.
"""

from binascii import unhexlify

from micropython import const

from .envelope import NO_JSON, UNKNOWN_VERB, WRONG_ARGUMENTS, Refused

_U32 = const(0xFFFFFFFF)
_VERB_MOST = const(16)
_WINDOW_MOST_S = const(2_678_400)  # 31 days

TABLE = (
    "status;64\n"
    "block-tag;1;tag:h:16:16\n"
    "forget-counter;18;tag:h:16:16\n"
    "tags-begin;2;full:b:0:1;version:i:1:4294967295;base:i:0:4294967295:0\n"
    "tags-part;65;part:i:0:4000;entries:t:28:672\n"
    "tags-end;66;count:i:0:4000\n"
    "reader-mode;3;mode:c:free|required;from_utc_s:i:0:4294967295:0\n"
    "start;4;subscription:i:0:4294967295:0;limit_ma:i:0:16777215:0;tag:h:0:16:\n"
    "stop;5;session:i:0:4294967295:0\n"
    "limit;6;source:c:grid|protection;lease:i:1:4294967295;limit_ma:i:0:16777215;"
    "from_utc_s:i:0:4294967295;until_utc_s:i:1:4294967295;fallback_ma:i:0:16777215:16777215\n"
    "limit-end;7;lease:i:1:4294967295\n"
    "plan;8;lease:i:1:4294967264;periods:l:0:24\n"
    "opt-out;9;on:b:0:1\n"
    "charge-now;10;on:b:0:1\n"
    "lifecycle;11;after:c:factory|commissioned|in service|suspended|on hold|decommissioned;"
    "reason:c:none|installation|always-on|tampering|payment|moved|hold|new resident|dismounted:0\n"
    "absence;12;from_utc_s:i:0:4294967295;until_utc_s:i:0:4294967295\n"
    "seal;13;numbers:t:1:48\n"
    "approve-place;14\n"
    "approve-meter;15;meter_id:i:1:4294967295\n"
    "configure;16;key:t:4:32;value:v:0:64\n"
    "trace;67;first:i:0:65535;count:i:1:256\n"
    "reboot;17;force:b:0:1:0"
)


def checked(tree: dict) -> tuple:
    """[counter, from_utc_s, until_utc_s, number], verb, arguments in the table's order.

    Raises Refused.
    """
    counter = _number(tree, "counter", 1)
    from_utc_s = _number(tree, "from_utc_s", 0)
    until_utc_s = _number(tree, "until_utc_s", 1)
    if not from_utc_s < until_utc_s <= from_utc_s + _WINDOW_MOST_S:
        raise Refused(NO_JSON, "until_utc_s: above from_utc_s, by 31 days at most")
    verb = tree.get("verb")
    row = row_of(TABLE, verb)
    given = arguments(row[2:], tree.get("with", {}))
    return [counter, from_utc_s, until_utc_s, int(row[1])], verb, given


def row_of(table: str, verb) -> list:
    """The columns of the verb's row. Raises Refused."""
    begin = 0  # looks without cutting the table into lines: that would be garbage
    while isinstance(verb, str) and begin < len(table):
        end = table.find("\n", begin)
        end = end if end >= 0 else len(table)
        if table.startswith(verb, begin):
            row = table[begin:end].split(";")
            if row[0] == verb:
                return row
        begin = end + 1
    raise Refused(UNKNOWN_VERB, "verb: this box knows it not; see its firmware's version")


def named(tree: dict) -> tuple:
    """(counter, verb) of a command that is refused; 0 and "" where it has none worth repeating."""
    counter, verb = tree.get("counter", 0), tree.get("verb", "")
    if not _whole(counter) or not 0 < counter <= _U32:
        counter = 0
    if not isinstance(verb, str) or len(verb) > _VERB_MOST:
        verb = ""
    return counter, verb


def _number(tree: dict, name: str, least: int) -> int:
    value = tree.get(name, -1)
    if not _whole(value) or not least <= value <= _U32:
        raise Refused(NO_JSON, "%s: a whole number from %d to %d" % (name, least, _U32))
    return value


def arguments(row: list, given) -> list:
    """The given arguments in the order of these columns. Raises Refused."""
    if not isinstance(given, dict):
        raise Refused(WRONG_ARGUMENTS, "with: an object")
    values: list = []
    left = len(given)
    for column in row:
        fields = column.split(":")
        name, kind = fields[0], fields[1]
        defaults = fields[3:] if kind == "c" else fields[4:]
        if name in given:
            left -= 1
            if kind == "c":
                values.append(_choice(name, fields[2].split("|"), given[name]))
            else:
                values.append(_value(name, kind, int(fields[2]), int(fields[3]), given[name]))
        elif defaults:
            values.append(_default(kind, defaults[0]))
        else:
            raise Refused(WRONG_ARGUMENTS, "%s: missing" % name)
    if left:
        raise Refused(WRONG_ARGUMENTS, "an argument that this verb has not")
    return values


def _default(kind: str, text: str):
    if kind == "h":
        return b""
    return text if kind == "t" else int(text)


def _choice(name: str, words: list, value) -> int:
    for index in range(len(words)):
        if words[index] == value:
            return index
    raise Refused(WRONG_ARGUMENTS, "%s: one of %s" % (name, ", ".join(words)))


def _value(name: str, kind: str, least: int, most: int, value):
    right = "%s from %d to %d" % (_KINDS[kind], least, most)
    if kind == "b":
        good = isinstance(value, bool)
        right = "true or false"
    elif kind == "i":
        good = _whole(value) and least <= value <= most
    elif kind == "o":
        good = isinstance(value, dict) and least <= len(value) <= most
    elif kind == "l":
        good = isinstance(value, list) and least <= len(value) <= most
    elif kind == "v" and _whole(value):
        good = True
    else:
        good = isinstance(value, str) and least <= len(value.encode()) <= most
    if not good:
        raise Refused(WRONG_ARGUMENTS, "%s: %s" % (name, right))
    return _bytes(name, most, value) if kind == "h" else value


def _bytes(name: str, digits: int, value: str) -> bytes:
    try:
        if len(value) in (0, digits):
            return unhexlify(value.encode())
    except ValueError:
        pass
    raise Refused(WRONG_ARGUMENTS, "%s: %d hex digits" % (name, digits))


def _whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS = {
    "b": "",
    "i": "a whole number",
    "t": "a text, its length",
    "h": "hex digits, their number",
    "l": "a list, its length",
    "o": "an object, its keys",
    "v": "a number, or a text, its length",
}
