"""Everything worth knowing of a GPU, in one call of some minutes.

    python3 benchmarks/gpu_round.py [--program FILE] [--device SELECTOR]
                                    [--minutes 8] [--output FILE] [--quick]
                                    [--only STEP …]

devices    what `gpucheck devices` says, self-tests included
rates      the card's own: matrix products and copies, by PyTorch
dense      S, M, Mr, L, D: every mode and precision, cold and warm
compare    the same networks held against the CPU, sampled
kernels    M, L, D and the GPT with other kernels than the device's own:
           no moments, chains, no tiles, nothing fused (GPUCHECK_KERNELS)
wide       3072-8192-3072-10, 50 million parameters: all of them, and a
           sample, which goes step by step
peers      JAX and torch.autograd.gradcheck on the same card
models     LeNet, ResNet-20, GPT: timed, and held against the CPU
profile    `gpucheck check --profile` of L and ResNet-20, where it has that

Needs NumPy and a program; what lacks torch, onnx or jax is left out. The
program may be the static one, and finds OpenCL as ever (OCL_ICD_FILENAMES
names a driver's library where no .icd file does). Results are written after
each step: FILE (gpu-round.json) is whole whenever the call ends. --quick has
small networks and limits, to try the script itself.
"""

import argparse
import json
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
MODES = [(evaluator, precision) for evaluator in ("difference", "direct")
         for precision in ("f64", "f32")]
COMPARE_SAMPLE, WIDE_SAMPLE = 2000, 32768
# What GPUCHECK_KERNELS is set to, beside nothing.
KERNELS = ["", "-moments", "tiles", "-tiles", "chains", "-fused"]
# Perturbations that JAX evaluates at once: a GPU wants many.
JAX_BLOCK = 1024


