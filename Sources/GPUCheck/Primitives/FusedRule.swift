import Kernels

/// A step that takes element by element what its inputs hold, as one line of a kernel that takes several
/// such steps at once (kernels/fused.cl). In differences only.
struct FusedRule {
  /// The parts of kernels/ with the rule's functions.
  var units: [KernelUnit]
  /// The function's name in OpenCL C.
  var function: String
  /// How many coefficient tables it reads, by element of the output.
  var tables: Int
  /// What it takes before its steps, `third` of combine_rules.cl.
  var leading: String?
  /// How many steps it takes; one that stands still is 0.
  var operands: Int
  /// The function's attributes; none where it takes none.
  var attributes: [Double] = []
  /// Whether it reports kinks.
  var kinks: Bool

  /// The call, given what stands for the steps, the coefficients and the attributes.
  func call(_ steps: [String]) -> String {
    let arguments =
      [leading].compactMap(\.self) + steps + ["c"] + (attributes.isEmpty ? [] : ["a"])
      + (kinks ? ["tie_policy", "&kinks"] : [])
    return "\(function)(\(arguments.joined(separator: ", ")))"
  }
}

extension Operator {
  /// The operator's rule where it is one of elements; nil for what looks further than an element.
  var fusedRule: FusedRule? {
    switch self {
    case .element(let function):
      let kernel = function.kernel
      return FusedRule(
        units: kernel.files.map { KernelUnit(file: $0) },
        function: kernel.function(.difference), tables: kernel.coefficients, operands: 1,
        attributes: (0..<3).map { function.attributes[$0] }, kinks: kernel.kinks)
    case .combine(let function):
      return FusedRule(
        units: [KernelUnit(file: "combine_rules.cl")],
        function: Combine.rule(function.rawValue, .difference),
        tables: Combine.tables(function, .difference), leading: "(realv)(0)", operands: 2,
        kinks: true)
    default: return nil
    }
  }
}
