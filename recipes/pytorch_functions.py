"""Functions that PyTorch's exporters write wrongly, spelled out.

They drop the `label_smoothing` of a cross-entropy without a word, and ONNX's
SoftmaxCrossEntropyLoss knows class indices only. The scale of an attention
is rounded to float32.
"""

import math

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SpelledOut(TorchFunctionMode):
    """Within it, these functions are made of products, softmax and sums."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is functional.cross_entropy and (
                kwargs["label_smoothing"] or args[1].is_floating_point()):
            return cross_entropy(
                *args, **{name: kwargs[name] for name in (
                    "weight", "ignore_index", "reduction",
                    "label_smoothing")})
        if function is functional.scaled_dot_product_attention:
            return attention(*args, **kwargs)
        return function(*args, **kwargs)


def attention(query, key, value, attn_mask=None, dropout_p=0.0,
              is_causal=False, scale=None, enable_gqa=False):
    """As torch.nn.functional.scaled_dot_product_attention defines it, for a
    dropout of 0: another one has been refused."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = (tensor.repeat_interleave(groups, -3)
                      for tensor in (key, value))
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1) * scale
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool,
                               device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = torch.where(attn_mask, scores, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return functional.softmax(scores, -1) @ value


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
