import COpenCL
import Foundation

/// Why there is no OpenCL on this machine, in one line.
package struct OpenCLUnavailable: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was looked for and what the system said.
  package let reason: String

  package var description: String { "no OpenCL: \(reason)" }
}

/// The functions of OpenCL 1.2 that gpucheck calls, found at run time: nothing is linked, so a
/// machine without libOpenCL still starts.
///
/// Each function is looked up first among the symbols already in the process, because an
/// interceptor such as `oclgrind PROGRAM` works by preloading them, and only then in the library.
///
/// `@unchecked Sendable`: immutable once made, and the functions behind the pointers may be called
/// from any thread (OpenCL 1.2, appendix A.2); the one exception, `clSetKernelArg`, is reached
/// through `Kernel`, which is not Sendable.
package final class OpenCL: @unchecked Sendable {
  /// The ICD loader's file name where the environment names no other.
  package static let defaultLibrary = "libOpenCL.so.1"

  /// The environment variable that replaces `defaultLibrary`.
  package static let libraryVariable = "GPUCHECK_OPENCL_LIBRARY"

  /// The table of this process, loaded once.
  package static let shared = load(
    library: ProcessInfo.processInfo.environment[libraryVariable] ?? defaultLibrary)

  /// The table out of the library of the given name, or why there is none.
  package static func load(library: String) -> Result<OpenCL, OpenCLUnavailable> {
    do throws(OpenCLUnavailable) {
      return .success(try OpenCL(library: library))
    } catch {
      return .failure(error)
    }
  }

  let getPlatformIDs: cl_api_clGetPlatformIDs
  let getPlatformInfo: cl_api_clGetPlatformInfo
  let getDeviceIDs: cl_api_clGetDeviceIDs
  let getDeviceInfo: cl_api_clGetDeviceInfo
  let createSubDevices: cl_api_clCreateSubDevices
  let releaseDevice: cl_api_clReleaseDevice
  let createContext: cl_api_clCreateContext
  let releaseContext: cl_api_clReleaseContext
  let createCommandQueue: cl_api_clCreateCommandQueue
  let releaseCommandQueue: cl_api_clReleaseCommandQueue
  let createBuffer: cl_api_clCreateBuffer
  let releaseMemObject: cl_api_clReleaseMemObject
  let createProgramWithSource: cl_api_clCreateProgramWithSource
  let buildProgram: cl_api_clBuildProgram
  let getProgramBuildInfo: cl_api_clGetProgramBuildInfo
  let releaseProgram: cl_api_clReleaseProgram
  let createKernel: cl_api_clCreateKernel
  let setKernelArg: cl_api_clSetKernelArg
  let getKernelInfo: cl_api_clGetKernelInfo
  let getKernelWorkGroupInfo: cl_api_clGetKernelWorkGroupInfo
  let releaseKernel: cl_api_clReleaseKernel
  let enqueueNDRangeKernel: cl_api_clEnqueueNDRangeKernel
  let enqueueReadBuffer: cl_api_clEnqueueReadBuffer
  let enqueueWriteBuffer: cl_api_clEnqueueWriteBuffer
  let enqueueCopyBuffer: cl_api_clEnqueueCopyBuffer
  let flush: cl_api_clFlush
  let finish: cl_api_clFinish
  let waitForEvents: cl_api_clWaitForEvents
  let getEventProfilingInfo: cl_api_clGetEventProfilingInfo
  let releaseEvent: cl_api_clReleaseEvent

  /// Fills the table. Throws where the library cannot be opened or lacks a function.
  package init(library: String) throws(OpenCLUnavailable) {
    var symbols = Symbols(library: library)
    func find(_ name: String) throws(OpenCLUnavailable) -> UnsafeMutableRawPointer {
      try symbols.find(name)
    }
    getPlatformIDs = unsafeBitCast(try find("clGetPlatformIDs"), to: cl_api_clGetPlatformIDs.self)
    getPlatformInfo = unsafeBitCast(
      try find("clGetPlatformInfo"), to: cl_api_clGetPlatformInfo.self)
    getDeviceIDs = unsafeBitCast(try find("clGetDeviceIDs"), to: cl_api_clGetDeviceIDs.self)
    getDeviceInfo = unsafeBitCast(try find("clGetDeviceInfo"), to: cl_api_clGetDeviceInfo.self)
    createSubDevices = unsafeBitCast(
      try find("clCreateSubDevices"), to: cl_api_clCreateSubDevices.self)
    releaseDevice = unsafeBitCast(try find("clReleaseDevice"), to: cl_api_clReleaseDevice.self)
    createContext = unsafeBitCast(try find("clCreateContext"), to: cl_api_clCreateContext.self)
    releaseContext = unsafeBitCast(try find("clReleaseContext"), to: cl_api_clReleaseContext.self)
    createCommandQueue = unsafeBitCast(
      try find("clCreateCommandQueue"), to: cl_api_clCreateCommandQueue.self)
    releaseCommandQueue = unsafeBitCast(
      try find("clReleaseCommandQueue"), to: cl_api_clReleaseCommandQueue.self)
    createBuffer = unsafeBitCast(try find("clCreateBuffer"), to: cl_api_clCreateBuffer.self)
    releaseMemObject = unsafeBitCast(
      try find("clReleaseMemObject"), to: cl_api_clReleaseMemObject.self)
    createProgramWithSource = unsafeBitCast(
      try find("clCreateProgramWithSource"), to: cl_api_clCreateProgramWithSource.self)
    buildProgram = unsafeBitCast(try find("clBuildProgram"), to: cl_api_clBuildProgram.self)
    getProgramBuildInfo = unsafeBitCast(
      try find("clGetProgramBuildInfo"), to: cl_api_clGetProgramBuildInfo.self)
    releaseProgram = unsafeBitCast(try find("clReleaseProgram"), to: cl_api_clReleaseProgram.self)
    createKernel = unsafeBitCast(try find("clCreateKernel"), to: cl_api_clCreateKernel.self)
    setKernelArg = unsafeBitCast(try find("clSetKernelArg"), to: cl_api_clSetKernelArg.self)
    getKernelInfo = unsafeBitCast(try find("clGetKernelInfo"), to: cl_api_clGetKernelInfo.self)
    getKernelWorkGroupInfo = unsafeBitCast(
      try find("clGetKernelWorkGroupInfo"), to: cl_api_clGetKernelWorkGroupInfo.self)
    releaseKernel = unsafeBitCast(try find("clReleaseKernel"), to: cl_api_clReleaseKernel.self)
    enqueueNDRangeKernel = unsafeBitCast(
      try find("clEnqueueNDRangeKernel"), to: cl_api_clEnqueueNDRangeKernel.self)
    enqueueReadBuffer = unsafeBitCast(
      try find("clEnqueueReadBuffer"), to: cl_api_clEnqueueReadBuffer.self)
    enqueueWriteBuffer = unsafeBitCast(
      try find("clEnqueueWriteBuffer"), to: cl_api_clEnqueueWriteBuffer.self)
    enqueueCopyBuffer = unsafeBitCast(
      try find("clEnqueueCopyBuffer"), to: cl_api_clEnqueueCopyBuffer.self)
    flush = unsafeBitCast(try find("clFlush"), to: cl_api_clFlush.self)
    finish = unsafeBitCast(try find("clFinish"), to: cl_api_clFinish.self)
    waitForEvents = unsafeBitCast(try find("clWaitForEvents"), to: cl_api_clWaitForEvents.self)
    getEventProfilingInfo = unsafeBitCast(
      try find("clGetEventProfilingInfo"), to: cl_api_clGetEventProfilingInfo.self)
    releaseEvent = unsafeBitCast(try find("clReleaseEvent"), to: cl_api_clReleaseEvent.self)
  }
}

/// Where symbols are looked up: the process itself, then the library, opened when first needed and
/// never closed again.
private struct Symbols {
  let library: String
  let process = dlopen(nil, RTLD_NOW)
  var opened: UnsafeMutableRawPointer?

  init(library: String) { self.library = library }

  mutating func find(_ name: String) throws(OpenCLUnavailable) -> UnsafeMutableRawPointer {
    if let process, let symbol = dlsym(process, name) { return symbol }
    if opened == nil {
      guard let handle = dlopen(library, RTLD_NOW) else {
        throw OpenCLUnavailable(reason: "cannot open \(library) (\(Self.lastMessage))")
      }
      opened = handle
    }
    guard let symbol = dlsym(opened, name) else {
      throw OpenCLUnavailable(reason: "\(library) has no \(name), which OpenCL 1.2 requires")
    }
    return symbol
  }

  /// What the dynamic linker last complained of, on one line.
  private static var lastMessage: String {
    guard let message = dlerror() else { return "no reason given" }
    return String(cString: message).replacingOccurrences(of: "\n", with: " ")
  }
}