class Round:
    """The steps, and what they have in common."""

    def __init__(self, args, folder):
        self.args, self.folder = args, Path(folder)
        self.program = args.program.resolve()
        self.end = time.monotonic() + 60 * args.minutes
        limit = 2 if args.quick else 8
        self.gpucheck = Gpucheck(
            self.program, 1 if args.quick else 3,
            {"difference": limit, "direct": limit})
        self.dense_names = ["S", "M"] if args.quick \
            else list(export_net.NETWORKS)
        self.made = {}

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

    def json(self, *words, statuses=(0, 1, 3)):
        """What a command of gpucheck prints."""
        ran = run([self.program, *words, "--format", "json"],
                  timeout=self.left)
        if ran.status not in statuses:
            raise RuntimeError(ran.reason)
        return json.loads(ran.out)

    def timed(self, case):
        """A row for each mode and precision that the device has."""
        device, rows = self.device(), []
        for evaluator, precision in MODES:
            if precision == "f64" and not device["double"]:
                continue
            row = attempt(lambda: self.gpucheck.row(
                case, device, precision, evaluator))
            rows.append({"evaluator": evaluator, "precision": precision,
                         **row})
            say(f"{case.name} {evaluator} {precision}: "
                f"{row.get('seconds', row)}")
        return rows

    def compared(self, case):
        """The device held against the CPU, in every mode."""
        model, *files = case.arguments
        sample = min(case.parameters, COMPARE_SAMPLE)
        if case.name in models.NAMES:
            # The CPU does these slowly.
            sample = min(sample, 200)
        found = self.json(
            "compare", model, *files, "--device", self.device()["index"],
            "--device", "cpu", "--evaluator", "difference",
            "--evaluator", "direct", "--sample", sample, "--quiet")
        return found

    # --- The steps ----------------------------------------------------------

    def step_devices(self):
        found = self.json("devices", statuses=(0,))
        smi = attempt(lambda: subprocess.run(
            ["nvidia-smi"], capture_output=True, text=True,
            timeout=30).stdout)
        return {"listing": found, "nvidia-smi": smi}

    def step_rates(self):
        return rates(0.2 if self.args.quick else 1)

    def step_dense(self):
        return {name: attempt(lambda: self.timed(self.case(name)))
                for name in self.dense_names}

    def step_compare(self):
        return {name: attempt(lambda: self.compared(self.case(name)))
                for name in self.dense_names}

    def step_kernels(self):
        names = ["M"] if self.args.quick else ["M", "L", "D", *(
            [] if models.missing() else ["GPT"])]
        return {name: {words or "own": attempt(
                           lambda: self.chosen(self.case(name), words))
                       for words in KERNELS}
                for name in names}

    def chosen(self, case, words):
        """Seconds of evaluation with some kernels, best of three."""
        dense = case.name in export_net.NETWORKS
        sample = case.parameters if dense else min(case.parameters, 100000)
        seconds = []
        for _ in range(3):
            ran = run([self.program, "check", *case.arguments, "--device",
                       self.device()["index"], "--sample", sample, "--full",
                       "--quiet", "--format", "json"],
                      environment={"GPUCHECK_KERNELS": words},
                      timeout=min(60, self.left))
            if ran.status not in (0, 1, 3):
                raise RuntimeError(ran.reason)
            seconds.append(json.loads(ran.out)["seconds"]["evaluation"])
        return {"seconds": min(seconds), "sample": sample}

    def step_wide(self):
        sizes = [48, 128, 48, 10] if self.args.quick \
            else [3072, 8192, 3072, 10]
        theta, x, y = export_net.draw(sizes, "tanh", 32)
        case = cases.of_dense("wide", self.folder / "wide", sizes, "tanh",
                              theta, x, y)
        result = {"sizes": sizes, "parameters": case.parameters,
                  "gigaflops": case.flops(case.counts) / 1e9}
        for precision in ("f32", "f64"):
            result[precision] = {
                "all": attempt(lambda: self.whole(case, precision)),
                "sample": attempt(lambda: self.sampled(case, precision))}
        return result

    def whole(self, case, precision):
        """The report of a check of all components."""
        report = self.json(
            "check", *case.arguments, "--device", self.device()["index"],
            "--precision", precision, "--full", "--quiet")
        return {key: report[key] for key in (
            "seconds", "verdict", "relativeDifference", "warnings")}

    def sampled(self, case, precision):
        """A sample's report, and the seconds that all would take."""
        sample = min(case.parameters, WIDE_SAMPLE)
        report = self.json(
            "check", *case.arguments, "--device", self.device()["index"],
            "--precision", precision, "--sample", sample, "--quiet")
        checked = counts(report)
        seconds = report["seconds"]["evaluation"]
        return {"sample": report["checked"], "seconds": report["seconds"],
                "verdict": report["verdict"],
                "relativeDifference": report["relativeDifference"],
                "allSeconds": seconds * case.scale(checked, "difference"),
                "flopsPerSecond": case.flops(checked) / seconds,
                "warnings": report["warnings"]}

    def step_peers(self):
        names = ["S"] if self.args.quick else ["M", "L", "D", "ResNet-20"]
        return {f"{peer}, {name}": attempt(lambda: self.peer(peer, name))
                for name in names for peer in ("jax", "torch")}

    def peer(self, peer, name):
        """A peer on the card, in a process of its own."""
        more = []
        if peer == "torch":
            more = ["--device", "cpu" if self.args.quick else "cuda"]
        elif name in export_net.NETWORKS:
            more = ["--block", JAX_BLOCK]
        ran = run([sys.executable, HERE / "peers.py", peer, name,
                   "--files", self.case(name).folder, "--runs", 2,
                   "--budget", 1 if self.args.quick else 4, *more],
                  timeout=min(90, self.left))
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
        return {name: {
            "rows": attempt(lambda: self.timed(self.case(name))),
            "compare": attempt(lambda: self.compared(self.case(name)))}
            for name in (["LeNet"] if self.args.quick else models.NAMES)}

    def step_profile(self):
        if "--profile" not in run([self.program, "help", "check"]).out:
            raise RuntimeError("this program has no --profile")
        names = ["M"] if self.args.quick else ["L", *(
            [] if models.missing() else ["ResNet-20"])]
        return {name: attempt(lambda: self.profiled(name))
                for name in names}

    def profiled(self, name):
        """What --profile prints."""
        ran = run([self.program, "check", *self.case(name).arguments,
                   "--device", self.device()["index"], "--sample", 4000,
                   "--profile"], timeout=self.left)
        if ran.status not in (0, 1, 3):
            raise RuntimeError(ran.reason)
        return {"out": ran.out, "err": ran.err}


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
    parser.add_argument("--minutes", type=float, default=8)
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
