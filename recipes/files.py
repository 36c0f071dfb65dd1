"""The files that every recipe writes, and the command that checks them.

A folder holds a model or a network file, and three files of tensors: batch,
parameters and gradient. They are Safetensors files where the package
safetensors is installed, NumPy archives otherwise.
"""

import difflib
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Files:
    """What a recipe wrote, and J at θ where the recipe knows it."""

    model: Path
    batch: Path
    parameters: Path
    gradient: Path
    cost: float | None = None

    @property
    def arguments(self):
        """The arguments of `gpucheck check`, as a list."""
        words = [self.model, "--batch", self.batch,
                 "--parameters", self.parameters, "--gradient", self.gradient]
        if self.cost is not None:
            # gpucheck compares it with its own J before anything else.
            words += ["--expected-cost", f"{self.cost:.9g}"]
        return [str(word) for word in words]

    @property
    def command(self):
        """The command line that checks the gradient."""
        return shlex.join(["gpucheck", "check", *self.arguments])


def write(folder, model, batch, parameters, gradient, cost=None):
    """Writes the three files of tensors and prints the command.

    folder      where they go, and where the model `model` already lies
    batch, parameters, gradient      dicts of arrays by name; gradient has the
                names and shapes of parameters, or ValueError says what differs
    cost        J at θ, to be compared with gpucheck's own
    Returns `Files`.
    """
    folder = Path(folder)
    batch, parameters, gradient = (
        {str(name): np.asarray(value) for name, value in tensors.items()}
        for tensors in (batch, parameters, gradient))
    match(gradient, parameters)
    files = Files(folder / model, *(
        save(folder / stem, tensors) for stem, tensors in
        [("batch", batch), ("parameters", parameters), ("gradient", gradient)]),
        cost=None if cost is None else float(cost))
    print(files.command)
    return files


def match(gradient, parameters):
    """Raises ValueError unless both have the same names and shapes."""
    missing = [name for name in parameters if name not in gradient]
    unknown = [name for name in gradient if name not in parameters]
    if unknown:
        near = difflib.get_close_matches(unknown[0], parameters, 1)
        raise ValueError(
            f"the gradient holds '{unknown[0]}', which is no parameter"
            + (f"; did you mean '{near[0]}'?" if near else
               f"; the parameters are {', '.join(parameters) or 'none'}"))
    if missing:
        raise ValueError(
            f"the gradient lacks {', '.join(missing)}; "
            "give a tensor for every parameter, zeros where J ignores it")
    for name, tensor in gradient.items():
        if tensor.shape != parameters[name].shape:
            raise ValueError(
                f"the gradient of '{name}' is of shape {list(tensor.shape)}, "
                f"the parameter of {list(parameters[name].shape)}")


def save(stem, tensors):
    """Writes tensors by name as `stem`.safetensors, or as `stem`.npz where
    safetensors is not installed. Returns the path."""
    tensors = {name: np.ascontiguousarray(value).reshape(np.shape(value))
               for name, value in tensors.items()}
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    try:
        from safetensors.numpy import save_file
    except ImportError:
        path = stem.with_name(stem.name + ".npz")
        # An archive has no bfloat16; float32 holds its values exactly.
        np.savez(path, **{
            name: value.astype(np.float32)
            if value.dtype.name == "bfloat16" else value
            for name, value in tensors.items()})
        return path
    path = stem.with_name(stem.name + ".safetensors")
    save_file(tensors, path)
    return path
