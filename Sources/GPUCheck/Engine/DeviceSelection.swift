import Kernels

/// Where lanes are evaluated.
package enum DeviceChoice: Sendable {
  /// On the host, in plain Swift, without OpenCL.
  case cpu
  case opencl(Device)
}

/// The device a selector names, among those of this machine.
///
/// - `auto`: the first GPU, else another accelerator, else an OpenCL CPU, else `cpu`.
/// - `cpu`: the host without OpenCL.
/// - `gpu`, `gpu:1`: the first GPU, the second (from 0, as everywhere).
/// - `0:1`: platform and device by index.
/// - anything else: part of a device's or platform's name, in any case.
///
/// A simulator is taken only by index or name. Throws an `InputError` that lists what there is.
package func selectDevice(
  _ selector: String, from devices: [Device]
) throws(InputError) -> DeviceChoice {
  let index = try selectIndex(selector, among: devices.map(\.description))
  return index.map { .opencl(devices[$0]) } ?? .cpu
}

/// The place in the list of the device a selector names, as `selectDevice`; nil for the host.
package func selectIndex(
  _ selector: String, among devices: [DeviceDescription]
) throws(InputError) -> Int? {
  let wanted = selector.lowercased()
  let real = devices.indices.filter { !devices[$0].isSimulator }
  let gpus = real.filter { devices[$0].kind == .gpu }
  switch wanted {
  case "": throw refusal("no device named", devices)
  case "cpu": return nil
  case "auto":
    return gpus.first ?? real.first { devices[$0].kind == .accelerator }
      ?? real.first { devices[$0].kind == .cpu }
  case "gpu":
    guard let first = gpus.first else { throw refusal("there is no GPU", devices) }
    return first
  default: break
  }
  let parts = wanted.split(separator: ":", omittingEmptySubsequences: false)
  if parts.count == 2, let second = Int(parts[1]) {
    if parts[0] == "gpu" {
      guard gpus.indices.contains(second) else {
        throw refusal("\(selector) is not among the \(gpus.count) GPUs, counted from 0", devices)
      }
      return gpus[second]
    }
    if let first = Int(parts[0]) {
      let found = devices.firstIndex { ($0.platformIndex, $0.deviceIndex) == (first, second) }
      guard let found else { throw refusal("there is no device \(selector)", devices) }
      return found
    }
  }
  return try indexByName(selector, among: devices)
}

/// The one device whose name, or whose platform's name, contains the text; a device whose whole
/// name it is comes first.
private func indexByName(
  _ text: String, among devices: [DeviceDescription]
) throws(InputError) -> Int {
  let wanted = text.lowercased()
  let exact = devices.indices.filter { devices[$0].name.lowercased() == wanted }
  if exact.count == 1 { return exact[0] }
  let partial = devices.indices.filter {
    devices[$0].name.lowercased().contains(wanted)
      || devices[$0].platformName.lowercased().contains(wanted)
  }
  if partial.count == 1 { return partial[0] }
  if partial.isEmpty { throw refusal("no device or platform is named \"\(text)\"", devices) }
  let names = partial.map { devices[$0].summary }.joined(separator: "; ")
  throw InputError(
    "device \"\(text)\" could be any of: \(names)",
    remedy: "name one by its indices, such as \(devices[partial[0]].selector)")
}

/// The error for a selector that names nothing, with what could be named.
private func refusal(_ problem: String, _ devices: [DeviceDescription]) -> InputError {
  guard !devices.isEmpty else {
    return InputError(problem, remedy: "this machine has no OpenCL device; use cpu")
  }
  let names = devices.map(\.summary).joined(separator: "; ")
  return InputError(problem, remedy: "there is: cpu (without OpenCL); \(names)")
}
