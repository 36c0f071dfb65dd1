"""Everything worth knowing of a GPU, in one call of some minutes.

    python3 benchmarks/gpu_round.py [--program FILE] [--device SELECTOR]
                                    [--driver LIBRARY] [--tests FILE]
                                    [--minutes 12] [--output FILE] [--quick]
                                    [--only STEP …]

devices    what `gpucheck devices` says, self-tests included
dense      S, M, Mr, L, D: f64 and f32, cold and warm
wide       3072-8192-3072-10, 50 million parameters, all of them
products   256-3×1024-10, D, GPT and ResNet-20 step by step: what products
           reach, by --profile
peers      JAX's and PyTorch's vmap and gradcheck on the same card
models     LeNet, ResNet-20, GPT: as the dense ones
tests      the table tests on the GPU, where --tests names their binary
rates      the card's own: matrix products and copies, by PyTorch
compare    all networks held against the CPU, sampled
profile    `gpucheck check --profile` of M, D and ResNet-20
direct     the dense networks by whole passes
kernels    M, L, D and the GPT with other kernels than the device's own:
           no moments, chains, no tiles, nothing fused (GPUCHECK_KERNELS)

The most telling come first, and results are written after each: FILE
(gpu-round.json) is whole whenever the call ends. Needs NumPy and a program,
which may be the static one; what lacks torch, onnx or jax is left out. --driver
names a driver's library where no .icd file does, such as NVIDIA's
libnvidia-opencl.so.1. --tests: swift test's gpucheckPackageTests.xctest beside
its bundle of resources, with Swift's libraries on LD_LIBRARY_PATH. --quick has
small networks and limits, to try the script itself.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cases
import export_net
import models
from gpu_rates import rates
from measure import Gpucheck, counts
from processes import run, say

HERE = Path(__file__).resolve().parent
COMPARE_SAMPLE = 2000
# Components of a check that is timed: all, or what so many FLOPs do.
MOST_FLOPS = 4e13
# What GPUCHECK_KERNELS is set to, beside nothing.
KERNELS = ["", "-moments", "-moments,-tiles", "chains", "-fused"]
# Perturbations that a peer evaluates at once: a GPU wants many.
PEER_BLOCK = 1024
# The suites that hold every kernel to the textbook and to its CPU twin.
TESTS = "|".join((
    "PrimitiveTests", "RuleTests", "LaneChainTests", "ProductTileTests", "RowBlockTests",
    "FusedStepsTests", "KinkTests", "LaneLoopTests"))


class Round:
    """The steps, and what they have in common."""

    def __init__(self, args, folder):
        self.args, self.folder = args, Path(folder)
        self.program = args.program.resolve()
        self.gpucheck = Gpucheck(self.program, 1, {})
        self.end = time.monotonic() + 60 * args.minutes
        self.dense_names = ["S", "M"] if args.quick \
            else list(export_net.NETWORKS)
        self.made = {}
        if args.driver is not None:
            vendors = self.folder / "vendors"
            vendors.mkdir()
            (vendors / "driver.icd").write_text(f"{args.driver}\n")
            os.environ["OCL_ICD_VENDORS"] = str(vendors)

    @property
    def left(self):
        """Seconds until the round is to end, one at least."""
        return max(1.0, self.end - time.monotonic())

    def case(self, name):
        """A network's files, written once."""
        if name not in self.made:
            self.made[name] = cases.make(
                name, self.folder / name, self.program)
        return self.made[name]

    @functools.cached_property
    def device(self):
        """The device of the round, as the listing has it."""
        found = self.gpucheck.devices()
        if self.args.device is not None:
            found = [device for device in found
                     if self.args.device == device["index"]
                     or self.args.device in device["name"]]
        else:
            found = [device for device in found if device["type"] == "gpu"]
        if not found:
            raise RuntimeError("no such device among those that pass")
        return found[0]

    def json(self, *words, statuses=(0, 1, 3), **environment):
        """What a command of gpucheck prints."""
        ran = run([self.program, *words, "--format", "json"], environment,
                  timeout=self.left)
        if ran.status not in statuses:
            raise RuntimeError(ran.reason)
        return json.loads(ran.out)

    def timed(self, case, evaluator="difference"):
        """A row for each precision that the device has."""
        precisions = ["f64", "f32"] if self.device["double"] else ["f32"]
        found = {}
        for precision in precisions:
            found[precision] = attempt(
                lambda: self.row(case, evaluator, precision))
            say(f"{case.name} {evaluator} {precision}: "
                f"{found[precision].get('seconds', found[precision])}")
        return found

    def row(self, case, evaluator, precision):
        """Cold once, then warm."""
        flops = MOST_FLOPS / (100 if self.args.quick else 1)
        sample = min(case.parameters, max(
            200, int(flops / case.each(evaluator))))
        row = {"device": self.device["index"], "evaluator": evaluator,
               "precision": precision}
        with tempfile.TemporaryDirectory() as caches:
            runs = [self.gpucheck.check(
                        case, row, caches, ("--sample", sample, "--full"),
                        self.left)
                    for _ in range(2 if self.args.quick else 4)]
        report = runs[-1][0]
        checked = counts(report)
        seconds = [r["seconds"]["evaluation"] for r, _ in runs[1:]]
        return {
            "parameters": report["parameters"], "checked": report["checked"],
            "seconds": seconds,
            "allSeconds": min(seconds) * case.scale(checked, evaluator),
            "flopsPerSecond": case.flops(checked) / min(seconds),
            "cold": runs[0][1].seconds,
            "warm": [ran.seconds for _, ran in runs[1:]],
            "relativeDifference": report["relativeDifference"],
            "verdict": report["verdict"], "warnings": report["warnings"]}

    def compared(self, case):
        """The device held against the CPU, in every mode."""
        model, *files = case.arguments
        sample = min(case.parameters, COMPARE_SAMPLE)
        if case.name in models.NAMES:
            # The CPU does these slowly.
            sample = min(sample, 200)
        found = self.json(
            "compare", model, *files, "--device", self.device["index"],
            "--device", "cpu", "--evaluator", "difference",
            "--evaluator", "direct", "--sample", sample, "--quiet")
        return found

    # --- The steps ----------------------------------------------------------

    def step_devices(self):
        found = self.json("devices", statuses=(0,))
        smi = attempt(lambda: subprocess.run(
            ["nvidia-smi"], capture_output=True, text=True,
            timeout=30).stdout)
        say(f"on {self.device['name']}")
        return {"listing": found, "nvidia-smi": smi}

    def step_dense(self):
        return {name: attempt(lambda: self.timed(self.case(name)))
                for name in self.dense_names}

    def step_wide(self):
        sizes = [48, 128, 48, 10] if self.args.quick \
            else [3072, 8192, 3072, 10]
        theta, x, y = export_net.draw(sizes, "tanh", 32)
        case = cases.of_dense("wide", self.folder / "wide", sizes, "tanh",
                              theta, x, y)
        found = {"sizes": sizes, "parameters": case.parameters}
        for precision in ("f64", "f32"):
            report = attempt(lambda: self.json(
                "check", *case.arguments, "--device", self.device["index"],
                "--precision", precision, "--full", "--quiet"))
            found[precision] = report if "error" in report else {
                key: report[key] for key in (
                    "seconds", "verdict", "relativeDifference", "warnings")}
            say(f"wide {precision}: {found[precision]}")
        return found

    def step_products(self):
        """Where products of many lanes are most of the work."""
        sizes = [64, 96, 96, 10] if self.args.quick \
            else [256, 1024, 1024, 1024, 10]
        self.made["1024"] = cases.of_dense(
            "1024", self.folder / "1024", sizes, "tanh",
            *export_net.draw(sizes, "tanh", 32))
        names = ["1024"] if self.args.quick else ["1024", "D", *(
            [] if models.missing() else ["GPT", "ResNet-20"])]
        return {f"{name} {precision}": attempt(
                    lambda: self.profiled(
                        name, "--precision", precision,
                        GPUCHECK_KERNELS="-moments,-chains"))
                for name in names for precision in ("f64", "f32")}

    def step_peers(self):
        names = ["S"] if self.args.quick else ["M", "L", "D"]
        found = {}
        for name in names:
            for peer in ("jax", "vmap", "torch"):
                if peer == "torch" and name != names[0]:
                    continue
                row = attempt(lambda: self.peer(peer, name))
                found[f"{peer}, {name}"] = row
                say(f"{peer} {name}: {row.get('seconds', row)}")
        return found

    def peer(self, peer, name):
        """A peer on the card, in a process of its own."""
        device = "cpu" if self.args.quick else "cuda"
        ran = run([sys.executable, HERE / "peers.py", peer, name,
                   "--files", self.case(name).folder, "--runs", 2,
                   "--budget", 1 if self.args.quick else 3,
                   "--device", device, "--block", PEER_BLOCK],
                  timeout=min(60, self.left))
        if ran.status != 0:
            raise RuntimeError(ran.reason)
        found = json.loads(ran.out)
        scale = found["parameters"] / found["checked"]
        return {**found, "seconds": [s * scale for s in found["seconds"]],
                "extrapolated": scale > 1}

    def step_models(self):
        if models.missing():
            raise RuntimeError(
                f"not installed: {', '.join(models.missing())}")
        return {name: attempt(lambda: self.timed(self.case(name)))
                for name in (["LeNet"] if self.args.quick else models.NAMES)}

    def step_tests(self):
        if self.args.tests is None:
            raise RuntimeError("no --tests")
        ran = run([self.args.tests, "--testing-library", "swift-testing",
                   "--filter", TESTS],
                  {"GPUCHECK_TEST_DEVICE": self.device["type"]},
                  timeout=self.left)
        lines = (ran.out + ran.err).splitlines()
        return {"status": ran.status, "seconds": ran.seconds,
                "failed": [line for line in lines if "✘" in line][:50],
                "passed": [line for line in lines
                           if "✔" in line and "passed after" in line]}

    def step_rates(self):
        return rates(0.2 if self.args.quick else 1)

    def step_compare(self):
        names = self.dense_names + ([] if models.missing() or self.args.quick
                                    else models.NAMES)
        return {name: attempt(lambda: self.compared(self.case(name)))
                for name in names}

    def step_profile(self):
        names = ["M"] if self.args.quick else ["M", "D", *(
            [] if models.missing() else ["ResNet-20"])]
        return {name: attempt(lambda: self.profiled(name)) for name in names}

    def step_direct(self):
        return {name: attempt(lambda: self.timed(self.case(name), "direct"))
                for name in self.dense_names}

    def step_kernels(self):
        names = ["M"] if self.args.quick else ["M", "L", "D", *(
            [] if models.missing() else ["GPT"])]
        return {name: {words or "own": attempt(
                           lambda: self.chosen(self.case(name), words))
                       for words in KERNELS}
                for name in names}

    def chosen(self, case, words):
        """Seconds of evaluation with some kernels, best of two."""
        reports = [self.json(
            "check", *case.arguments, "--device", self.device["index"],
            "--sample", min(case.parameters, 100000), "--full", "--quiet",
            GPUCHECK_KERNELS=words) for _ in range(2)]
        return {"seconds": min(r["seconds"]["evaluation"] for r in reports),
                "checked": reports[0]["checked"]}

    def profiled(self, name, *words, **environment):
        """What --profile prints of a sample."""
        case = self.case(name)
        flops = MOST_FLOPS / (4000 if self.args.quick else 4)
        sample = min(case.parameters, max(
            1000, int(flops / case.each("difference"))))
        ran = run([self.program, "check", *case.arguments,
                   "--device", self.device["index"], "--sample", sample,
                   "--full", "--profile", *words], environment,
                  timeout=self.left)
        if ran.status not in (0, 1, 3):
            raise RuntimeError(ran.reason)
        return {"sample": sample, "out": ran.out, "err": ran.err}


