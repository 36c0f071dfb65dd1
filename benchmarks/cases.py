"""The networks of the benchmarks, as files and as what the method needs."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import export_net
import floor
import models
import processes

HERE = Path(__file__).resolve().parent
NAMES = [*export_net.NETWORKS, *models.NAMES]
# On so many components of each tensor a check measures truncation, with two
# more lanes for each, and of a sample on a quarter (docs/inspect.md).
TRUNCATION = 256


@dataclass(frozen=True)
class Case:
    """A network's files in a folder."""

    name: str
    title: str
    folder: Path
    # Components of θ by tensor, and what a lane of each needs.
    counts: dict
    needs: dict
    # Networks of one hidden layer have no matrix product behind it: there
    # functions are most of the work. Elsewhere only products are counted, so
    # the floor is lower than what is needed.
    functions: bool
    # FLOPs of a whole forward pass.
    forward: float

    @property
    def parameters(self):
        """How many components θ has."""
        return sum(self.counts.values())

    @property
    def arguments(self):
        """The model and its files, as `gpucheck check` takes them."""
        return arguments(self.folder)

    def lanes(self, checked):
        """Lanes by tensor, in pairs, of a check of so many components of
        each."""
        def measured(count):
            return count if checked == self.counts else max(2, count // 4)

        return {name: count + min(count, TRUNCATION, measured(count))
                for name, count in checked.items()}

    def flops(self, checked):
        """What these lanes need."""
        return floor.totals(self.needs, self.lanes(checked), self.functions)

    def each(self, evaluator):
        """What a component of a sample needs, on average."""
        if evaluator == "difference":
            return 2 * self.flops(self.counts) / self.parameters
        return 4 * self.forward

    def scale(self, checked, evaluator):
        """By what the time of a sample is multiplied for that of all:
        exact differences in proportion to their work, whole passes to
        lanes."""
        if checked == self.counts:
            return 1
        if evaluator == "difference":
            return self.flops(self.counts) / self.flops(checked)
        return sum(self.lanes(self.counts).values()) / sum(
            self.lanes(checked).values())


def arguments(folder, stems=("batch", "parameters", "gradient")):
    """The model of a folder, and its files as options."""
    model, = folder.glob("model.*")
    words = [str(model)]
    for stem in stems:
        path, = folder.glob(f"{stem}.*")
        words += [f"--{stem}", str(path)]
    return words


def dense(name, folder):
    """One of the networks of export_net.py."""
    sizes, activation = export_net.NETWORKS[name]
    shape = "-".join(map(str, sizes)) if name != "D" else "64-8×128-10"
    zeros = export_net.ZERO_INPUTS.get(name)
    return of_dense(
        name, folder, sizes, activation, *export_net.make(name, 32),
        title=f"{shape} {activation}, batch 32"
        + (f", {zeros:.0%} of the inputs zero" if zeros else ""))


def of_dense(name, folder, sizes, activation, theta, x, y, title=""):
    """Any network of dense layers."""
    export_net.write(folder, sizes, activation, theta, x, y)
    return Case(
        name, title, folder,
        {tensor: value.size for tensor, value in theta.items()},
        floor.dense(sizes, activation, theta, x), len(sizes) == 3,
        2 * len(x) * sum(n * m for n, m in zip(sizes, sizes[1:])))


def model(name, folder, program):
    """One of models.py, whose work `gpucheck inspect` knows."""
    ran = processes.run(
        [sys.executable, HERE / "models.py", name, folder])
    if ran.status != 0:
        raise RuntimeError(ran.reason)
    ran = processes.run(
        [program, "inspect", *arguments(folder, ("batch", "gradient")),
         "--format", "json", "--quiet"])
    if ran.status != 0:
        raise RuntimeError(ran.reason)
    inspection = json.loads(ran.out)
    return Case(
        name, models.TITLES[name], folder,
        {segment["name"]: segment["count"]
         for segment in inspection["estimate"]["segments"]},
        floor.of_graph(inspection), functions=False,
        forward=2 * inspection["estimate"]["forwardWork"])


def make(name, folder, program):
    """Writes a network's files. RuntimeError says why it cannot."""
    if name in export_net.NETWORKS:
        return dense(name, folder)
    return model(name, folder, program)
