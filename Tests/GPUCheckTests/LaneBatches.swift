import GPUCheck

extension LaneBatch {
  /// The same lanes, listed, with other moves.
  func mapMoves(_ change: (_ component: Int32, _ move: Double) -> Double) -> LaneBatch {
    LaneBatch(
      segment: segment, components: components, moves: zip(components, moves).map(change),
      tiePolicy: tiePolicy)
  }
}
