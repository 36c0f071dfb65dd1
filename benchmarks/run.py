"""Times gpucheck and its peers on the benchmark networks.

    python3 benchmarks/run.py [--networks S M Mr L D] [--quick]
                              [--markdown FILE] [--output FILE]

gpucheck runs on every device of `gpucheck devices` that is no simulator, the
CPU included, in f64 and f32, with exact differences and with whole forward
passes (`--evaluator direct`). Its evaluation time is the report's own. The
first run of each row finds empty kernel caches (cold), the others do not
(warm). The peers (peers.py) run each in a process of its own, and are left
out where their package is not installed.

What would take longer than the limits is timed on a subset and extrapolated;
the table marks it. Writes benchmarks/results.json, prints Markdown.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import export_net
import table

HERE = Path(__file__).resolve().parent
PEERS = ["loop", "course", "torch", "jax"]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run_process(command, environment=None, timeout=900):
    """Runs a command: status, stdout, stderr, wall seconds, peak MiB."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=err,
            env={**os.environ, **(environment or {})})
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return (process.returncode, out.read().decode(),
                err.read().decode().strip(), wall, usage.ru_maxrss / 1024)


class Gpucheck:
    """The program, and its rows of the table."""

    def __init__(self, program, args):
        self.program, self.args = program, args

    def devices(self):
        """The listing's devices that are no simulators and pass."""
        _, out, _, _, _ = run_process(
            [self.program, "devices", "--format", "json"])
        found = []
        for device in json.loads(out)["devices"]:
            if device["simulator"]:
                continue
            if not device["selfTest"]["passed"]:
                say(f"{device['name']}: left out, its self-test fails: "
                    f"{device['selfTest']['failure']}")
                continue
            found.append(device)
        return found

    def check(self, files, row, caches, more=()):
        """One process: its report, wall time and peak memory."""
        command = [
            self.program, "check", files / "model.json",
            "--batch", files / "batch.npz",
            "--parameters", files / "parameters.npz",
            "--gradient", files / "gradient.npz",
            "--device", row["device"], "--precision", row["precision"],
            "--evaluator", row["evaluator"], "--format", "json",
            "--quiet", *more]
        places = {name: caches for name in (
            "POCL_CACHE_DIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME")}
        status, out, err, wall, peak = run_process(command, places)
        if status not in (0, 1, 3):
            raise RuntimeError(err or f"exit status {status}")
        return json.loads(out), wall, peak

    def pilot(self, files, row):
        """A sample, the seconds it takes, and what all would take.

        A sample of much less than an eighth fills no batch and overstates
        what all would take.
        """
        sizes, _ = export_net.NETWORKS[row["network"]]
        parameters = sum((i + 1) * o for i, o in zip(sizes, sizes[1:]))
        sample = max(1000, parameters // 8)
        with tempfile.TemporaryDirectory() as caches:
            report, _, _ = self.check(
                files, row, caches, ("--sample", sample))
        seconds = report["seconds"]["evaluation"]
        share = report["checked"] / report["parameters"]
        return sample, seconds, seconds / share

    def row(self, network, files, device, precision, evaluator):
        """Measures one row: cold once, then warm."""
        row = {"kind": "gpucheck", "network": network,
               "device": device["index"], "deviceName": device["name"],
               "precision": precision, "evaluator": evaluator}
        sample, seconds, expected = self.pilot(files, row)
        whole = expected <= self.args.limit
        more = () if whole else ("--sample", sample)
        fit = int(self.args.limit / (expected if whole else seconds))
        runs = max(1, min(self.args.runs, fit))
        # The cold run counts as a timing only where runs are few and long.
        extra = 1 if runs == self.args.runs else 0
        with tempfile.TemporaryDirectory() as caches:
            done = [self.check(files, row, caches, more)
                    for _ in range(extra + runs)]
        walls = [wall for _, wall, _ in done]
        done = done[extra:]
        report = done[-1][0]
        scale = report["parameters"] / report["checked"]
        row.update(
            parameters=report["parameters"], checked=report["checked"],
            seconds=[r["seconds"]["evaluation"] * scale
                     for r, _, _ in done],
            extrapolated=not whole,
            cold=walls[0], warm=walls[1:],
            peakMiB=max(peak for _, _, peak in done),
            relativeDifference=report["relativeDifference"],
            verdict=report["verdict"], passed=report["passed"])
        return row


def measure_gpucheck(gpucheck, devices, network, files):
    """All rows of gpucheck for a network."""
    rows = []
    for device in devices:
        for evaluator in ("difference", "direct"):
            for precision in ("f64", "f32"):
                if precision == "f64" and not device["double"]:
                    continue
                name = f"{network}, {device['name']}, {evaluator} {precision}"
                try:
                    row = gpucheck.row(
                        network, files, device, precision, evaluator)
                except RuntimeError as error:
                    say(f"{name}: {error}")
                    continue
                rows.append(row)
                say(f"{name}: {statistics.median(row['seconds']):.4f} s"
                    + (" extrapolated" if row["extrapolated"] else ""))
    return rows


def run_peer(peer, network, threads, runs, budget):
    """One process: status, stdout, stderr and peak MiB."""
    limits = {name: str(threads) for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    status, out, err, _, peak = run_process(
        [sys.executable, HERE / "peers.py", peer, network,
         "--runs", runs, "--budget", budget], limits, timeout=1800)
    return status, out, err, peak


def measure_peers(network, args, absent):
    """The rows of the peers for a network.

    Small matrix products can be slower on several threads than on one, so
    each peer runs on what serves it better.
    """
    rows = []
    cores = len(os.sched_getaffinity(0))
    for peer in PEERS:
        if peer in absent:
            continue
        pilots = {}
        for threads in sorted({1, cores}):
            status, out, err, _ = run_peer(peer, network, threads, 3, 1)
            if status != 0:
                break
            found = json.loads(out)
            pilots[threads] = min(found["seconds"]) / found["checked"]
        if status == 0:
            threads = min(pilots, key=pilots.get)
            status, out, err, peak = run_peer(
                peer, network, threads, args.peer_runs, args.budget)
        if status == 3:
            absent.add(peer)
            say(f"{peer}: left out, {err}")
            continue
        if status != 0:
            say(f"{peer}, {network}: {err.splitlines()[-1:]}")
            continue
        found = json.loads(out)
        scale = found["parameters"] / found["checked"]
        rows.append({
            **found, "kind": "peer", "extrapolated": scale > 1,
            "threads": threads,
            "seconds": [s * scale for s in found["seconds"]],
            "peakMiB": peak})
        say(f"{peer}, {network}: "
            f"{statistics.median(rows[-1]['seconds']):.3f} s"
            + (" extrapolated" if scale > 1 else ""))
    return rows


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
    _, version, _, _, _ = run_process([program, "--version"])
    return {
        "cpu": facts.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": round(
            int(facts.get("MemTotal", "0 kB").split()[0]) / 2**20, 1),
        "system": facts.get("PRETTY_NAME", platform.system()),
        "gpucheck": version.strip(),
        "date": time.strftime("%Y-%m-%d"),
        "devices": [{key: device.get(key) for key in (
            "index", "name", "platform", "version", "driver",
            "computeUnits", "double")} for device in devices]}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+",
                        default=["S", "M", "Mr", "L", "D"],
                        choices=["S", "M", "Mr", "L", "D"])
    parser.add_argument("--quick", action="store_true",
                        help="S and M unless named, few runs, low limits")
    parser.add_argument("--program", type=Path,
                        default=HERE.parent / ".build/release/gpucheck")
    parser.add_argument("--output", type=Path,
                        default=HERE / "results.json")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    args.runs, args.peer_runs, args.limit, args.budget = 5, 3, 60, 10
    if args.quick:
        args.runs, args.peer_runs, args.limit, args.budget = 2, 1, 5, 2
        if args.networks == parser.get_default("networks"):
            args.networks = ["S", "M"]
    if not args.program.exists():
        sys.exit(f"bench: {args.program} is not there; run make build")

    gpucheck = Gpucheck(args.program, args)
    devices = gpucheck.devices()
    rows, absent = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for network in args.networks:
            files = Path(folder) / network
            status, _, err, _, _ = run_process(
                [sys.executable, HERE / "export_net.py", network, files])
            if status != 0:
                sys.exit(f"bench: export_net.py: {err}")
            rows += measure_gpucheck(gpucheck, devices, network, files)
            rows += measure_peers(network, args, absent)
    results = {"schema": "gpucheck.benchmarks/1",
               "machine": machine(args.program, devices),
               "limits": {"runs": args.runs, "peerRuns": args.peer_runs,
                          "wholeSeconds": args.limit,
                          "peerSeconds": args.budget},
               "rows": rows}
    args.output.write_text(json.dumps(results, indent=1) + "\n")
    text = table.markdown(results)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text)


if __name__ == "__main__":
    main()
