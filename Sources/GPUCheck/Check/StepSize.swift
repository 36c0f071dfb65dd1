import Kernels

/// The rule behind `--epsilon auto`.
package enum StepSize {
  /// The step for an evaluator, scheme and precision.
  ///
  /// `difference` does not subtract, so its step is chosen to keep truncation visible (a rule that
  /// is secretly a linearisation must not hide) and small: 1e-5 in f64 and 1e-4 in f32, where
  /// truncation meets rounding; one-sided schemes, whose truncation is O(ε), take 1e-8 and 1e-7.
  /// `direct` and `textbook` lose u·|J|/ε by subtraction: they take the optimum u^{1/3} for central
  /// and u^{1/2} for one-sided differences (Press et al., Numerical Recipes, section 5.7).
  package static func automatic(_ evaluator: Evaluator, _ scheme: Scheme, _ precision: Precision)
    -> Double
  {
    switch (evaluator, scheme, precision) {
    case (.difference, .central, .f64): 1e-5
    case (.difference, .central, .f32): 1e-4
    case (.difference, _, .f64): 1e-8
    case (.difference, _, .f32): 1e-7
    case (_, .central, .f64): 6e-6
    case (_, .central, .f32): 4e-3
    case (_, _, .f64): 1.5e-8
    case (_, _, .f32): 3.5e-4
    }
  }

  /// Throws an `InputError` for a step that is too small for exact differences: near the root of the
  /// smallest normal number (1.5e-154, 1.1e-19) its product with a derivative begins to lose digits.
  /// Where costs are subtracted it is θ that a step must change (`Perturbation`).
  package static func check(_ step: Double, _ evaluator: Evaluator, _ precision: Precision) throws {
    let least = precision == .f64 ? 1e-150 : 1e-18
    guard evaluator != .difference || step >= least else {
      throw InputError(
        "a step of \(step) is too small for exact differences in \(precision.rawValue)",
        remedy: "use --epsilon \(least) or more, or --epsilon auto")
    }
  }

  /// The step with which single components are looked at again. Exact differences lose nothing with
  /// a small step; where costs are subtracted a step 16 times smaller finds out whether a kink was
  /// in the way, and costs four bits.
  package static func closeLook(_ mode: LaneMode, after step: Double) -> Double {
    mode == .difference ? min(step.magnitude, 1e-5) : step.magnitude / 16
  }
}
