// Series in a unit's step, formed for neighbouring units side by side.

#include "CLanes.h"

// A product and its sum round once where the machine can.
#pragma STDC FP_CONTRACT ON

#define UNROLL _Pragma("clang loop unroll(full)")

#define BYTES 16
#define TARGET
#define NAME(name) name##_plain
#include "unit_series.h"

#if defined(__x86_64__)

#define BYTES 32
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_avx2
#include "unit_series.h"

#define BYTES 64
#define TARGET __attribute__((target("avx512f")))
#define NAME(name) name##_avx512
#include "unit_series.h"

#define CHOOSE(set, function, ...)                                                                \
  if (set == 1)                                                                                   \
    return function##_avx2(__VA_ARGS__);                                                          \
  if (set == 2)                                                                                   \
    return function##_avx512(__VA_ARGS__);                                                        \
  return function##_plain(__VA_ARGS__);

#else

#define CHOOSE(set, function, ...)                                                                \
  (void)set;                                                                                      \
  return function##_plain(__VA_ARGS__);

#endif

void unit_layer(int set, ptrdiff_t units, ptrdiff_t outs, const double *weights,
                const UnitFunction *function, double *limits, double *largest, double *series) {
  CHOOSE(set, unit_layer, units, outs, weights, function, limits, largest, series)
}

void unit_costs(int set, ptrdiff_t units, const CrossEntropySample *sample, const UnitFunction *own,
                double *limits, double *largest, const double *series, double *costs) {
  CHOOSE(set, unit_costs, units, sample, own, limits, largest, series, costs)
}
