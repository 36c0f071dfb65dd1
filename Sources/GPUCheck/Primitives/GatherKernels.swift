import Kernels

extension Gather {
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { [KernelUnit(file: "gather.cl")] }

  package func launches(_ call: KernelCall) -> [Launch] {
    switch motion(of: call.step) {
    case .none: return []
    case .moved:
      return [
        Launch(
          arguments: GatherArguments(
            kernel: "gather_move",
            arguments: [
              .int(call.laneVectors), .int(call.mode == .value ? 1 : 0), call.index(0),
              call.coefficient(2), call.input(0), .buffer(call.output),
            ]), global: [call.laneVectors, 1])
      ]
    case .single: return [single(call)]
    case .whole(let view): return [reduction == .sum ? sum(call, view) : reduce(call, view)]
    }
  }

  private func sizes(_ call: KernelCall, _ elements: Int, inner: Int) -> [KernelArgument] {
    [
      .int(call.laneVectors), .int(elements), .int(map.rows), .int(map.columns), .int(inner),
    ]
  }

  private func sum(_ call: KernelCall, _ view: View) -> Launch {
    let elements = view.outer * map.rows * view.inner
    return Launch(
      arguments: GatherArguments(
        kernel: "gather_sum",
        arguments: sizes(call, elements, inner: view.inner) + [
          .real(call.mode == .value ? map.fill : 0), call.integers(0), call.integers(1),
          call.coefficient(0), call.input(0), .buffer(call.output),
        ]), global: call.global(over: elements))
  }

  private func single(_ call: KernelCall) -> Launch {
    let elements = call.step.outputElements
    return Launch(
      arguments: GatherArguments(
        kernel: "gather_single",
        arguments: sizes(call, elements, inner: map.inner) + [
          .real(map.fill), .int(call.mode == .value ? 1 : 0), call.index(0), call.index(1),
          call.index(2), call.integers(0), call.integers(1), call.coefficient(0),
          call.coefficient(1), call.input(0), .buffer(call.output),
        ]), global: call.global(over: elements))
  }

  private func reduce(_ call: KernelCall, _ view: View) -> Launch {
    let elements = view.outer * map.rows * view.inner
    return Launch(
      arguments: GatherArguments(
        kernel: "gather_\(reduction.rawValue)_\(call.mode.rawValue)",
        arguments: sizes(call, elements, inner: view.inner) + [
          .int(view.slice?.axisLength ?? 0), .int(view.slice?.inner ?? 1),
          .int(call.step.output.slice?.inner ?? 1), .int(Int(call.tiePolicy.rawValue)),
          call.index(0), call.integers(0), call.integers(1), call.coefficient(0),
          call.coefficient(1), call.coefficient(2), call.input(0), .buffer(call.output),
          .buffer(call.flags),
        ]), global: call.global(over: elements))
  }
}

/// The arguments of a kernel of kernels/gather.cl, in its order.
struct GatherArguments: KernelArguments {
  let kernel: String
  let arguments: [KernelArgument]
}

extension Concatenate {
  package func kernelUnits(_ mode: LaneMode) -> [KernelUnit] { [KernelUnit(file: "gather.cl")] }

  package func launches(_ call: KernelCall) -> [Launch] {
    let (outer, widths) = storedBlocks(call.step)
    let total = widths.reduce(0, +)
    var offset = 0
    return widths.enumerated().map { input, width in
      defer { offset += width }
      return Launch(
        arguments: GatherArguments(
          kernel: "concatenate_part",
          arguments: [
            .int(call.laneVectors), .int(outer * width), .int(width), .int(total), .int(offset),
            call.coefficient(input), call.input(input), .buffer(call.output),
          ]), global: call.global(over: outer * width))
    }
  }
}
