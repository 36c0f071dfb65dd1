"""Puts the names in an ONNX file right that an exporter changed."""


def mend(model, tensors, output):
    """Makes the graph's inputs exactly `tensors`, in their order, and
    `output` its only output.

    model       an onnx.ModelProto whose inputs stand in the order of
                `tensors`, under whatever names; ones that J ignores may be
                missing
    tensors     arrays or tensors by name
    Raises ValueError where an input cannot be told, as when an exporter
    folded a parameter away.
    """
    import onnx

    graph = model.graph
    found = [value.name for value in graph.input]
    wanted = list(tensors)
    if len(found) == len(wanted):
        renaming = {old: new for old, new in zip(found, wanted) if old != new}
    elif set(found) <= set(wanted):
        renaming = {}
    else:
        raise ValueError(f"the exporter wrote the inputs {', '.join(found)}; "
                         f"expected {', '.join(wanted)}")
    if not graph.output:
        raise ValueError("the exporter wrote a model without an output")
    del graph.output[1:]
    if graph.output[0].name != output:
        renaming[graph.output[0].name] = output
    # A value of the graph's own that has a name to be given makes way.
    own = {name for node in graph.node for name in node.output} \
        | {value.name for value in graph.initializer}
    for name in own & set(renaming.values()) - set(renaming):
        renaming[name] = f"{name}.inner"
    if renaming:
        rename(graph, renaming)
    if [value.name for value in graph.input] != wanted:
        present = {value.name: value for value in graph.input}
        inputs = [present.get(name) or onnx.helper.make_tensor_value_info(
            name, element_type(tensor), list(tensor.shape))
            for name, tensor in tensors.items()]
        # Copies: what is taken from the list goes with it.
        inputs = [onnx.ValueInfoProto.FromString(value.SerializeToString())
                  for value in inputs]
        del graph.input[:]
        graph.input.extend(inputs)


def rename(graph, names):
    """Renames values of a graph and of the graphs inside it."""
    for value in [*graph.input, *graph.output, *graph.value_info,
                  *graph.initializer]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                if inner.node:
                    rename(inner, names)


def element_type(tensor):
    """The number by which ONNX calls the type of an array or a tensor."""
    import numpy as np
    import onnx

    name = str(tensor.dtype).removeprefix("torch.")
    if name == "bfloat16":
        return onnx.TensorProto.BFLOAT16
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))


def save(model, path):
    """Checks a model and writes it; constants of 1 MiB and more go into a
    file beside it where one file would be beyond protobuf's 2 GiB."""
    import onnx

    large = model.ByteSize() >= 1 << 31
    if large:
        onnx.save_model(model, path, save_as_external_data=True,
                        location=path.name + ".data", size_threshold=1 << 20)
        onnx.checker.check_model(str(path))
    else:
        onnx.checker.check_model(model)
        onnx.save_model(model, path)
