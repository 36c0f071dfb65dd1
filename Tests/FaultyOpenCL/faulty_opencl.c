// faulty_opencl.c: an OpenCL library that fails on demand.
//
// Exports the functions that gpucheck looks up (Sources/Kernels/Loader.swift), hands each call on to
// libOpenCL.so.1 and counts it. One call, or every large buffer, fails as FAULTY_OPENCL says:
//
//   KIND FUNCTION NUMBER [STATUS]    the NUMBER-th call (from 1) of a function, or of all where
//                                    FUNCTION is *
//   memory BYTES                     every clCreateBuffer of more bytes: no memory
//   gpu                              nothing fails, and every device says that it is a GPU
//
// KIND: status    returns STATUS (CL_OUT_OF_RESOURCES where none is given), and no handle
//       hang      never returns
//       abort     ends the process by abort()
//       skip      returns CL_SUCCESS without having done anything (commands only)
//       corrupt   delivers other bytes than were asked for (reads only; others as usual)
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faulty_opencl.h"

enum kind { NONE, STATUS, HANG, ABORT, SKIP, CORRUPT, MEMORY, GPU };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum kind kind;
static char function[64];
static long number, seen, calls;
static cl_int status;
static const char *failed;

int faulty_opencl_arm(const char *text) {
  static const char *const kinds[] = {"",     "status",  "hang",   "abort",
                                      "skip", "corrupt", "memory", "gpu"};
  char word[16] = "";
  pthread_mutex_lock(&lock);
  kind = NONE;
  seen = calls = number = 0;
  failed = NULL;
  status = CL_OUT_OF_RESOURCES;
  int result = 0;
  if (text != NULL && *text != '\0') {
    sscanf(text, "%15s", word);
    for (int i = STATUS; i <= GPU; i++) {
      if (strcmp(word, kinds[i]) == 0) kind = (enum kind)i;
    }
    const int isRead = kind == GPU ||
                       (kind == MEMORY
                            ? sscanf(text, "%*s %ld", &number) == 1
                            : sscanf(text, "%*s %63s %ld %d", function, &number, &status) >= 2);
    if (!isRead) kind = NONE;
    result = kind == NONE ? -1 : 0;
  }
  pthread_mutex_unlock(&lock);
  return result;
}

long faulty_opencl_calls(void) {
  pthread_mutex_lock(&lock);
  const long count = calls;
  pthread_mutex_unlock(&lock);
  return count;
}

const char *faulty_opencl_failed(void) {
  pthread_mutex_lock(&lock);
  const char *name = failed;
  pthread_mutex_unlock(&lock);
  return name;
}

__attribute__((constructor)) static void arm_from_environment(void) {
  const char *text = getenv("FAULTY_OPENCL");
  if (faulty_opencl_arm(text) != 0) {
    fprintf(stderr, "FAULTY_OPENCL: cannot read '%s'\n", text);
    exit(2);
  }
}

// Counts a call, and says what is to become of it. What never returns does not.
static enum kind fate(const char *name, size_t bytes) {
  pthread_mutex_lock(&lock);
  enum kind result = NONE;
  calls++;
  if (kind == MEMORY) {
    if (bytes > (size_t)number) {
      result = STATUS;
      status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    }
  } else if (kind != NONE && kind != GPU && (function[0] == '*' || strcmp(function, name) == 0)) {
    if (++seen == number) result = kind;
  }
  if (result != NONE) failed = name;
  pthread_mutex_unlock(&lock);
  if (result == ABORT) {
    fprintf(stderr, "planted in %s\n", name);
    abort();
  }
  while (result == HANG) pause();
  return result;
}

static void *real(const char *name) {
  static void *library;
  pthread_mutex_lock(&lock);
  if (library == NULL) library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  void *found = library == NULL ? NULL : dlsym(library, name);
  pthread_mutex_unlock(&lock);
  if (found == NULL) {
    fprintf(stderr, "no %s in libOpenCL.so.1\n", name);
    abort();
  }
  return found;
}

