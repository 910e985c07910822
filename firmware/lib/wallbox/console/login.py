"""Login by the box's key: the waits after wrong answers outlive power cuts, and all is told.

The count of wrong answers is in NVS before an answer is looked at, so a power cut saves nothing.
"""

import os
from binascii import hexlify

import esp32
from micropython import const

from ..core import events
from ..store.keyed import hmac, same

_FREE = const(3)
_WAITS_S = (10, 30, 60)
_WAIT_MOST_S = const(3600)
_GOOD_MS = const(60_000)  # a challenge, as desk.py keeps it
_COUNT_MOST = const(60_000)
_FAILED = "login_failed"  # keys in NVS: in a row
UNTOLD = ("login_bad", "login_good")  # attempts that the core has not been told of


def tell(ear) -> None:
    """The core hears of attempts while no agent ran."""
    store = esp32.NVS("wallbox")
    for accepted in range(2):
        count = _get(store, UNTOLD[accepted])
        if count and not ear.box.agent.halted:
            ear.box.agent.take([events.LOGIN, accepted, count], ear.now())
            _put(store, UNTOLD[accepted], 0)


def wait_s(failed: int) -> int:
    """How long nobody may try after so many wrong answers in a row."""
    if failed < _FREE:
        return 0
    step = failed - _FREE
    if step < len(_WAITS_S):
        return _WAITS_S[step]
    return min(_WAITS_S[-1] << min(step - len(_WAITS_S) + 1, 12), _WAIT_MOST_S)


def challenge(console) -> None:
    """Asks the other end for the key; only the newest question counts."""
    console.challenge = os.urandom(32)
    console.challenge_at = console.now()
    digits = hexlify(console.challenge).decode()
    console.say({"to": "challenge", "challenge": digits, "wait_s": _left_s(console)})


def attempt(console, response: bytes) -> None:
    """response: hex digits. One attempt a challenge."""
    asked, console.challenge = console.challenge, b""
    if not console.key:
        _answer(console, "this box has no key; provision it")
        return
    if _left_s(console):
        _answer(console, "too many wrong answers; wait")
        return
    if not asked or console.now() - console.challenge_at >= _GOOD_MS:
        _answer(console, "ask for a challenge first")
        return
    store = esp32.NVS("wallbox")
    failed = min(_get(store, _FAILED) + 1, _COUNT_MOST)
    _put(store, _FAILED, failed)
    key = hmac(console.key, b"console")
    if same(hexlify(hmac(key, b"login\x00" + asked)), response):
        console.logout()
        console.session = hmac(key, b"session\x00" + asked)
        console.session_at = console.now()
        _put(store, _FAILED, 0)
        _tell(console, store, 1)
        console.say({"to": "login", "status": "Accepted", "info": "", "wait_s": 0})
        return
    console.ear.wait_until = console.now() + wait_s(failed) * 1000
    _tell(console, store, 0)
    _answer(console, "wrong answer")


def _answer(console, info: str) -> None:
    left_s = _left_s(console)
    console.say({"to": "login", "status": "Rejected", "info": info, "wait_s": left_s})


def _left_s(console) -> int:
    ear = console.ear
    if ear.wait_until < 0:  # nobody has asked since the boot, with which the wait began anew
        ear.wait_until = wait_s(_get(esp32.NVS("wallbox"), _FAILED)) * 1000
    return max(0, ear.wait_until - console.now() + 999) // 1000


def _tell(console, store, accepted: int) -> None:
    if console.box and not console.box.agent.halted:
        console.box.agent.take([events.LOGIN, accepted, 1], console.now())
    else:
        name = UNTOLD[accepted]
        _put(store, name, min(_get(store, name) + 1, _COUNT_MOST))


def _get(store, name: str) -> int:
    try:
        return store.get_i32(name)
    except OSError:
        return 0


def _put(store, name: str, value: int) -> None:
    store.set_i32(name, value)
    store.commit()
