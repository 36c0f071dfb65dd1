import Kernels

// The parts of kernels/ and the arguments that the operators over rows of classes need, each struct
// in its kernel's order.

/// softmax.cl, and what it is made of.
let softmaxUnits = ["small.cl", "cross_entropy.cl", "piecewise.cl", "softmax.cl"].map {
  KernelUnit(file: $0)
}

/// `softmax_difference` and `softmax_value`, and the same of `log_softmax`.
struct SoftmaxArguments: KernelArguments {
  let call: KernelCall
  let rows: Int
  let classes: Int
  var function = "softmax"

  var kernel: String { "\(function)_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(rows), .int(classes), call.coefficient(0), call.coefficient(1),
      call.input(0), .buffer(call.output),
    ]
  }
}

/// `cross_entropy_difference` and `cross_entropy_value`.
struct CrossEntropyArguments: KernelArguments {
  let call: KernelCall
  let rows: Int
  let classes: Int

  var kernel: String { "cross_entropy_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(rows), .int(classes), call.coefficient(0), call.coefficient(1),
      call.coefficient(2), call.coefficient(3), call.input(0), .buffer(call.output),
    ]
  }
}

/// `multiclass_hinge_difference` and `multiclass_hinge_value`.
struct MulticlassHingeArguments: KernelArguments {
  let call: KernelCall
  let rows: Int
  let classes: Int
  let margin: Double

  var kernel: String { "multiclass_hinge_\(call.mode.rawValue)" }

  var arguments: [KernelArgument] {
    [
      .int(call.laneVectors), .int(rows), .int(classes), .int(Int(call.tiePolicy.rawValue)),
      .real(margin), call.coefficient(0), call.coefficient(1), call.coefficient(2), call.input(0),
      .buffer(call.output), .buffer(call.flags),
    ]
  }
}