// A function that returns its status.
#define REPORTS(name, parameters, arguments)                 \
  CL_API_ENTRY cl_int CL_API_CALL name parameters {          \
    if (fate(#name, 0) == STATUS) return status;             \
    return ((cl_int(CL_API_CALL *) parameters)real(#name)) arguments; \
  }

// One that puts something on a queue, which can be forgotten.
#define COMMANDS(name, parameters, arguments)                \
  CL_API_ENTRY cl_int CL_API_CALL name parameters {          \
    const enum kind end = fate(#name, 0);                    \
    if (end == STATUS) return status;                        \
    if (end == SKIP) return CL_SUCCESS;                      \
    return ((cl_int(CL_API_CALL *) parameters)real(#name)) arguments; \
  }

// One that returns a handle, and its status through `error`.
#define CREATES(handle, name, bytes, parameters, arguments)  \
  CL_API_ENTRY handle CL_API_CALL name parameters {          \
    if (fate(#name, bytes) == STATUS) {                      \
      if (error != NULL) *error = status;                    \
      return NULL;                                           \
    }                                                        \
    return ((handle(CL_API_CALL *) parameters)real(#name)) arguments; \
  }

REPORTS(clGetPlatformIDs, (cl_uint room, cl_platform_id *found, cl_uint *count),
        (room, found, count))
REPORTS(clGetPlatformInfo,
        (cl_platform_id platform, cl_platform_info name, size_t room, void *value, size_t *size),
        (platform, name, room, value, size))
REPORTS(clGetDeviceIDs,
        (cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *found,
         cl_uint *count),
        (platform, type, room, found, count))
CL_API_ENTRY cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info name,
                                                size_t room, void *value, size_t *size) {
  if (fate("clGetDeviceInfo", 0) == STATUS) return status;
  typedef cl_int(CL_API_CALL * Function)(cl_device_id, cl_device_info, size_t, void *, size_t *);
  const cl_int result = ((Function)real("clGetDeviceInfo"))(device, name, room, value, size);
  const cl_device_type type = CL_DEVICE_TYPE_GPU;
  pthread_mutex_lock(&lock);
  if (kind == GPU && name == CL_DEVICE_TYPE && value != NULL && room >= sizeof type)
    memcpy(value, &type, sizeof type);
  pthread_mutex_unlock(&lock);
  return result;
}
REPORTS(clCreateSubDevices,
        (cl_device_id device, const cl_device_partition_property *parts, cl_uint room,
         cl_device_id *made, cl_uint *count),
        (device, parts, room, made, count))
REPORTS(clReleaseDevice, (cl_device_id device), (device))
CREATES(cl_context, clCreateContext, 0,
        (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,
         void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
         cl_int *error),
        (properties, count, devices, notify, data, error))
REPORTS(clReleaseContext, (cl_context context), (context))
CREATES(cl_command_queue, clCreateCommandQueue, 0,
        (cl_context context, cl_device_id device, cl_command_queue_properties properties,
         cl_int *error),
        (context, device, properties, error))
REPORTS(clReleaseCommandQueue, (cl_command_queue queue), (queue))
CREATES(cl_mem, clCreateBuffer, size,
        (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *error),
        (context, flags, size, host, error))
REPORTS(clReleaseMemObject, (cl_mem memory), (memory))
CREATES(cl_program, clCreateProgramWithSource, 0,
        (cl_context context, cl_uint count, const char **strings, const size_t *lengths,
         cl_int *error),
        (context, count, strings, lengths, error))
REPORTS(clBuildProgram,
        (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
         void(CL_CALLBACK *notify)(cl_program, void *), void *data),
        (program, count, devices, options, notify, data))
REPORTS(clGetProgramBuildInfo,
        (cl_program program, cl_device_id device, cl_program_build_info name, size_t room,
         void *value, size_t *size),
        (program, device, name, room, value, size))
REPORTS(clReleaseProgram, (cl_program program), (program))
CREATES(cl_kernel, clCreateKernel, 0, (cl_program program, const char *name, cl_int *error),
        (program, name, error))
REPORTS(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value),
        (kernel, index, size, value))
REPORTS(clGetKernelInfo,
        (cl_kernel kernel, cl_kernel_info name, size_t room, void *value, size_t *size),
        (kernel, name, room, value, size))
REPORTS(clGetKernelWorkGroupInfo,
        (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info name, size_t room,
         void *value, size_t *size),
        (kernel, device, name, room, value, size))
REPORTS(clReleaseKernel, (cl_kernel kernel), (kernel))
COMMANDS(clEnqueueNDRangeKernel,
         (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
          const size_t *global, const size_t *local, cl_uint waits, const cl_event *list,
          cl_event *event),
         (queue, kernel, dimensions, offset, global, local, waits, list, event))
COMMANDS(clEnqueueWriteBuffer,
         (cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size,
          const void *bytes, cl_uint waits, const cl_event *list, cl_event *event),
         (queue, memory, blocking, offset, size, bytes, waits, list, event))
COMMANDS(clEnqueueCopyBuffer,
         (cl_command_queue queue, cl_mem source, cl_mem destination, size_t from, size_t to,
          size_t size, cl_uint waits, const cl_event *list, cl_event *event),
         (queue, source, destination, from, to, size, waits, list, event))
REPORTS(clFlush, (cl_command_queue queue), (queue))
REPORTS(clFinish, (cl_command_queue queue), (queue))
REPORTS(clWaitForEvents, (cl_uint count, const cl_event *events), (count, events))
REPORTS(clGetEventProfilingInfo,
        (cl_event event, cl_profiling_info name, size_t room, void *value, size_t *size),
        (event, name, room, value, size))
REPORTS(clReleaseEvent, (cl_event event), (event))

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReadBuffer(
    cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size,
    void *bytes, cl_uint waits, const cl_event *list, cl_event *event) {
  const enum kind end = fate("clEnqueueReadBuffer", 0);
  if (end == STATUS) return status;
  if (end == SKIP) return CL_SUCCESS;
  cl_int(CL_API_CALL * read)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, void *, cl_uint,
                             const cl_event *, cl_event *) = real("clEnqueueReadBuffer");
  const cl_int result = read(queue, memory, end == CORRUPT ? CL_TRUE : blocking, offset, size,
                             bytes, waits, list, event);
  if (end == CORRUPT) {
    for (size_t i = 0; i < size; i++) ((unsigned char *)bytes)[i] ^= 0x15;
  }
  return result;
}
