# Random numbers that are the same on every interpreter.


class Chance:
    """A linear congruential generator; `name` gives each user numbers of its own."""

    def __init__(self, seed, name=""):
        state = (seed * 2654435761 + 12345) & 0x7FFFFFFF
        for byte in name.encode():
            state = ((state ^ byte) * 1103515245 + 12345) & 0x7FFFFFFF
        self.state = state
        for _ in range(3):
            self.below(2)

    def below(self, limit):
        """0 to limit - 1; limit up to 2**40."""
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        high = self.state >> 8
        if limit <= 0x100000:
            return high % limit
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (high << 20 ^ self.state >> 8) % limit

    def one_in(self, chances):
        return self.below(chances) == 0

    def between(self, low, high):
        """low to high, both may come."""
        return low + self.below(high - low + 1)

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def long_tailed(self, low, high):
        """From low to high, each doubling as likely as another."""
        doublings = 0
        while low << doublings + 1 <= high:
            doublings += 1
        value = low << self.below(doublings + 1)
        return min(high, value + self.below(value + 1))
