import GPUCheck

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
