"""Times gpucheck and its peers on the benchmark networks.

    python3 benchmarks/run.py [--networks S M …] [--peers loop torch jax]
                              [--quick] [--minutes 18] [--program FILE]
                              [--markdown FILE] [--output FILE]

gpucheck runs on every device of `gpucheck devices` that is no simulator, the
CPU included, in f64 and f32, with exact differences and with whole forward
passes (`--evaluator direct`). Its evaluation time is the report's own. The
first run of each row finds empty kernel caches (cold), the others do not
(warm). The peers (peers.py) run each in a process of its own, and are left
out where their package is not installed; so are the networks of models.py
where there is no onnx or torch.

Beside each time stands the floor: what the method needs (floor.py) over what
this machine reaches in the same run (rates.py).

What would take longer than the limits is timed on a subset and extrapolated;
the table marks it. After so many minutes whole forward passes are left out.
Writes benchmarks/results.json as it goes, prints Markdown.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import cases
import floor
import measure_peers
import models
import processes
import table
from measure import Gpucheck
from processes import run, say

HERE = Path(__file__).resolve().parent
# Runs of a row, and the seconds they may take in all, by evaluator; runs of a
# peer, and the seconds of each.
FULL = {"runs": 5, "seconds": {"difference": 75, "direct": 6},
        "peerRuns": 3, "peerSeconds": 5}
QUICK = {"runs": 1, "seconds": {"difference": 3, "direct": 2},
         "peerRuns": 1, "peerSeconds": 1}


def rates(quick, earlier=None):
    """The machine's rates; the better of two measurements where there was
    one before."""
    ran = run([sys.executable, HERE / "rates.py",
               *(["--quick"] if quick else [])],
              processes.threads(processes.cores()))
    if ran.status != 0:
        sys.exit(f"bench: rates.py: {ran.reason}")
    found = json.loads(ran.out)
    say(", ".join(f"{name} {value / 1e9:.1f} G"
                  for name, value in found.items()))
    return {name: max(value, (earlier or found)[name])
            for name, value in found.items()}


def machine(program, devices):
    """What the figures were measured on."""
    facts = {}
    for path in ("/proc/cpuinfo", "/proc/meminfo", "/etc/os-release"):
        try:
            text = Path(path).read_text()
        except OSError:
            continue
        for line in text.splitlines():
            key, _, value = line.replace("=", ":", 1).partition(":")
            facts.setdefault(key.strip(), value.strip().strip('"'))
    return {
        "cpu": facts.get("model name", platform.machine()),
        "cores": processes.cores(),
        "memoryGiB": round(
            int(facts.get("MemTotal", "0 kB").split()[0]) / 2**20, 1),
        "system": facts.get("PRETTY_NAME", platform.system()),
        "gpucheck": run([program, "--version"]).out.strip(),
        "date": time.strftime("%Y-%m-%d"),
        "load": list(os.getloadavg()),
        "devices": [{key: device.get(key) for key in (
            "index", "name", "platform", "version", "driver",
            "computeUnits", "double", "type")} for device in devices]}


def put_floor(row, results):
    """The floor beside the time of exact differences on a CPU."""
    if (row["kind"] == "gpucheck" and row["deviceType"] == "cpu"
            and row["evaluator"] == "difference"):
        row["floorSeconds"] = floor.seconds(
            results["networks"][row["network"]]["flops"], row["parameters"],
            results["rates"], row["precision"])


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=cases.NAMES)
    parser.add_argument("--peers", nargs="*", default=measure_peers.NAMES,
                        choices=["loop", "course", "torch", "jax"])
    parser.add_argument("--quick", action="store_true",
                        help="S, M and LeNet unless named, few runs, low "
                        "limits")
    parser.add_argument("--minutes", type=float, default=18)
    parser.add_argument("--program", type=Path,
                        default=HERE.parent / ".build/release/gpucheck")
    parser.add_argument("--output", type=Path,
                        default=HERE / "results.json")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    if not args.program.exists():
        sys.exit(f"bench: {args.program} is not there; run make build")
    if args.networks is None:
        args.networks = ["S", "M", "LeNet"] if args.quick else cases.NAMES
    return args


def main():
    args = parse()
    began = time.perf_counter()
    if models.missing():
        wanted = [name for name in args.networks if name in models.NAMES]
        if wanted:
            say(f"{', '.join(wanted)}: left out, not installed: "
                f"{', '.join(models.missing())}")
        args.networks = [name for name in args.networks
                         if name not in models.NAMES]
    limits = QUICK if args.quick else FULL
    found = rates(args.quick)
    gpucheck = Gpucheck(args.program.resolve(), limits["runs"],
                        limits["seconds"],
                        time.monotonic() + 60 * args.minutes)
    peers = measure_peers.Peers(
        args.peers, limits["peerRuns"], limits["peerSeconds"])
    devices = gpucheck.devices()
    facts = machine(gpucheck.program, devices)
    results = {"schema": "gpucheck.benchmarks/2", "machine": facts,
               "rates": found, "limits": limits, "networks": {}, "rows": []}

    def write():
        """What there is by now."""
        for row in results["rows"]:
            put_floor(row, results)
        results["minutes"] = (time.perf_counter() - began) / 60
        args.output.write_text(json.dumps(results, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        for name in args.networks:
            try:
                case = cases.make(name, Path(folder) / name, gpucheck.program)
            except RuntimeError as error:
                say(f"{name}: left out, {error}")
                continue
            results["networks"][name] = {
                "title": case.title, "parameters": case.parameters,
                "flops": case.flops(case.counts)}
            results["rows"] += gpucheck.rows(case, devices)
            results["rows"] += peers.rows(case)
            write()
    results["rates"] = rates(args.quick, found)
    write()
    text = table.markdown(results)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text)


if __name__ == "__main__":
    main()
