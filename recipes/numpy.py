"""A network written by hand in NumPy to gpucheck: its files in one call.

    from recipes import numpy as recipe
    recipe.export(recipe.dense(784, [(128, "tanh"), 10],
                               loss="softmax-cross-entropy"),
                  {"x": x, "y": labels}, {"W1": W1, "b1": b1, …},
                  {"W1": dW1, "b1": db1, …}, "check")

Needs NumPy and nothing else; Safetensors files where safetensors is
installed. A cost that is no dense network goes through pytorch.py or jax.py,
or through an ONNX file of yours.
"""

if __name__ == "numpy":
    raise ImportError("the folder recipes itself is on the Python path and "
                      "hides NumPy; put the folder that holds it there")

import json
import os
from pathlib import Path

from recipes import files


def export(model, batch, parameters, gradient, folder="gpucheck", *,
           cost=None):
    """Writes a batch, the parameters and a gradient, and the network's file.

    model       a network as `dense` describes it (or any dict of
                docs/network-file.md), or the path of a network file or of an
                ONNX file that is there already
    batch       a dict of arrays: x `[batch, inputs]`, y, masks
    parameters, gradient      dicts of arrays by the names in the network;
                or one flat vector each, in the network's order
    cost        your own J at these parameters: gpucheck compares it first
    Returns `files.Files`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(parameters, dict) != isinstance(gradient, dict):
        raise ValueError("parameters and gradient are to be both dicts by "
                         "name, or both flat vectors")
    if not isinstance(parameters, dict):
        parameters, gradient = {"theta": parameters}, {"theta": gradient}
    if isinstance(model, dict):
        path = folder / "model.json"
        path.write_text(json.dumps(model, indent=2) + "\n")
        name = path.name
    else:
        # Joined to the folder, an absolute path stays what it is.
        name = os.path.abspath(os.fspath(model))
    return files.write(folder, name, batch, parameters, gradient, cost=cost)


def dense(inputs, layers, loss, *, layout="[out, in]", regularization=None):
    """The description of a dense network, as in docs/network-file.md.

    inputs      features of one sample
    layers      first to last: units, (units, activation), or a dict with the
                keys of the network file
    loss        a type, or a dict with the keys of the network file
    layout      the axes of weight matrices, "[out, in]" or "[in, out]"
    regularization      a dict with the keys of the network file, or None
    Weights and biases are called W1, b1, W2, … unless a layer says otherwise.
    """
    network = {"schema": "gpucheck.network/1", "inputs": inputs,
               "weightLayout": layout,
               "layers": [described(layer) for layer in layers],
               "loss": loss}
    if regularization is not None:
        network["regularization"] = regularization
    return network


def described(layer):
    """One layer as an object of the network file."""
    if isinstance(layer, dict):
        return layer
    if isinstance(layer, (tuple, list)):
        units, activation = layer
        return {"units": units, "activation": activation}
    return {"units": layer}
