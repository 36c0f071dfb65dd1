/// Something handed to gpucheck that it cannot use, told in one line: where, what was found, what
/// was expected, and what to do next.
public struct InputError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file it stands in, where it came from one.
  public var file: String?
  /// The tensor (or JSON key) concerned.
  public var tensor: String?
  /// The index of the element concerned within that tensor.
  public var index: [Int]?
  /// What was found and what was expected.
  public var problem: String
  /// The next step for the reader.
  public var remedy: String?

  public init(
    _ problem: String, file: String? = nil, tensor: String? = nil, index: [Int]? = nil,
    remedy: String? = nil
  ) {
    self.problem = problem
    self.file = file
    self.tensor = tensor
    self.index = index
    self.remedy = remedy
  }

  public var description: String {
    var line = ""
    if let file { line += "\(file): " }
    if let tensor {
      line += tensor
      if let index { line += "[" + index.map(String.init).joined(separator: ", ") + "]" }
      line += ": "
    }
    line += problem
    if let remedy { line += "; \(remedy)" }
    return line
  }

  /// The same error, said of a file where none was named yet.
  public func inFile(_ name: String) -> InputError {
    var error = self
    error.file = error.file ?? name
    return error
  }

  /// What a body returns; what it throws is said of a file or a tensor where none was named yet.
  static func about<Result>(
    file: String? = nil, tensor: String? = nil, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch var error as InputError {
      error.file = error.file ?? file
      error.tensor = error.tensor ?? tensor
      throw error
    }
  }
}
