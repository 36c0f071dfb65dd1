import Kernels

/// Evaluates lanes of a unit graph on the first of a check's devices, on the next where that fails, and
/// at last on the CPU. The work is short: it is not shared.
final class UnitLanes {
  /// A device that is ready.
  struct Place {
    var name: String
    var evaluator: any LaneEvaluator
  }

  let precision: Precision
  /// What happened that a report must say.
  private(set) var notes: [String] = []
  /// What each device did.
  private(set) var shares: [CheckReport.DeviceShare] = []
  private var places: [Place]
  private let spare: (() throws -> Place)?

  /// - Parameters:
  ///   - places: at least one.
  ///   - spare: who takes over where all have failed; nil where a failure ends the check.
  init(_ places: [Place], precision: Precision, spare: (() throws -> Place)?) {
    self.places = places
    self.precision = precision
    self.spare = spare
  }

  /// The change of each sample's cost in every lane. Throws what the last device failed with where none
  /// takes over.
  func costs(_ batch: LaneBatch, in units: UnitGraph) throws -> SampleCosts {
    var isSpare = false
    while let place = places.first {
      do {
        let start = ContinuousClock.now
        let terms = try place.evaluator.evaluateTerms(batch)
        note(place.name, lanes: batch.count, seconds: (ContinuousClock.now - start).seconds)
        return SampleCosts(terms, lanes: batch.count, in: units)
      } catch let error where spare != nil && (error is OpenCLError || error is DeviceHang) {
        notes.append("\(place.name) failed (\(errorLine(error))) and was left")
        places.removeFirst()
        guard places.isEmpty, !isSpare, let spare else { continue }
        isSpare = true
        places = [try spare()]
      }
    }
    throw InputError("no device is left to evaluate lanes", remedy: "choose --device cpu")
  }

  private func note(_ name: String, lanes: Int, seconds: Double) {
    guard let at = shares.firstIndex(where: { $0.name == name }) else {
      shares.append(CheckReport.DeviceShare(name: name, lanes: lanes, seconds: seconds))
      return
    }
    shares[at].lanes += lanes
    shares[at].seconds += seconds
  }
}

/// By how much each sample's part of the cost changed in every lane.
struct SampleCosts {
  let flags: [LaneFlags]
  /// `[lanes, samples]`.
  private var values: [Double]
  private let samples: Int

  /// Sums the elements of all terms that belong to a sample.
  init(_ results: TermResults, lanes: Int, in units: UnitGraph) {
    flags = results.flags
    samples = units.samples
    values = [Double](repeating: 0, count: lanes * samples)
    for (number, term) in units.graph.terms.enumerated() {
      guard let kept = results.kept[number] else { continue }
      let count = units.graph.nodes[term.node].count
      let stored = kept.stored(of: count)
      let size = max(1, count / samples)
      let sample = (0..<stored).map { place in
        switch kept {
        case .samples: place
        // The lane decides where on its axis a slice stands, not in which sample.
        case .elements(.slice(let slice)): slice.base(place, 0) / size
        case .elements(.full): place / size
        }
      }
      let found = results.values[number]
      for lane in 0..<lanes {
        for element in 0..<stored {
          values[lane * samples + sample[element]] +=
            term.factor * found[lane * stored + element]
        }
      }
    }
  }

  subscript(lane: Int, sample: Int) -> Double { values[lane * samples + sample] }
}
