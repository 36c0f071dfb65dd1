"""What pytorch.py does to its own copy of a module before it is exported."""

from contextlib import contextmanager

import torch

# Modules with a dropout of their own, by the attribute that holds it.
DROPOUT = {torch.nn.modules.dropout._DropoutNd: "p", torch.nn.RNNBase:
           "dropout", torch.nn.MultiheadAttention: "dropout"}


def dropout_of(module, keep_all):
    """Raises ValueError where dropout is on; sets it to 0 for `keep_all`."""
    for name, part in module.named_modules():
        for kind, attribute in DROPOUT.items():
            if not (isinstance(part, kind) and part.training
                    and getattr(part, attribute) > 0):
                continue
            if not keep_all:
                name = name.removeprefix("module")[1:] or type(part).__name__
                raise ValueError(
                    f"'{name}' drops at random, p = "
                    f"{getattr(part, attribute)}: J would not be a function "
                    'of θ. Give dropout="keep-all", put that module in '
                    "evaluation mode, or multiply by a mask that is one of "
                    "the inputs")
            setattr(part, attribute, 0.0)


def with_own_statistics(module):
    """Takes the running statistics from normalisations that use the batch's:
    J does not depend on them, and an exporter would write their update."""
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._NormBase) \
                and part.training:
            part.running_mean = part.running_var = None
            part.num_batches_tracked = None


def named_batch(inputs, targets, taken):
    """The tensors of a batch by name, and the function that makes arguments,
    keyword arguments and targets of them again. One tensor is x or y, several
    are x1, x2, …, keyword arguments keep their names; a name in `taken` gets
    a line below it."""
    batch = {}

    def named(tensors, stem):
        if tensors is None:
            return []
        if torch.is_tensor(tensors) or not isinstance(tensors, (tuple, list)):
            return [put(stem, tensors)]
        return [put(f"{stem}{number}", tensor)
                for number, tensor in enumerate(tensors, 1)]

    def put(name, tensor):
        while name in taken or name in batch:
            name += "_"
        batch[name] = torch.as_tensor(tensor)
        return name

    if isinstance(inputs, dict):
        positions = []
        keywords = {name: put(name, value) for name, value in inputs.items()}
    else:
        positions, keywords = named(inputs, "x"), {}
    answers = named(targets, "y")

    def split(batch):
        return ([batch[name] for name in positions],
                {name: batch[key] for name, key in keywords.items()},
                [batch[name] for name in answers])
    return batch, split


class CostModule(torch.nn.Module):
    """A module and its loss, which may be a function, as one module."""

    def __init__(self, module, loss):
        super().__init__()
        # A module in evaluation mode is left there, and so is its loss.
        self.training = module.training
        self.module = module
        self.loss = loss

    def forward(self, arguments, keywords, answers):
        if self.loss is None:
            return self.module(*arguments, *answers, **keywords)
        return self.loss(self.module(*arguments, **keywords), *answers)


def short_name(name, pair):
    """A parameter's name as the user's module calls it; one of the loss
    module keeps its `loss.`."""
    short = name.removeprefix("module.")
    others = (other for other, _ in pair.named_parameters())
    return name if short != name and short in others else short


def call(module, parameters, *arguments):
    """The module's output with other tensors in the place of its parameters."""
    if not torch.jit.is_tracing():
        return torch.func.functional_call(module, parameters, arguments)
    with substituted(module, parameters):
        return module(*arguments)


@contextmanager
def substituted(module, parameters):
    """What functional_call does, where the tracer forbids it."""
    first = {id(value): name for name, value in module.named_parameters()}
    places = [(module.get_submodule(name.rpartition(".")[0]),
               name.rpartition(".")[2], value, parameters.get(first[id(value)]))
              for name, value in
              module.named_parameters(remove_duplicate=False)]
    places = [place for place in places if place[3] is not None]
    try:
        for owner, leaf, _, tensor in places:
            del owner._parameters[leaf]
            setattr(owner, leaf, tensor)
        yield
    finally:
        for owner, leaf, value, _ in places:
            delattr(owner, leaf)
            setattr(owner, leaf, value)
