// The innermost loops of the host's lanes, baselines and error bars. Swift compiles for the oldest machine
// of its kind, whose vectors are a quarter of today's; here the widest is chosen when the program runs.

#include "CLanes.h"
#include "instruction_sets.h"

#define ROW_AT(p, k) ((p)->row_at ? (p)->row_at[k] : (k) * (p)->row_stride)
#define WEIGHT_AT(p, k) ((p)->weight_at ? (p)->weight_at[k] : (k) * (p)->depth_stride)

#define REAL double
#define INTEGER long long
#define BYTES 16
#define TARGET
#define NAME(name) name##_f64_plain
#include "lanes.h"

#define REAL float
#define INTEGER int
#define BYTES 16
#define TARGET
#define NAME(name) name##_f32_plain
#include "lanes.h"

#if defined(__x86_64__)

#define REAL double
#define INTEGER long long
#define BYTES 16
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_f64_fma
#include "lanes.h"

#define REAL float
#define INTEGER int
#define BYTES 16
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_f32_fma
#include "lanes.h"

#define REAL double
#define INTEGER long long
#define BYTES 32
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_f64_avx2
#define REST products_f64_fma
#include "lanes.h"

#define REAL float
#define INTEGER int
#define BYTES 32
#define TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_f32_avx2
#define REST products_f32_fma
#include "lanes.h"

#define REAL double
#define INTEGER long long
#define BYTES 64
#define TARGET __attribute__((target("avx512f")))
#define NAME(name) name##_f64_avx512
#define REST products_f64_avx2
#include "lanes.h"

#define REAL float
#define INTEGER int
#define BYTES 64
#define TARGET __attribute__((target("avx512f")))
#define NAME(name) name##_f32_avx512
#define REST products_f32_avx2
#include "lanes.h"

int lane_instruction_sets(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return 1;
  return __builtin_cpu_supports("avx512f") ? 3 : 2;
}

#else

int lane_instruction_sets(void) { return 1; }

#endif

void lane_products_f64(int set, const LaneProducts *shape, const double *weights, const double *rows,
                       double *outputs) {
  CHOOSE(set, products_f64, shape, weights, rows, outputs)
}

void lane_products_f32(int set, const LaneProducts *shape, const float *weights, const float *rows,
                       float *outputs) {
  CHOOSE(set, products_f32, shape, weights, rows, outputs)
}

ptrdiff_t lane_series_f64(int set, ptrdiff_t elements, double limit, const double *c,
                          ptrdiff_t stride, double *d) {
  CHOOSE(set, series_f64, elements, limit, c, stride, d)
}

ptrdiff_t lane_series_f32(int set, ptrdiff_t elements, float limit, const float *c,
                          ptrdiff_t stride, float *d) {
  CHOOSE(set, series_f32, elements, limit, c, stride, d)
}

void lane_moments_f64(int set, ptrdiff_t samples, const double *x, ptrdiff_t x_stride,
                      const double *moments, ptrdiff_t first, ptrdiff_t end, double step, double *out) {
  CHOOSE(set, moments_f64, samples, x, x_stride, moments, first, end, step, out)
}

void lane_moments_f32(int set, ptrdiff_t samples, const float *x, ptrdiff_t x_stride,
                      const float *moments, ptrdiff_t first, ptrdiff_t end, float step, float *out) {
  CHOOSE(set, moments_f32, samples, x, x_stride, moments, first, end, step, out)
}
