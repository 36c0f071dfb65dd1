// An OpenCL library that fails on demand: see faulty_opencl.c.
#pragma once

/// Sets the fault, as the environment variable FAULTY_OPENCL does, and counts calls from 0 again.
/// Returns 0, or -1 where the text cannot be read; then no fault is set.
int faulty_opencl_arm(const char *text);

/// The number of calls since then, of all functions.
long faulty_opencl_calls(void);

/// The function that failed since then; null where none has.
const char *faulty_opencl_failed(void);
