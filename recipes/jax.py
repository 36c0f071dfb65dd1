"""JAX to gpucheck: a cost, its parameters and a batch as files.

    from recipes import jax as recipe
    recipe.export(cost, parameters, {"x": x, "y": y}, "check")

where cost(parameters, batch) gives J, one number. Writes check/model.onnx,
whose inputs are the batch and every parameter and whose one output is J, and
batch, parameters and gradient beside it. Needs jax, jax2onnx and onnx;
safetensors where it is installed.
"""

if __name__ == "jax":
    raise ImportError("the folder recipes itself is on the Python path and "
                      "hides jax; put the folder that holds it there")

from pathlib import Path

import jax
import numpy as np

from recipes import files, onnx_names


def export(cost, parameters, batch, folder="gpucheck", *, gradients=None,
           double=True, opset=23):
    """Writes a cost, its parameters, a batch and a gradient.

    cost        called as cost(parameters, batch), gives J; pure, as for
                jax.grad. Arrays that it closes over become constants
    parameters  any pytree of floating-point arrays; a leaf is called by its
                path, as in layers/0/kernel
    batch       a dict of arrays, or any pytree that is no single array
    gradients   what is to be checked: a pytree like parameters; None for
                jax.grad's, in float64 where the cost keeps to it
    double      J in float64, the one to differentiate. False exports the
                cost in the types it has
    Loops of a fixed length (scan, fori_loop) are unrolled. Returns
    `files.Files`.
    """
    theta, theta_shape = named(parameters)
    given, batch_shape = named(batch)
    if both := theta.keys() & given.keys():
        raise ValueError(f"'{min(both)}' names a parameter and a tensor of "
                         "the batch; rename one of them")
    for name, value in theta.items():
        if not jax.numpy.issubdtype(value.dtype, np.floating):
            raise ValueError(f"the parameter '{name}' is {value.dtype}, "
                             "expected a floating-point type; close over what "
                             "is no parameter")

    def flat(*values):
        batch = batch_shape.unflatten(values[:len(given)])
        return cost(theta_shape.unflatten(values[len(given):]), batch)

    tensors = {name: widened(value) if double else value
               for name, value in {**given, **theta}.items()}
    with jax.enable_x64(double or jax.config.jax_enable_x64):
        values = [jax.numpy.asarray(value) for value in tensors.values()]
        J = flat(*values)
        if np.shape(J) != ():
            raise ValueError(f"the cost is of shape {list(np.shape(J))}, "
                             "expected one number, of shape []")
        if gradients is None:
            slopes = jax.grad(flat, argnums=tuple(
                range(len(given), len(values))))(*values)
            kept = precision(flat, values)
            gradients = {name: np.asarray(value).astype(kept or value.dtype)
                         for name, value in zip(theta, slopes)}
        else:
            gradients, _ = named(gradients)
        model = converted(flat, tensors, double, opset)
    onnx_names.mend(model, tensors, "J")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    onnx_names.save(model, folder / "model.onnx")
    return files.write(folder, "model.onnx", given, theta, gradients, cost=J)


def named(tree):
    """The leaves of a pytree as arrays by their paths, and its structure."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"):
            np.asarray(value) for path, value in leaves}, structure


def widened(value):
    """A floating-point array as float64."""
    return value.astype(np.float64) \
        if jax.numpy.issubdtype(value.dtype, np.floating) else value


def precision(flat, values):
    """float32 where a cost of float64 arrays computes some of it in float32,
    as jax.nn.dot_product_attention does; else None. A gradient is as exact as
    its file says."""
    jaxpr = str(jax.make_jaxpr(flat)(*values))
    return np.float32 if "f64[" in jaxpr and "f32[" in jaxpr else None


def converted(flat, tensors, double, opset):
    """The cost of positional arrays as an ONNX model."""
    from jax2onnx import to_onnx

    def unrolled(*values):
        # Without jit a loop runs in Python: its steps are traced one by one.
        with jax.disable_jit():
            return flat(*values)

    return to_onnx(
        unrolled, [jax.ShapeDtypeStruct(value.shape, value.dtype)
                   for value in tensors.values()],
        opset=opset, enable_double_precision=double,
        normalization_mode="force_decomposed",
        input_names=[f"input_{i}" for i in range(len(tensors))],
        output_names=["J"])
