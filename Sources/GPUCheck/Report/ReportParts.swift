// The parts of a report, made by hand: what tests of reports begin with.

extension CheckReport {
  /// A report of tensors that were all checked without trouble; everything else is set afterwards.
  package init(madeOf tensors: [TensorReport], verdict: Verdict, relativeDifference: Double) {
    let parameters = tensors.reduce(0) { $0 + $1.checked }
    self.init(
      passed: verdict != .wrong && verdict != .undecidable, verdict: verdict,
      relativeDifference: relativeDifference, noiseFloor: 1e-10, cost: 1, parameters: parameters,
      checked: parameters, evaluator: .difference, precision: "f64", scheme: .central,
      epsilon: 1e-5, device: "a device", seconds: Seconds(), tensors: tensors, worst: [], wrong: 0,
      kinks: Kinks(),
      textbookAgreement: TextbookAgreement(components: 4, relativeDifference: 1e-9, passed: true),
      findings: [], warnings: [], numeric: [], uncertainty: [])
  }
}

extension TensorReport {
  /// A tensor that was checked as a whole, with nothing wrong in it.
  package init(right name: String, shape: [Int], relativeDifference: Double) {
    self.init(
      name: name, shape: shape, checked: shape.reduce(1, *), wrong: 0,
      relativeDifference: relativeDifference, passed: true, kinks: 0, worst: nil)
  }
}

extension ComponentReport {
  /// A component of a tensor, judged by its error bar.
  package init(
    of tensor: String, at index: [Int], analytic: Double, numeric: Double, uncertainty: Double
  ) {
    self.init(
      tensor: tensor, index: index, analytic: analytic, numeric: numeric, uncertainty: uncertainty,
      passed: (analytic - numeric).magnitude <= uncertainty)
  }
}

extension Finding {
  /// A finding about some tensors.
  package init(_ kind: String, about tensors: [String], text: String) {
    self.init(kind: kind, text: text, tensors: tensors)
  }
}
