"""A cost in PyTorch as an ONNX model whose inputs are the batch and θ."""

import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr

import numpy as np
import onnx
import torch
from onnxscript import opset18

from recipes.pytorch_functions import SpelledOut


class FlatCost(torch.nn.Module):
    """A cost as a module of positional tensors, as exporters want it."""

    def __init__(self, cost, theta, batch, owned):
        super().__init__()
        self.cost, self.owned = cost, owned
        self.theta, self.batch = list(theta), list(batch)
        self.training = owned.training if owned is not None else False

    def forward(self, *tensors):
        batch = dict(zip(self.batch, tensors))
        theta = dict(zip(self.theta, tensors[len(batch):]))
        with SpelledOut():
            return self.cost(theta, batch).reshape(())


def converted(cost, theta, batch, opset, owned):
    """The cost as an ONNX model: through torch.export, or by tracing where
    that cannot follow the code (control flow that depends on values)."""
    flat = FlatCost(cost, theta, batch, owned)
    tensors = (*batch.values(), *theta.values())
    names = {"input_names": [*batch, *theta], "output_names": ["J"],
             "opset_version": opset}
    with quiet():
        try:
            return torch.onnx.export(
                flat, tensors, dynamo=True, verbose=False,
                custom_translation_table={
                    torch.ops.aten.scalar_tensor.default: scalar_tensor},
                **names).model_proto
        except ImportError:
            raise
        except Exception as failure:
            first = failure
        buffer = io.BytesIO()
        try:
            torch.onnx.export(
                flat, tensors, buffer, dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False, **names)
        except Exception as second:
            reason = (str(first).strip().splitlines() or [repr(first)])[0]
            raise ValueError(
                f"PyTorch cannot export the cost ({reason}); nor can its "
                f"tracer ({str(second).strip().splitlines()[0]})") from first
    return onnx.load_from_string(buffer.getvalue())


def scalar_tensor(s: float, dtype: int = onnx.TensorProto.FLOAT,
                  layout: str = "", device: str = "",
                  pin_memory: bool = False):
    """A number in the code, at the precision that it is used in; the
    exporter's own translation rounds it to float32 first."""
    value = np.array(s, onnx.helper.tensor_dtype_to_np_dtype(dtype))
    return opset18.Constant(value=onnx.numpy_helper.from_array(value))


@contextmanager
def quiet():
    """Keeps the exporters' progress notes and warnings to themselves."""
    loggers = [logging.getLogger(f"torch.{part}") for part in ("onnx", "fx")]
    levels = [logger.level for logger in loggers]
    fast = torch.backends.mha.get_fastpath_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        torch.backends.mha.set_fastpath_enabled(fast)
