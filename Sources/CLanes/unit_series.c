// Series in a unit's step, formed for neighbouring units side by side.

#include "CLanes.h"
#include "instruction_sets.h"

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

#endif

void unit_layer(int set, ptrdiff_t units, ptrdiff_t outs, const double *weights,
                const UnitFunction *function, double *limits, double *largest, double *series) {
  CHOOSE(set, unit_layer, units, outs, weights, function, limits, largest, series)
}

void unit_costs(int set, ptrdiff_t units, const CrossEntropySample *sample, const UnitFunction *own,
                double *limits, double *largest, const double *series, double *costs) {
  CHOOSE(set, unit_costs, units, sample, own, limits, largest, series, costs)
}
