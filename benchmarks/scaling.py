"""How the cost of a check grows, as four plots.

    python3 benchmarks/scaling.py [--quick] [--program FILE] [--out FOLDER]

parameters.svg   n-128-10, all parameters, n from 49 to 3,136
batch.svg        784-128-10, all parameters, batch 4 to 256
depth.svg        64, one to eight layers of 128, 10
lanes.svg        64-128-128-128-10, samples of 32 to 16,384 components

Each has the evaluation time of every device, the NumPy loop's, and the floor,
what the method needs over what this machine reaches in the same run. Medians
of three. FOLDER (docs/scaling) gets scaling.json too, with the machine. Takes
about five minutes; docs/scaling.md says how to read the plots.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import processes

# The loop's small products are fastest on one thread. NumPy reads this when
# it is imported.
os.environ.update(processes.threads(1))

import cases  # noqa: E402
import export_net  # noqa: E402
import peers  # noqa: E402
import problems  # noqa: E402
import run as benchmarks  # noqa: E402
import svgplot  # noqa: E402
from floor import seconds as floor_seconds  # noqa: E402
from measure import Gpucheck, counts  # noqa: E402
from processes import say  # noqa: E402

HERE = Path(__file__).resolve().parent
# Seconds after which a point is not measured again.
PATIENCE = 2


@dataclass(frozen=True)
class Point:
    """A network on a plot: where it stands, and what is checked of it."""

    x: float
    sizes: tuple
    batch: int = 32
    sample: int | None = None


@dataclass(frozen=True)
class Plot:
    """A plot's file, its words and its points. Where `lanes`, x is what the
    check sent."""

    stem: str
    title: str
    x_label: str
    points: tuple
    lanes: bool = False


def size(sizes):
    """How many parameters a network has."""
    return sum((n + 1) * m for n, m in zip(sizes, sizes[1:]))


def plots(quick):
    """The plots, with fewer points where it is to be quick."""
    def some(values):
        return values[::2] if quick else values

    wide = [(n, 128, 10) for n in some([49, 98, 196, 392, 784, 1568, 3136])]
    deep = [(depth, (64, *[128] * depth, 10)) for depth in some(
        [1, 2, 3, 4, 6, 8])]
    return [
        Plot("parameters", "n-128-10, batch 32", "parameters",
             tuple(Point(size(sizes), sizes) for sizes in wide)),
        Plot("batch", "784-128-10", "samples of the batch",
             tuple(Point(batch, (784, 128, 10), batch)
                   for batch in some([4, 8, 16, 32, 64, 128, 256]))),
        Plot("depth", "64, layers of 128, 10; batch 32", "layers of 128",
             tuple(Point(depth, sizes) for depth, sizes in deep)),
        Plot("lanes", "64-128-128-128-10, batch 32", "lanes",
             tuple(Point(n, (64, 128, 128, 128, 10), 32, n)
                   for n in some([32, 128, 512, 2048, 8192, 16384])),
             lanes=True)]


class Bench:
    """The program on its devices, and the NumPy loop."""

    def __init__(self, program, runs, rates, folder):
        self.gpucheck = Gpucheck(program, runs, {"difference": 60})
        self.devices = self.gpucheck.devices()
        self.runs, self.rates, self.folder = runs, rates, Path(folder)

    def case(self, point):
        """A point's files, and its problem for the loop."""
        theta, x, y = export_net.draw(point.sizes, "tanh", point.batch)
        name = "-".join(map(str, (*point.sizes, point.batch)))
        case = cases.of_dense(name, self.folder / name, point.sizes, "tanh",
                              theta, x, y)
        return case, problems.Dense(point.sizes, "tanh", theta, x, y)

    def ours(self, case, point, device, precision):
        """Median seconds, and what was checked."""
        row = {"device": device["index"], "precision": precision,
               "evaluator": "difference"}
        more = () if point.sample is None else ("--sample", point.sample)
        # The first point of each kind finds no compiled kernels; time is
        # that of evaluation, which does not hold the compiler's.
        found, began = [], time.perf_counter()
        while len(found) < self.runs and (
                not found or time.perf_counter() - began < PATIENCE):
            report, _ = self.gpucheck.check(
                case, row, self.folder / "caches", more)
            found.append(report["seconds"]["evaluation"])
        return statistics.median(found), counts(report)

    def loop(self, problem, count):
        """Seconds the NumPy loop would take for so many components."""
        size = problem.exact.size
        indices = range(0, size, max(1, size // 64))
        peer = peers.Loop(problem)
        peer.differences(indices[:8])
        seconds, _ = peers.timed(lambda: peer.differences(indices))
        return seconds / len(indices) * count

    def series(self, plot):
        """A line for each device and precision, the loop and the floors."""
        ours, floors, loop = {}, {}, []
        for point in plot.points:
            case, problem = self.case(point)
            x, components = point.x, case.parameters
            for device in self.devices:
                for precision in ("f64", "f32"):
                    if precision == "f64" and not device["double"]:
                        continue
                    seconds, checked = self.ours(
                        case, point, device, precision)
                    components = sum(checked.values())
                    if plot.lanes:
                        x = 2 * sum(case.lanes(checked).values())
                    name = f"{device['platform'] or 'CPU'} {precision}"
                    name = name.replace("Portable Computing Language", "PoCL")
                    ours.setdefault(name, []).append((x, seconds))
                    floors.setdefault(precision, {})[x] = floor_seconds(
                        case.flops(checked), components, self.rates,
                        precision)
            loop.append((x, self.loop(problem, components)))
            say(f"{plot.stem}, {x:,}: " + ", ".join(
                f"{name} {points[-1][1]:.3g} s"
                for name, points in ours.items()))
        names = list(ours)
        return [
            *(svgplot.Series(name, tuple(ours[name]), n)
              for n, name in enumerate(names)),
            svgplot.Series("NumPy loop", tuple(loop), len(names) % 6),
            *(svgplot.Series(f"floor {precision}", tuple(points.items()),
                             n, dashed=True)
              for n, (precision, points) in enumerate(floors.items()))]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="half of the points, once each")
    parser.add_argument("--program", type=Path,
                        default=HERE.parent / ".build/release/gpucheck")
    parser.add_argument("--out", type=Path,
                        default=HERE.parent / "docs/scaling")
    args = parser.parse_args()
    if not args.program.exists():
        sys.exit(f"bench: {args.program} is not there; run make build")
    rates = benchmarks.rates(args.quick)
    args.out.mkdir(parents=True, exist_ok=True)
    record = {"schema": "gpucheck.scaling/1", "rates": rates, "plots": {}}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.program.resolve(), 1 if args.quick else 3, rates,
                      folder)
        record["machine"] = benchmarks.machine(args.program, bench.devices)
        for plot in plots(args.quick):
            series = bench.series(plot)
            record["plots"][plot.stem] = {
                one.name: one.points for one in series}
            (args.out / f"{plot.stem}.svg").write_text(svgplot.plot(
                plot.title, plot.x_label, "seconds", series))
    (args.out / "scaling.json").write_text(
        json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
