// What every file of loops shares: its functions end in _plain and, where the machine may have them, in
// _avx2 and _avx512.

// A product and its sum round once where the machine can, in vectors and in what is left of them alike.
#pragma STDC FP_CONTRACT ON

#define UNROLL _Pragma("clang loop unroll(full)")

// Returns what the function of an instruction set returns (lane_instruction_sets).
#if defined(__x86_64__)
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
