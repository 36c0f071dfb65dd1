"""Keras 3 to gpucheck: a model, its loss and a batch as files.

    from recipes import keras as recipe
    recipe.export(model, "mse", x, y, "check")

writes check/model.onnx, whose inputs are the batch and every trainable
weight and whose one output is J, and batch, parameters and gradient beside
it. Needs keras on its torch or jax backend, and what pytorch.py or jax.py
needs. With TensorFlow, save the model and load it on one of the two.
"""

if __name__ == "keras":
    raise ImportError("the folder recipes itself is on the Python path and "
                      "hides keras; put the folder that holds it there")

from contextlib import contextmanager

import keras


def export(model, loss, x, y, folder="gpucheck", *, gradients=None,
           training=True, double=True, dropout="refuse"):
    """Writes a model, its loss, a batch and a gradient.

    loss        a Keras loss, its name, a function of (y_true, y_pred), or
                None for the one that the model was compiled with
    x, y        the batch: arrays, or lists of them for several inputs
    gradients   what is to be checked: a dict of arrays by the weights' paths
                (dense/kernel), a list in the order of
                model.trainable_variables, or None for the backend's, in
                float64
    training    whether batch normalisation uses the batch's statistics
    double      J in float64, the one to differentiate
    dropout     "refuse", or "keep-all" for a keep-probability of 1
    J is the mean of the loss and what regularisers add. The model is not
    changed. Returns `files.Files`.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        from recipes.pytorch import export_cost
    elif backend == "jax":
        from recipes.jax import export as export_cost
    else:
        raise ValueError(f"Keras runs on {backend}; save the model, start "
                         "again with KERAS_BACKEND=torch or jax, and load it")
    variables = {variable.path: variable
                 for variable in model.trainable_variables}
    if len(variables) != len(model.trainable_variables):
        raise ValueError("two weights have one path; name the layers apart")
    if isinstance(gradients, (list, tuple)):
        if len(gradients) != len(variables):
            raise ValueError(f"{len(gradients)} gradients are given, the "
                             f"model has {len(variables)} trainable weights")
        gradients = dict(zip(variables, gradients))
    if gradients is not None:
        gradients = {name: keras.ops.convert_to_numpy(value)
                     for name, value in gradients.items()}
    loss = model.loss if loss is None else loss
    batch, split = batch_of(x, y, model.compute_dtype)

    def cost(theta, batch):
        inputs, answers = split(batch)
        with keras.StatelessScope(collect_losses=True) as scope:
            # In the place of stateless_call, which casts to float32.
            scope.state_mapping.update(
                (id(variable), theta[path])
                for path, variable in variables.items())
            output = model(inputs, training=training)
            return sum(model.losses, start=mean_loss(loss, answers, output))

    parameters = {path: keras.ops.convert_to_numpy(variable.value)
                  for path, variable in variables.items()}
    with altered(model, double, training, keep_all=dropout == "keep-all"):
        return export_cost(cost, parameters, batch, folder,
                           gradients=gradients, double=double)


def batch_of(x, y, floating):
    """The batch by name, and the function that makes inputs and targets of
    it again. Inputs come in the type the model computes in."""
    batch = {}

    def named(values, stem):
        if not isinstance(values, (list, tuple)):
            batch[stem] = plain(values)
            return stem
        names = [f"{stem}{number}" for number in range(1, len(values) + 1)]
        batch.update(zip(names, map(plain, values)))
        return names

    def plain(value):
        value = keras.ops.convert_to_numpy(value)
        return value.astype(floating) if value.dtype.kind == "f" else value

    def pick(batch, names):
        return batch[names] if isinstance(names, str) \
            else [batch[name] for name in names]

    inputs, answers = named(x, "x"), named(y, "y")
    return batch, lambda batch: (pick(batch, inputs), pick(batch, answers))


def mean_loss(loss, y, output):
    """What Keras reduces the loss of a batch to."""
    reduction = "sum_over_batch_size"
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        # `call` leaves the types as they are; calling the loss would cast.
        reduction, loss = loss.reduction, loss.call
    values = loss(y, output)
    if reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight"):
        # Flat: PyTorch's exporter fails at a mean over no axes in particular.
        return keras.ops.mean(keras.ops.reshape(values, (-1,)), axis=0)
    if reduction == "sum":
        return keras.ops.sum(values)
    raise ValueError(f"the loss's reduction is {reduction}; expected one that "
                     "gives a mean or a sum")


@contextmanager
def altered(model, double, training, keep_all):
    """For a while: float64 in every layer, and dropout off or refused."""
    layers = model._flatten_layers()
    kept = [(layer, "dtype_policy", layer.dtype_policy) for layer in layers]
    for layer in layers:
        for attribute in ("rate", "dropout", "recurrent_dropout"):
            rate = getattr(layer, attribute, None)
            if not (training and isinstance(rate, (int, float)) and rate > 0
                    and ("Dropout" in type(layer).__name__
                         or "dropout" in attribute)):
                continue
            if not keep_all:
                raise ValueError(
                    f"'{layer.name}' drops at random, {attribute} = {rate}: "
                    'J would not be a function of θ. Give dropout="keep-all" '
                    "or training=False")
            kept.append((layer, attribute, rate))
            setattr(layer, attribute, 0.0)
    floating, narrower = keras.config.floatx(), type_rules()
    narrow = narrower.get("float64")
    try:
        if double:
            keras.config.set_floatx("float64")
            narrower["float64"] = "float64"
            for layer in layers:
                layer.dtype_policy = "float64"
        yield
    finally:
        keras.config.set_floatx(floating)
        narrower["float64"] = narrow
        for layer, attribute, value in kept:
            setattr(layer, attribute, value)


def type_rules():
    """Keras's table of what a type is narrowed to by an operator: it knows no
    float64 but on TensorFlow, whatever the policy says."""
    from keras.src.backend.common import dtypes
    return dtypes.BIT64_TO_BIT32_DTYPE
