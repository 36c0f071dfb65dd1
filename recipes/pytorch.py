"""PyTorch to gpucheck: a module, its loss and a batch as files.

    from recipes import pytorch
    pytorch.export(module, torch.nn.functional.cross_entropy, x, y, "check")

writes check/model.onnx, whose inputs are the batch and every parameter and
whose one output is J, and batch, parameters and gradient beside it. Needs
torch 2.6 or later, onnx and onnxscript; safetensors where it is installed.
"""

import copy
import warnings
from pathlib import Path

import numpy as np
import torch

from recipes import files, onnx_names
from recipes.pytorch_export import converted
from recipes.pytorch_module import (CostModule, call, dropout_of, named_batch,
                                    short_name, with_own_statistics)


def export(module, loss, inputs, targets=None, folder="gpucheck", *,
           gradients=None, penalty=None, double=True, dropout="refuse",
           opset=18):
    """Writes a module, its loss, a batch and a gradient.

    loss        called as loss(output, *targets), gives J, one number; None
                where the module gives J itself and takes inputs and targets
    inputs      a tensor, a tuple of them, or a dict of keyword arguments
    targets     a tensor, a tuple of them, or None
    gradients   what is to be checked: a dict of arrays by the names of
                named_parameters(); "grad" for what `.grad` holds after your
                own backward pass; None for autograd's, in float64
    penalty     what J has beside the loss: called with a dict of the
                parameters by name. A loss that reads module.parameters()
                by itself is refused: it would be a constant
    double      J in float64, the one to differentiate. False exports the
                module in the types it has
    dropout     "refuse", or "keep-all" for a keep-probability of 1
    The module is exported in the mode it is in: in training mode batch
    normalisation uses the batch's statistics. It is not changed. Frozen
    parameters and buffers become constants. A parameter that is used twice
    has one name, its first. Returns `files.Files`.
    """
    pair = CostModule(module, loss)
    names = {name: short_name(name, pair) for name, value in
             pair.named_parameters() if value.requires_grad}
    theta = {names[name]: value for name, value in pair.named_parameters()
             if name in names}
    if isinstance(gradients, str):
        gradients = held_gradients(theta, gradients)

    ours = copy.deepcopy(pair).cpu().requires_grad_(False)
    dropout_of(ours, keep_all=dropout == "keep-all")
    with_own_statistics(ours)
    if double:
        ours = ours.double()
    batch, split = named_batch(inputs, targets, taken=theta)

    def cost(theta, batch):
        J = call(ours, {name: theta[short] for name, short in names.items()},
                 *split(batch))
        return J if penalty is None else J + penalty(theta)

    return export_cost(cost, theta, batch, folder, gradients=gradients,
                       double=double, opset=opset, owned=ours)


def export_cost(cost, parameters, batch, folder="gpucheck", *,
                gradients=None, double=True, opset=18, owned=None):
    """Writes any cost written in PyTorch: cost(parameters, batch) gives J.

    parameters, batch      dicts of tensors by name
    gradients   a dict of arrays by name, or None for autograd's
    owned       a module whose tensors the cost reads, or None
    Returns `files.Files`.
    """
    def prepared(tensor):
        tensor = torch.as_tensor(tensor).detach().cpu()
        return tensor.double() if double and tensor.is_floating_point() \
            else tensor.clone()

    theta = {name: prepared(value) for name, value in parameters.items()}
    given = {name: prepared(value) for name, value in batch.items()}
    if both := theta.keys() & given.keys():
        raise ValueError(f"'{min(both)}' names a parameter and a tensor of "
                         "the batch; rename one of them")
    J = evaluated(cost, theta, given)
    if gradients is None:
        gradients = autograd(cost, theta, given)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = converted(cost, theta, given, opset, owned)
    onnx_names.mend(model, {**given, **theta}, "J")
    onnx_names.save(model, folder / "model.onnx")
    return files.write(folder, "model.onnx", arrays(batch), arrays(parameters),
                       arrays(gradients), cost=J)


def held_gradients(parameters, word):
    """What `.grad` of the trained parameters holds."""
    if word != "grad":
        raise ValueError(f'gradients is "{word}"; expected "grad", a dict of '
                         "arrays by name, or None")
    empty = [name for name, value in parameters.items()
             if value.grad is None]
    if len(empty) == len(parameters):
        raise ValueError("no parameter holds a gradient; call your backward "
                         "pass first")
    if empty:
        warnings.warn(f"{', '.join(empty)}: no gradient is held, zeros are "
                      "written", stacklevel=3)
    return {name: torch.zeros_like(value) if value.grad is None
            else value.grad for name, value in parameters.items()}


def evaluated(cost, theta, batch):
    """J. Raises ValueError where it is no function of θ and the batch alone."""
    J = cost(theta, batch)
    if not torch.is_tensor(J) or J.numel() != 1:
        found = list(J.shape) if torch.is_tensor(J) else type(J).__name__
        raise ValueError(f"the cost is {found}, expected one number; give a "
                         "loss that ends in a mean or a sum")
    if J.requires_grad:
        raise ValueError(
            "the cost reads parameters that were not handed to it, so they "
            "would be constants of the model; add what it does with "
            "module.parameters() as penalty=lambda parameters: …")
    again = cost(theta, batch)
    if not torch.equal(J, again):
        raise ValueError(
            f"the cost is {J.item():.9g} and, asked again, {again.item():.9g}; "
            "something in it is random or keeps a state (functional dropout?); "
            "take it out, or hand its values in as inputs")
    return J.item()


def autograd(cost, theta, batch):
    """The gradient that autograd finds; zeros where J ignores a tensor."""
    leaves = {name: value.clone().requires_grad_()
              for name, value in theta.items()}
    found = torch.autograd.grad(cost(leaves, batch), list(leaves.values()),
                                allow_unused=True)
    return {name: torch.zeros_like(value) if slope is None else slope
            for (name, value), slope in zip(leaves.items(), found)}


def arrays(tensors):
    """Tensors by name as NumPy arrays; bfloat16 by way of ml_dtypes."""
    return {name: array(value) for name, value in tensors.items()}


def array(value):
    if not torch.is_tensor(value):
        return np.asarray(value)
    value = value.detach().cpu().contiguous()
    if value.dtype == torch.bfloat16:
        import ml_dtypes
        return value.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return value.numpy()
