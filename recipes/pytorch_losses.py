"""Cross-entropies that PyTorch's exporters write wrongly, spelled out.

Both drop `label_smoothing` without a word, and ONNX's
SoftmaxCrossEntropyLoss knows class indices only.
"""

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SpelledOutLosses(TorchFunctionMode):
    """Within it, such cross-entropies are made of log_softmax and sums."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is functional.cross_entropy and (
                kwargs["label_smoothing"] or args[1].is_floating_point()):
            return cross_entropy(
                *args, **{name: kwargs[name] for name in (
                    "weight", "ignore_index", "reduction",
                    "label_smoothing")})
        return function(*args, **kwargs)


def cross_entropy(logits, target, weight, ignore_index, reduction,
                  label_smoothing):
    """As torch.nn.functional.cross_entropy defines it."""
    axis = 0 if logits.dim() == 1 else 1
    classes = logits.shape[axis]
    terms = -functional.log_softmax(logits, axis)
    shape = [1] * logits.dim()
    shape[axis] = classes
    if weight is not None:
        terms = terms * weight.reshape(shape)
    if target.is_floating_point():
        target = target * (1 - label_smoothing) + label_smoothing / classes
        samples = (terms * target).sum(axis)
        if reduction == "mean":
            return samples.sum() / samples.numel()
        return samples.sum() if reduction == "sum" else samples
    kept = target != ignore_index
    label = torch.where(kept, target, torch.zeros_like(target))
    chosen = terms.gather(axis, label.unsqueeze(axis)).squeeze(axis)
    samples = (1 - label_smoothing) * chosen \
        + label_smoothing / classes * terms.sum(axis)
    samples = torch.where(kept, samples, torch.zeros_like(samples))
    if reduction == "mean":
        counted = kept.to(logits.dtype)
        if weight is not None:
            counted = counted * weight[label]
        return samples.sum() / counted.sum()
    return samples.sum() if reduction == "sum" else samples
