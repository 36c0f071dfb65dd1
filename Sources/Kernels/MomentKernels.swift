/// The kernels of kernels/moments.cl, for the self-test and for lanes.
package enum MomentKernels {
  /// The program of the self-test has them too: what compiles the one has compiled the other.
  package static let units = ["lanes.cl", "small.cl", "moments.cl", "selftest.cl"].map {
    KernelUnit(file: $0)
  }

  /// Numbers for each unit and sample: the terms of the series, and the largest step that they serve.
  package static let terms = 6

  /// Numbers of a lane in what the kernels give, to be added up.
  package static func parts(_ precision: Precision) -> Int { precision == .f64 ? 1 : 2 }

  /// A layer, and where its components stand.
  package struct Layer {
    package var samples: Int
    package var ins: Int
    package var outs: Int
    /// Components from one unit to the next, and from one input to the next.
    package var unitStride: Int
    package var inputStride: Int
    /// `[samples, ins]`; none for a bias.
    package var x: KernelArgument
    /// `[blocks of units, samples, terms, vector width]`.
    package var moments: Buffer

    package init(
      samples: Int, ins: Int, outs: Int, unitStride: Int, inputStride: Int, x: KernelArgument,
      moments: Buffer
    ) {
      (self.samples, self.ins, self.outs) = (samples, ins, outs)
      (self.unitStride, self.inputStride) = (unitStride, inputStride)
      (self.x, self.moments) = (x, moments)
    }
  }

  /// The arguments of `moments_run`.
  package struct Run: KernelArguments {
    package let kernel = "moments_run"
    package let arguments: [KernelArgument]

    /// - Parameters:
    ///   - inputs: of the layer's.
    ///   - origin: the lane of the first unit of the block and of the first of the inputs, among those
    ///     wanted.
    ///   - lanes: how many are wanted.
    ///   - moves: those that `serves` says.
    ///   - place: where the lanes' numbers begin in out.
    package init(
      _ layer: Layer, firstBlock: Int, inputs: Range<Int>, origin: Int, lanes: Int,
      moves: [Double], out: Buffer, place: Int
    ) {
      arguments = [
        .int(layer.samples), .int(layer.ins), .int(layer.outs), .int(firstBlock),
        .int(inputs.lowerBound), .int(inputs.count), .int(moves.count * layer.unitStride),
        .int(moves.count * layer.inputStride), .int(origin), .int(lanes), .int(moves.count),
        .real(moves.first ?? 0), layer.x, .buffer(layer.moments), .int(place), .buffer(out),
      ]
    }

    /// Whether the kernel takes such moves of each component: one, or one and the same back.
    package static func serves(_ moves: [Double]) -> Bool {
      moves.count == 1 || (moves.count == 2 && moves[0] == -moves[1])
    }
  }

  /// The arguments of `moments_listed`.
  package struct List: KernelArguments {
    package let kernel = "moments_listed"
    package let arguments: [KernelArgument]

    /// - Parameters:
    ///   - first: of the lane vectors in components and moves.
    ///   - place: where the lanes' numbers begin in out.
    package init(
      _ layer: Layer, laneVectors: Int, first: Int, components: Buffer, moves: Buffer, out: Buffer,
      place: Int
    ) {
      arguments = [
        .int(laneVectors), .int(first), .int(layer.samples), .int(layer.ins), .int(layer.outs),
        .int(layer.unitStride), .int(layer.inputStride), .buffer(components), .buffer(moves),
        layer.x, .buffer(layer.moments), .int(place), .buffer(out),
      ]
    }
  }
}
