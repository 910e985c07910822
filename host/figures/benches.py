"""The benches: each a function that measures and gives figures."""

from host.figures.append import append
from host.figures.capacity import capacity
from host.figures.drain_bench import drain
from host.figures.figure import Bench
from host.figures.heap import heap
from host.figures.hour import hour
from host.figures.imports import imports
from host.figures.mount import mount
from host.figures.poll import poll
from host.figures.provision_bench import provision
from host.figures.publish import publish
from host.figures.replay_bench import replay
from host.figures.seal_bench import seal
from host.figures.tag_bench import tag
from host.figures.verify_bench import verify
from host.figures.wear import wear

BENCHES = (
    Bench("append", "what a durable reading costs", append),
    Bench("mount", "what mounting a full ring costs", mount),
    Bench("wear", "how long the flash lasts, and what is known at a power cut", wear),
    Bench("capacity", "how long the ledger lasts without the operator", capacity),
    Bench("heap", "what the steady loop takes from the heap", heap),
    Bench("poll", "how long a poll of the meter takes", poll),
    Bench("seal", "from an opened seal to an open contactor, all else at work", seal),
    Bench("tag", "a tag from the reader to the decision", tag),
    Bench("publish", "how fast a backlog drains", publish),
    Bench("drain", "the link on a slow network, beside its peers", drain),
    Bench("imports", "what the MQTT client's code takes from the heap", imports),
    Bench("provision", "from a bare chip to a certified box", provision),
    Bench("verify", "how long the verification of a ledger takes", verify),
    Bench("replay", "how long the replay of a year takes, and decoding a full trace", replay),
    Bench("hour", "an hour of charging: memory after boot and at peak", hour),
)
