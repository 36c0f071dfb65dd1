/// What a reader holds of the heap at a time, counted by the hooks of the address sanitizer.
///
/// The hooks run within malloc: they touch these integers only, which need no initialisation.
enum Allocations {
  /// A reader may hold so many times the file's size…
  static let factor = 16
  /// …and so many bytes whatever the size: zlib's window and the chunk it expands into, the first
  /// buffers of Foundation's parser.
  static let constant = 1 << 20

  nonisolated(unsafe) private static var held = 0
  nonisolated(unsafe) private static var most = 0
  nonisolated(unsafe) private static var counts = false

  /// Has every allocation counted from now on, while an input is read.
  static func watch() {
    let installed = installHooks(
      { _, size in Allocations.add(size) },
      { pointer in Allocations.remove(pointer) })
    precondition(installed > 0, "no hook of malloc is left")
  }

  private static func add(_ size: Int) {
    guard counts else { return }
    held += size
    most = max(most, held)
  }

  private static func remove(_ pointer: UnsafeRawPointer?) {
    guard counts, let pointer else { return }
    held -= sizeAllocated(pointer)
  }

  static func begin() {
    held = 0
    most = 0
    counts = true
  }

  /// The most bytes that were held at a time since `begin`.
  static func end() -> Int {
    counts = false
    return most
  }

  static func justified(_ bytes: Int, by size: Int) -> Bool { bytes <= factor * size + constant }
}

// <sanitizer/allocator_interface.h>, which no module map exports.
@_silgen_name("__sanitizer_install_malloc_and_free_hooks")
private func installHooks(
  _ allocated: @convention(c) (UnsafeRawPointer?, Int) -> Void,
  _ freed: @convention(c) (UnsafeRawPointer?) -> Void
) -> CInt

@_silgen_name("__sanitizer_get_allocated_size")
private func sizeAllocated(_ pointer: UnsafeRawPointer) -> Int
