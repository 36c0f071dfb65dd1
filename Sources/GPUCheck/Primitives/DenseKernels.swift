import Kernels

// The arguments of the kernels of kernels/dense.cl, each struct in its kernel's order.

/// `dense_weight_difference` and `dense_weight_value`.
struct DenseWeightArguments: KernelArguments {
  let call: KernelCall
  let size: Dense.Size
  let hasBias: Bool

  var kernel: String { "dense_weight_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(size.samples), .int(size.ins), .int(size.outStride),
      .int(size.inStride), .int(hasBias ? 1 : 0), call.index(0), call.index(1), call.input(1),
      call.coefficient(0), call.coefficient(1), call.coefficient(2), .buffer(call.output),
    ]
  }
}

/// `dense_bias_difference` and `dense_bias_value`.
struct DenseBiasArguments: KernelArguments {
  let call: KernelCall
  let size: Dense.Size

  var kernel: String { "dense_bias_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(size.samples), .int(size.ins), .int(size.outStride),
      .int(size.inStride), call.index(0), call.input(2), call.coefficient(0),
      call.coefficient(1), .buffer(call.output),
    ]
  }
}

/// `dense_slice_difference` and `dense_slice_value`.
struct DenseSliceArguments: KernelArguments {
  let call: KernelCall
  let size: Dense.Size
  let hasBias: Bool

  var kernel: String { "dense_slice_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(size.samples), .int(size.ins), .int(size.outs),
      .int(size.outStride), .int(size.inStride), .int(hasBias ? 1 : 0), call.index(0),
      call.input(0), call.coefficient(0),
      call.coefficient(1), call.coefficient(2), .buffer(call.output),
    ]
  }
}
