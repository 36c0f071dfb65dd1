"""Other programs, run and measured."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """What became of a process: seconds from start to exit, and its largest
    resident set in MiB."""

    status: int
    out: str
    err: str
    seconds: float
    peak: float

    @property
    def reason(self):
        """Why it failed, in one line."""
        lines = self.err.splitlines()
        return lines[-1] if lines else f"exit status {self.status}"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(command, environment=None, timeout=900):
    """Runs a command; one that takes longer than the timeout is killed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=err,
            env={**os.environ, **(environment or {})})
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = err.read().decode(errors="replace").strip()
        if process.returncode < 0 and seconds >= timeout:
            said += f"\nkilled after {timeout:.0f} s"
        return Ran(process.returncode, out.read().decode(errors="replace"),
                   said, seconds, usage.ru_maxrss / 1024)


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def threads(count):
    """The environment in which libraries of linear algebra take so many."""
    return {name: str(count) for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
