// Several steps that go element by element, one after the other, in one kernel: what one gives the next
// stays in registers. This text is compiled once for each row of steps.
//
// KERNEL      the kernel's name
// PARAMETERS  the pointers and numbers of the steps, each followed by a comma
// BODY        for element e of all: loads of what moves, the rules of the steps, stores of what others read
//
// Lane arrays are [elements, lanes]. Needs the rules' own files. Everything is loaded before anything is
// stored, so that a store may be where a load of the same element was.
// Launch: [lane workers, workers over the elements]. Host: Engine/OpenCL/FusedSteps.swift. The CPU takes
// the steps one by one.

kernel void KERNEL(int lane_vectors, int elements, int tie_policy,
                   PARAMETERS volatile global uint *flags) {
  FOR_LANE_BLOCKS(first) {
    intv all[LANE_BLOCK];
    for (int v = 0; v < LANE_BLOCK; v++)
      all[v] = (intv)(0);
    FOR_SHARE(e, elements) {
#pragma unroll
      for (int v = 0; v < LANE_BLOCK; v++) {
        const int g = first + v;
        intv kinks = (intv)(0);
        BODY
        all[v] |= kinks;
      }
    }
    for (int v = 0; v < LANE_BLOCK; v++)
      report_kinks(all[v], first + v, flags);
  }
}
