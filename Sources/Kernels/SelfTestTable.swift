import Foundation

/// What the self-test runs: arguments, the host's values and the limits of OpenCL 1.2, table 7.1
/// and section 7.4.
struct SelfTestTable {
  /// One function of the test.
  struct Function: Sendable {
    let name: String
    /// The largest error in f32 and in f64, in units in the last place. Correctly rounded is 0.5.
    let single: Double
    let double: Double
    /// The host's value, of arguments that the device has exactly.
    let value: @Sendable (Double, Double, Double) -> Double

    /// The limit for one precision. f32 is held to a host value good to 2⁻²⁹ of its spacing; f64
    /// to one that may itself be a unit off, unless it is correctly rounded too.
    func limit(_ precision: Precision) -> Double {
      switch precision {
      case .f32: single + 1e-6
      case .f64: double <= 1.5 ? double : double + 1
      }
    }
  }

  /// The functions in the order of the rows that `selftest_functions` writes.
  static let functions: [Function] = [
    Function(name: "exp", single: 3, double: 3) { x, _, _ in exp(x) },
    Function(name: "expm1", single: 3, double: 3) { x, _, _ in expm1(x) },
    Function(name: "log", single: 3, double: 3) { x, _, _ in log(x) },
    Function(name: "log1p", single: 2, double: 2) { x, _, _ in log1p(x) },
    Function(name: "tanh", single: 5, double: 5) { x, _, _ in tanh(x) },
    Function(name: "erf", single: 16, double: 16) { x, _, _ in erf(x) },
    Function(name: "sqrt", single: 3, double: 0.5) { x, _, _ in x.squareRoot() },
    // The square root's error carries over at most twice as large, then the division's is added.
    Function(name: "1/sqrt", single: 8.5, double: 1.5) { x, _, _ in 1 / x.squareRoot() },
    Function(name: "division", single: 2.5, double: 0.5) { x, y, _ in x / y },
    Function(name: "fma", single: 0.5, double: 0.5) { x, y, z in fma(x, y, z) },
  ]

  /// A number that is the same exactly for the same functions, limits and arguments.
  static func fingerprint(_ precision: Precision) -> String {
    let table = SelfTestTable(precision)
    var hash = StableHash()
    for function in functions {
      hash.add(function.name)
      hash.add([function.limit(precision)])
    }
    for arguments in [table.x, table.y, table.z] { hash.add(arguments) }
    return String(hash.value, radix: 16)
  }

  /// The arguments, each a number of the precision: x of every function; y the divisor and second
  /// factor, never 0; z the summand. `[count]`, a multiple of 16.
  let x, y, z: [Double]

  init(_ precision: Precision) {
    var arguments: [Double] = []
    for exponent in -30...30 {
      let power = pow(10, Double(exponent))
      for mantissa in [1.0, 1.7, 2.9, 7.3] {
        arguments.append(mantissa * power)
        arguments.append(-mantissa * power)
      }
    }
    // The range where the functions bend: steps that fall on no round number.
    for step in -60...60 { arguments.append(Double(step) * 0.3371) }
    for step in -12...12 { arguments.append(Double(step) * 6.19) }
    arguments += [0, 1, -1, -0.5, 0.5, 2, -0.999, 0.999, 1.001]
    while arguments.count % 16 != 0 { arguments.append(0.1 * Double(arguments.count)) }
    let count = arguments.count
    let rounded = arguments.map { precision == .f32 ? Double(Float($0)) : $0 }
    x = rounded
    y = (0..<count).map { i in
      let value = rounded[(i * 37 + 11) % count]
      return value == 0 ? 3 : value
    }
    // Every other summand nearly cancels the product, which shows whether fma rounds once.
    let factors = zip(rounded, y).map { $0 * $1 }
    z = (0..<count).map { i in
      let product = precision == .f32 ? Double(Float(factors[i])) : factors[i]
      let cancels = i % 2 == 1 && (1e-20...1e20).contains(product.magnitude)
      return cancels ? -product : rounded[(i * 101 + 5) % count]
    }
  }
}
