/* gpucheck.h: a cost of your own for `gpucheck check --library`.
 *
 * Define gpucheck_cost in a shared library, the other two where you need them, all with the C calling
 * convention. The library runs in processes of its own, one for each core: it need not be safe for
 * several threads, and what it prints goes to no place that matters.
 *
 *   cc -O2 -shared -fPIC -o libnet.so net.c
 *   gpucheck check --library ./libnet.so --parameters theta.npz --gradient dtheta.npz
 */
#ifndef GPUCHECK_H
#define GPUCHECK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GPUCHECK_EXPORT __attribute__((visibility("default")))
#else
#define GPUCHECK_EXPORT
#endif

/* J at theta, an array of n numbers: the tensors of the parameter file in the file's order, each
 * row-major. The array is gpucheck's, and is not to be written to. The same theta must give the same
 * cost every time, or --average is needed. */
GPUCHECK_EXPORT double gpucheck_cost(const double *theta, size_t n, void *context);

/* Optional: called once in every process before the first cost. What it returns is the context of all
 * later calls, and may be NULL. batch is what --batch names, as it was given, or NULL; it is yours to
 * read, in whatever format. To refuse, print why to stderr and call exit(1). */
GPUCHECK_EXPORT void *gpucheck_setup(size_t n, const char *batch);

/* Optional: called once in every process after the last cost. */
GPUCHECK_EXPORT void gpucheck_teardown(void *context);

#ifdef __cplusplus
}
#endif

#endif
