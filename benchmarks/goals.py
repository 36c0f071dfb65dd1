"""What gpucheck is meant to reach on two CPU cores through OpenCL, and what a
run of the benchmarks says of it."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """At least so many times as fast as the best peer, and so much of the
    floor; in f32 only where the distance is small enough."""

    ratio: float | None = None
    floor: float | None = None
    ratio32: float | None = None
    distance32: float | None = None


GOALS = {
    "S": Goal(ratio=40),
    "M": Goal(ratio=1800, floor=0.5),
    "Mr": Goal(ratio=4000),
    "L": Goal(ratio=200, floor=0.5),
    "D": Goal(ratio=8, floor=0.75, ratio32=14, distance32=1.5e-7),
    "LeNet": Goal(floor=0.4),
    "ResNet-20": Goal(floor=0.4),
    "GPT": Goal(floor=0.4),
}


@dataclass(frozen=True)
class Outcome:
    """A network's best rows by exact differences, the best peer's, and what
    the goal says of them."""

    network: str
    precision: str
    ours: dict
    peer: dict | None
    goal: Goal

    @property
    def seconds(self):
        return statistics.median(self.ours["seconds"])

    @property
    def ratio(self):
        """How many times as fast as the best peer."""
        if self.peer is None:
            return None
        return statistics.median(self.peer["seconds"]) / self.seconds

    @property
    def floor(self):
        """The floor's share of our time."""
        seconds = self.ours.get("floorSeconds")
        return None if seconds is None else seconds / self.seconds

    @property
    def parts(self):
        """Each part of the goal: what it asks for, in words, and whether it
        is met; None where there is nothing to hold against."""
        double = self.precision == "f64"
        ratio = self.goal.ratio if double else self.goal.ratio32
        if ratio is not None:
            yield (f"≥ {ratio:,} ×",
                   None if self.ratio is None else self.ratio >= ratio)
        if double and self.goal.floor is not None:
            yield (f"≥ {self.goal.floor:.0%} of the floor",
                   None if self.floor is None
                   else self.floor >= self.goal.floor)
        if not double and self.goal.distance32 is not None:
            yield (f"distance ≤ {self.goal.distance32:.1e}",
                   self.ours["relativeDifference"] <= self.goal.distance32)

    @property
    def met(self):
        """In a word."""
        parts = [met for _, met in self.parts]
        if False in parts:
            return "no"
        return "–" if not parts or None in parts else "yes"


def outcomes(rows):
    """An `Outcome` for each network and precision, of the fastest CPU through
    OpenCL, or of the CPU without it where there is none."""
    result = []
    for network in dict.fromkeys(row["network"] for row in rows):
        mine = [row for row in rows if row["network"] == network]
        peer = fastest(row for row in mine if row["kind"] == "peer")
        for precision in ("f64", "f32"):
            ours = [row for row in mine if row["kind"] == "gpucheck"
                    and row["evaluator"] == "difference"
                    and row["precision"] == precision
                    and row["deviceType"] == "cpu"]
            best = fastest(row for row in ours if row["device"] != "cpu") \
                or fastest(ours)
            if best is not None:
                result.append(Outcome(network, precision, best, peer,
                                      GOALS.get(network, Goal())))
    return result


def fastest(rows):
    """The row of the shortest median, None of none."""
    return min(rows, key=lambda row: statistics.median(row["seconds"]),
               default=None)
