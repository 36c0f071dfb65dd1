// The entry points of libFuzzer (https://llvm.org/docs/LibFuzzer.html). GPUCHECK_FUZZ_READER names
// the reader; scripts/fuzz builds and runs all of them.
import Foundation
import GPUCheck

/// The reader that this process tests.
private let reader: Reader = {
  let name = ProcessInfo.processInfo.environment["GPUCHECK_FUZZ_READER"] ?? ""
  guard let reader = Reader.all[name] else {
    let names = Reader.all.keys.sorted().joined(separator: " ")
    print(name.isEmpty ? names : "no reader '\(name)'; there are: \(names)")
    exit(name.isEmpty ? 0 : 2)
  }
  return reader
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer, _: UnsafeMutableRawPointer) -> CInt {
  // What is allocated once, tables of the standard library and of Foundation, is no input's fault.
  for text in ["", "{\"key\": [1e3, \"\\u00e9\", true, null]", "\u{93}NUMPY"] {
    try? reader.read(Data(text.utf8))
  }
  Allocations.watch()
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let data = Data(UnsafeBufferPointer(start: start, count: count))
  Allocations.begin()
  do {
    try reader.read(data)
  } catch is InputError {
  } catch {
    fatalError("thrown: \(error), expected an InputError")
  }
  Allocations.end()
  guard Allocations.justified(by: data.count, total: reader.total) else {
    fatalError(
      "a file of \(data.count) bytes: \(Allocations.most) allocated in all, "
        + "\(Allocations.largest) at once; see fuzz/Allocations.swift")
  }
  return 0
}
