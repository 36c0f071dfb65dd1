// common.cl: what every kernel file is compiled after.
//
// Purpose: one kernel text for both precisions and for every vector width, chosen by two build
// options: REAL_IS_DOUBLE (defined for f64 only) and VECTOR_WIDTH (1, 2, 4, 8 or 16).
// Arguments and launch: none, there is no kernel in this file.
// CPU twin: `Precision` for the types; `two_sum` is the textbook algorithm, checked by SelfTest.
//
//   real             the scalar type
//   R(1.0)           a literal of that type; write the decimal point
//   realv            VECTOR_WIDTH reals; the scalar itself where that is 1
//   intv             VECTOR_WIDTH ints
//   maskv            what comparing two realv gives. Of vectors: all bits set in each lane where it
//                    holds; of scalars: 1. Join masks with & and |, negate with !
//   LOAD(i, p)       the i-th realv at p, counted in vectors; p needs no alignment beyond a real's
//   STORE(v, i, p)   its opposite
//   SELECT(a, b, m)  in each lane b where m holds, else a (the order of OpenCL's select); scalars
//                    are spread over the lanes
//   ALWAYS_INLINE    a function that is never called
//   UNIT_ROUNDOFF    half the spacing at 1; REAL_MAX the largest finite real;
//   REAL_INFINITY    infinity
//   two_sum          a + b and its exact rounding error
//   add_compensated  one step of a compensated sum

#ifndef VECTOR_WIDTH
#define VECTOR_WIDTH 1
#endif

// For small functions of the innermost loops.
#define ALWAYS_INLINE static inline __attribute__((always_inline))
// For what is rarely called and long: compilers would copy a library's functions to every place.
#define NEVER_INLINE static __attribute__((noinline))

// Vectors wider than the machine's are passed between functions of one program only. Not where there are no
// vectors: NVIDIA's compiler does not know the warning, and says so on the user's terminal.
#if defined(__clang__) && VECTOR_WIDTH > 1
#pragma clang diagnostic ignored "-Wpsabi"
#endif

#define PASTE_EXPANDED(a, b) a##b
#define PASTE(a, b) PASTE_EXPANDED(a, b)

#ifdef REAL_IS_DOUBLE
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
typedef double real;
#define REAL_NAME double
#define MASK_NAME long
#define R(literal) literal
#define UNIT_ROUNDOFF 0x1p-53
#define REAL_MAX DBL_MAX
#else
typedef float real;
#define REAL_NAME float
#define MASK_NAME int
#define R(literal) literal##f
#define UNIT_ROUNDOFF 0x1p-24f
#define REAL_MAX FLT_MAX
#endif
#define REAL_INFINITY ((real)INFINITY)

#if VECTOR_WIDTH == 1
typedef real realv;
typedef int intv;
typedef int maskv;
#define LOAD(i, p) ((p)[i])
#define STORE(v, i, p) ((p)[i] = (v))
#define SELECT(a, b, m) ((m) ? (realv)(b) : (realv)(a))
#elif VECTOR_WIDTH == 2 || VECTOR_WIDTH == 4 || VECTOR_WIDTH == 8 || VECTOR_WIDTH == 16
typedef PASTE(REAL_NAME, VECTOR_WIDTH) realv;
typedef PASTE(int, VECTOR_WIDTH) intv;
typedef PASTE(MASK_NAME, VECTOR_WIDTH) maskv;
#define LOAD(i, p) PASTE(vload, VECTOR_WIDTH)(i, p)
#define STORE(v, i, p) PASTE(vstore, VECTOR_WIDTH)(v, i, p)
#define SELECT(a, b, m) select((realv)(a), (realv)(b), (m))
#else
#error "VECTOR_WIDTH is 1, 2, 4, 8 or 16"
#endif

// a + b, and in *error what rounding took away: the two add up to a + b exactly. No products, so
// that contraction to fma has nothing to work on; any order of sizes (Knuth, The Art of Computer
// Programming, volume 2, section 4.2.2, theorem B).
static inline realv two_sum(realv a, realv b, realv *error) {
  const realv sum = a + b;
  const realv second = sum - a;
  const realv first = sum - second;
  *error = (a - first) + (b - second);
  return sum;
}

// Adds x to a sum kept as *sum + *carry; start with both 0, and read the sum as *sum + *carry
// (Ogita, Rump, Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26, 2005, algorithm 4.4).
static inline void add_compensated(realv *sum, realv *carry, realv x) {
  realv error;
  *sum = two_sum(*sum, x, &error);
  *carry += error;
}
