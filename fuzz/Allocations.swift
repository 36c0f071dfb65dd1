/// What a reader takes of the heap, counted by the hooks of the address sanitizer.
///
/// The hooks run within malloc: they touch these integers only, which need no initialisation.
enum Allocations {
  /// No single allocation is larger than so many times the file…
  static let factor = 16
  /// …and so many bytes whatever the file: what TensorFile allows a small one, the chunk of 256 KiB
  /// into which deflate expands, zlib's window.
  static let constant = (1 << 20) + (384 << 10)

  nonisolated(unsafe) private(set) static var largest = 0
  /// The most bytes that were held at a time.
  nonisolated(unsafe) private(set) static var most = 0
  nonisolated(unsafe) private static var held = 0
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
    largest = max(largest, size)
    held += size
    most = max(most, held)
  }

  private static func remove(_ pointer: UnsafeRawPointer?) {
    guard counts, let pointer else { return }
    held -= sizeAllocated(pointer)
  }

  static func begin() {
    (largest, most, held) = (0, 0, 0)
    counts = true
  }

  static func end() { counts = false }

  /// Whether a file of so many bytes accounts for what was allocated since `begin`; `total` is how
  /// many times its size may be held at a time.
  static func justified(by size: Int, total: Int) -> Bool {
    largest <= factor * size + constant && most <= total * size + constant
  }
}

// <sanitizer/allocator_interface.h>, which no module map exports.
@_silgen_name("__sanitizer_install_malloc_and_free_hooks")
private func installHooks(
  _ allocated: @convention(c) (UnsafeRawPointer?, Int) -> Void,
  _ freed: @convention(c) (UnsafeRawPointer?) -> Void
) -> CInt

@_silgen_name("__sanitizer_get_allocated_size")
private func sizeAllocated(_ pointer: UnsafeRawPointer) -> Int
