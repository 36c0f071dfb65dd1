import Foundation
import GPUCheck
import Testing

/// What an error says; it must be an `InputError`.
func inputErrorMessage(_ body: () throws -> Any) -> String {
  do {
    return "no error, but \(try body())"
  } catch let error as InputError {
    return error.description
  } catch {
    return "not an InputError: \(error)"
  }
}

/// Hands a reader every shortened form of a file, and the file with every byte damaged in turn: it
/// may throw an `InputError` and nothing else.
func expectNoTrap(on data: Data, _ read: (Data) throws -> Void) {
  func decode(_ data: Data) {
    do {
      try read(data)
    } catch {
      #expect(error is InputError)
    }
  }
  for length in 0..<data.count { decode(data.prefix(length)) }
  for place in data.indices {
    for change in [0xFF, 0x80, 0x01] as [UInt8] {
      var damaged = data
      damaged[place] ^= change
      decode(damaged)
    }
  }
}
