"""The peers' rows of the benchmarks."""

import json
import statistics
import sys
from pathlib import Path

import export_net
import processes
from processes import run, say

HERE = Path(__file__).resolve().parent
NAMES = ["loop", "torch", "jax"]


class Peers:
    """The peers, each in a process of its own.

    names    which ones
    runs     of each row
    budget   seconds of a run
    """

    def __init__(self, names, runs, budget):
        self.names, self.runs, self.budget = names, runs, budget

    def rows(self, case):
        """A row for each that is there."""
        found = []
        for peer in self.names:
            try:
                row = self.row(peer, case)
            except RuntimeError as error:
                say(f"{peer}, {case.name}: left out, {error}")
                continue
            found.append(row)
            say(f"{peer}, {case.name}: "
                f"{statistics.median(row['seconds']):.3f} s"
                + (" extrapolated" if row["extrapolated"] else ""))
        return found

    def row(self, peer, case):
        """One peer on one network.

        Small matrix products can be slower on several threads than on one,
        so for networks of dense layers a trial finds what serves it better.
        """
        cores = processes.cores()
        choices = {cores}
        if case.name in export_net.NETWORKS:
            choices.add(1)
        threads = cores
        if len(choices) > 1:
            pilots = {}
            for count in sorted(choices):
                found, _ = self.process(peer, case, count, 1, 0.5)
                pilots[count] = found["seconds"][0] / found["checked"]
            threads = min(pilots, key=pilots.get)
        found, ran = self.process(
            peer, case, threads, self.runs, self.budget)
        scale = found["parameters"] / found["checked"]
        return {**found, "kind": "peer", "extrapolated": scale > 1,
                "threads": threads,
                "seconds": [s * scale for s in found["seconds"]],
                "peakMiB": ran.peak}

    def process(self, peer, case, threads, runs, budget):
        """What peers.py printed, and how it ran."""
        ran = run(
            [sys.executable, HERE / "peers.py", peer, case.name,
             "--files", case.folder, "--runs", runs, "--budget", budget],
            processes.threads(threads), timeout=60 + 10 * runs * budget)
        if ran.status != 0:
            raise RuntimeError(ran.reason)
        return json.loads(ran.out), ran
