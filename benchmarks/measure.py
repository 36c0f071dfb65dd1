"""gpucheck's rows of the benchmarks."""

import json
import statistics
import tempfile
import time

from processes import run, say

# A first sample says how long the rest would take: so many components, or
# fewer where they need more FLOPs than this.
PILOT, PILOT_FLOPS = 1000, 2e10
# What takes less seconds is timed three times as often: it varies by half from
# one run to the next.
SHORT = 0.1


class Gpucheck:
    """The program, and how it is timed.

    program   where it is
    runs      of each row, at most
    limit     seconds that a row's runs may take in all, by evaluator; a third
              of that without OpenCL
    end       of time.monotonic(): after it whole passes are left out
    """

    def __init__(self, program, runs, limit, end=float("inf")):
        self.program, self.runs, self.limit = program, runs, limit
        self.end = end

    def devices(self):
        """The listing's devices that are no simulators and pass."""
        ran = run([self.program, "devices", "--format", "json"])
        if ran.status != 0:
            raise RuntimeError(ran.reason)
        found = []
        for device in json.loads(ran.out)["devices"]:
            if device["simulator"]:
                continue
            if not device["selfTest"]["passed"]:
                say(f"{device['name']}: left out, its self-test fails: "
                    f"{device['selfTest']['failure']}")
                continue
            found.append(device)
        return found

    def check(self, case, row, caches, more=(), timeout=None):
        """One process: its report and how it ran."""
        places = {name: caches for name in (
            "POCL_CACHE_DIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME")}
        ran = run(
            [self.program, "check", *case.arguments,
             "--device", row["device"], "--precision", row["precision"],
             "--evaluator", row["evaluator"], "--format", "json",
             "--quiet", *more], places, timeout or max(150, 5 * self.limit[
                 row["evaluator"]]))
        if ran.status not in (0, 1, 3):
            raise RuntimeError(ran.reason)
        return json.loads(ran.out), ran

    def pilot(self, case, row, limit):
        """How many components to check; None for all.

        A small sample fills no batch and overstates what more would take, so
        the first one's word is taken only where it says that all fit.
        """
        each = case.each(row["evaluator"])
        sample = max(1, min(PILOT, case.parameters, int(PILOT_FLOPS / each)))
        with tempfile.TemporaryDirectory() as caches:
            while True:
                report, _ = self.check(
                    case, row, caches, ("--sample", sample))
                seconds = report["seconds"]["evaluation"]
                checked = counts(report)
                whole = seconds * case.scale(checked, row["evaluator"])
                if whole <= limit:
                    return None
                enough = max(PILOT, case.parameters // 8)
                fits = int(sample * limit / 3 / seconds)
                if fits < 1.25 * sample or sample >= enough:
                    return min(sample, max(fits, 1))
                sample = min(fits, enough)

    def row(self, case, device, precision, evaluator):
        """Measures one row: cold once, then warm."""
        row = {"kind": "gpucheck", "network": case.name,
               "device": device["index"], "deviceName": device["name"],
               "deviceType": device["type"],
               "precision": precision, "evaluator": evaluator}
        limit = self.limit[evaluator]
        limit /= 3 if device["index"] == "cpu" else 1
        sample = self.pilot(case, row, limit)
        more = () if sample is None else ("--sample", sample)
        with tempfile.TemporaryDirectory() as caches:
            done = [self.check(case, row, caches, more)]
            took = done[0][0]["seconds"]["evaluation"]
            most = self.runs * (3 if took < SHORT else 1)
            runs = max(1, min(most, int(limit / max(took, 1e-6))))
            # The cold run counts as a timing only where runs are few and long.
            cold = 1 if runs == most else 0
            while len(done) < cold + runs:
                done.append(self.check(case, row, caches, more))
        walls = [ran.seconds for _, ran in done]
        done = done[cold:]
        report = done[-1][0]
        checked = counts(report)
        scale = case.scale(checked, evaluator)
        row.update(
            parameters=report["parameters"], checked=report["checked"],
            seconds=[r["seconds"]["evaluation"] * scale for r, _ in done],
            extrapolated=checked != case.counts,
            cold=walls[0], warm=walls[1:],
            peakMiB=max(ran.peak for _, ran in done),
            relativeDifference=report["relativeDifference"],
            verdict=report["verdict"], passed=report["passed"])
        return row

    def rows(self, case, devices):
        """All rows of a network."""
        found = []
        for device in devices:
            for evaluator in ("difference", "direct"):
                for precision in ("f64", "f32"):
                    if precision == "f64" and not device["double"]:
                        continue
                    name = (f"{case.name}, {device['name']}, "
                            f"{evaluator} {precision}")
                    if evaluator == "direct" and time.monotonic() > self.end:
                        say(f"{name}: left out, the time is over")
                        continue
                    try:
                        row = self.row(case, device, precision, evaluator)
                    except RuntimeError as error:
                        say(f"{name}: {error}")
                        continue
                    found.append(row)
                    say(f"{name}: {statistics.median(row['seconds']):.4f} s"
                        + (" extrapolated" if row["extrapolated"] else ""))
        return found


def counts(report):
    """Components checked, by tensor."""
    return {tensor["name"]: tensor["checked"]
            for tensor in report["tensors"]}
