"""Who may charge, when what was right at the beginning has changed since."""

from wallbox.core.rules import access

from tests.player import UTC_S, Player


def test_a_tag_may_end_what_it_began_whatever_has_changed_since():
    guest = Player(mode=access.REQUIRED).home()
    guest.tap("guest", kind=1, subscription=0)
    guest.charge()
    guest.run(60, power_w=11_000)
    guest.mode("free")
    guest.tap("guest", kind=1, subscription=0)
    assert not guest.powered
    anna = Player(mode=access.REQUIRED).home()
    soon = anna.utc_s + 600
    anna.tap("anna", expires_utc_s=soon)
    anna.charge()
    anna.run(900, power_w=11_000)
    assert anna.powered and anna.utc_s > soon
    anna.tap("anna", expires_utc_s=soon)
    assert not anna.powered


def test_the_operator_starts_by_a_tag_what_the_tag_itself_could_start():
    state = Player(mode=access.FREE).home().state
    now = 10_000_000
    past = UTC_S - 1
    assert access.listed(state, access.ACCEPTED, 0, 0, now) == access.ACCEPTED
    assert access.listed(state, access.ACCEPTED, 0, past, now) == access.EXPIRED
    assert access.listed(state, access.ACCEPTED, access.PAY_PER_USE, 0, now) == access.INVALID
    assert access.listed(state, access.BLOCKED, 0, 0, now) == access.BLOCKED
    assert access.listed(state, 77, 0, 0, now) == access.CONCURRENT
