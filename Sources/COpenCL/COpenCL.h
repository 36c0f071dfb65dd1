// The OpenCL 1.2 C API: types and constants from the Khronos headers, and from the ICD header the
// types of its functions, with which Sources/Kernels/Loader.swift calls what it finds at run time.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_icd.h>