STEPS = {name.removeprefix("step_"): step
         for name, step in vars(Round).items() if name.startswith("step_")}


def attempt(work):
    """What a piece of work returns, or {"error": why it did not}."""
    try:
        return work()
    except (RuntimeError, OSError, ValueError, ArithmeticError, KeyError,
            subprocess.SubprocessError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path,
                        default=HERE.parent / ".build/release/gpucheck")
    parser.add_argument("--device", help="an index such as 0:0, or part of a "
                        "name; default: the first GPU that passes")
    parser.add_argument("--driver", type=Path,
                        help="an OpenCL driver's library, where no .icd file "
                        "names it")
    parser.add_argument("--tests", type=Path,
                        help="the binary of the tests")
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--output", type=Path, default=Path("gpu-round.json"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=list(STEPS), default=[])
    args = parser.parse_args()
    if not args.program.exists():
        sys.exit(f"bench: {args.program} is not there")
    result = {"schema": "gpucheck.gpu-round/1", "steps": {}}
    with tempfile.TemporaryDirectory() as folder:
        work = Round(args, folder)
        result["version"] = run([work.program, "--version"]).out.strip()
        for name, step in STEPS.items():
            if args.only and name not in args.only:
                continue
            if time.monotonic() > work.end:
                say(f"{name}: left out, the time is over")
                continue
            began = time.monotonic()
            found = attempt(lambda: step(work))
            result["steps"][name] = {
                "seconds": time.monotonic() - began, "result": found}
            args.output.write_text(json.dumps(result, indent=1) + "\n")
            failed = isinstance(found, dict) and found.get("error")
            say(f"{name}: {failed or 'done'}, "
                f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
