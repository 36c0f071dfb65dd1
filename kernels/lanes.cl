// Lanes: what every kernel of the engine shares beside common.cl.
//
// A lane array is [elements, lanes], lanes fastest, and is addressed in vectors of VECTOR_WIDTH
// lanes: vector g of element e stands at e * lane_vectors + g. A launch is
// [lane workers, workers]: a work-item serves its share of the lane vectors and its share of the elements
// (FOR_LANES, FOR_SHARE).
// CPU twin: Sources/GPUCheck/Engine/CPU/LaneCall.swift.

// MASK_TO_INT: the condition of a comparison of reals as integers, -1 or 0 in each lane.
// INT_TO_MASK: the condition of a comparison of integers, to choose between reals.
// ANY, ANY_INT: whether a comparison of reals, or of integers, holds in any lane.
// LANE_NUMBERS: 0, 1, 2, ... in the lanes of a vector.
#if VECTOR_WIDTH == 1
#define MASK_TO_INT(condition) (-(condition))
#define INT_TO_MASK(condition) (condition)
#define ANY(condition) (condition)
#define ANY_INT(condition) (condition)
#define FIRST_LANE(v) (v)
#else
#define MASK_TO_INT(condition) PASTE(convert_int, VECTOR_WIDTH)(condition)
#ifdef REAL_IS_DOUBLE
#define INT_TO_MASK(condition) PASTE(convert_long, VECTOR_WIDTH)(condition)
#else
#define INT_TO_MASK(condition) (condition)
#endif
#define ANY(condition) PASTE(any_long, MASK_LONGS)(PASTE(as_long, MASK_LONGS)(condition))
#define ANY_INT(condition) any(condition)
#define FIRST_LANE(v) ((v).s0)
#endif

// any() of a mask is a dozen instructions as PoCL 3.1 compiles it, and this one or two. Masks are taken as
// longs: Oclgrind 21.10 takes halves of a vector of ints for values that were never set.
#if VECTOR_WIDTH > 1
#ifdef REAL_IS_DOUBLE
#define MASK_LONGS VECTOR_WIDTH
#elif VECTOR_WIDTH == 2
#define MASK_LONGS 1
#elif VECTOR_WIDTH == 4
#define MASK_LONGS 2
#elif VECTOR_WIDTH == 8
#define MASK_LONGS 4
#else
#define MASK_LONGS 8
#endif
#define as_long1 as_long
ALWAYS_INLINE bool any_long1(long mask) { return mask != 0; }
ALWAYS_INLINE bool any_long2(long2 mask) { return any_long1(mask.s0 | mask.s1); }
ALWAYS_INLINE bool any_long4(long4 mask) { return any_long2(mask.lo | mask.hi); }
ALWAYS_INLINE bool any_long8(long8 mask) { return any_long4(mask.lo | mask.hi); }
ALWAYS_INLINE bool any_long16(long16 mask) { return any_long8(mask.lo | mask.hi); }
#endif

#if VECTOR_WIDTH == 1
#define LANE_NUMBERS 0
#elif VECTOR_WIDTH == 2
#define LANE_NUMBERS ((int2)(0, 1))
#elif VECTOR_WIDTH == 4
#define LANE_NUMBERS ((int4)(0, 1, 2, 3))
#elif VECTOR_WIDTH == 8
#define LANE_NUMBERS ((int8)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_NUMBERS ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif

// The loops over a work-item's lane vectors and its share of so many elements. Where neighbouring
// work-items run side by side each has a lane, and they have neighbouring elements. Where they run one after
// the other each has a few elements in a row and, in the outer loop, all lane vectors or a run of them: so
// it reads a few streams in order, as caches like it.
#define SHARES_ARE_RUNS (VECTOR_WIDTH > 1)
#if !SHARES_ARE_RUNS
#define FIRST_LANES ((int)get_global_id(0))
#define LAST_LANES ((int)get_global_id(0) + 1)
#define FIRST_OF_SHARE(count) 0
#define FOR_SHARE(e, count) for (int e = get_global_id(1); e < (count); e += get_global_size(1))
#else
#define SHARE_START(count, w, axis) ((int)((long)(count) * (w) / (long)get_global_size(axis)))
#define FIRST_LANES SHARE_START(lane_vectors, get_global_id(0), 0)
#define LAST_LANES SHARE_START(lane_vectors, get_global_id(0) + 1, 0)
#define FIRST_OF_SHARE(count) SHARE_START(count, get_global_id(1), 1)
#define FOR_SHARE(e, count)                                                                       \
  for (int e = FIRST_OF_SHARE(count), e##_end = SHARE_START(count, get_global_id(1) + 1, 1);      \
       e < e##_end; e++)
#endif
#define FOR_LANES(g) for (int g = FIRST_LANES, g##_end = LAST_LANES; g < g##_end; g++)

// The same, LANE_BLOCK lane vectors at a time, from g on: they share what belongs to an element.
#if !SHARES_ARE_RUNS
#define LANE_BLOCK 1
#define FOR_LANE_BLOCKS(g) FOR_LANES(g)
#else
#define LANE_BLOCK 2
#define FOR_LANE_BLOCKS(g)                                                                        \
  for (int g = SHARE_START(lane_vectors / 2, get_global_id(0), 0) * 2,                            \
           g##_end = SHARE_START(lane_vectors / 2, get_global_id(0) + 1, 0) * 2;                  \
       g < g##_end; g += LANE_BLOCK)
#endif

// A product's launch is [lane vectors / 2, parts, row blocks] or, with rows_first, the other way round: then
// work-items that run one after the other take all rows of the same lanes, which a cache holds.
// rows_first is 0 or 1. A choice between the two would do, but PoCL 3.1 loses the ids on the way.
#define LANE_ID(rows_first)                                                                       \
  ((int)get_global_id(0) + (rows_first) * ((int)get_global_id(2) - (int)get_global_id(0)))
#define ROW_ID(rows_first)                                                                        \
  ((int)get_global_id(2) + (rows_first) * ((int)get_global_id(0) - (int)get_global_id(2)))

#define KINK_CROSSED 1
#define KINK_TIED 2

// The position along an axis of each lane of vector g, from positions [lanes].
#define LANE_INDEX(g, positions) LOAD(g, positions)

// The smallest and the largest of the positions [lanes] in vectors g and g + 1: lanes of one position, or
// of neighbouring ones, mostly stand together. Not ALWAYS_INLINE: an inlined function that returns a
// struct is marked in a way that Oclgrind 21.10 does not know.
typedef struct {
  int first;
  int last;
} PositionRange;

static inline PositionRange position_range(int g, global const int *positions) {
  PositionRange range = {positions[g * VECTOR_WIDTH], positions[g * VECTOR_WIDTH]};
  for (int lane = g * VECTOR_WIDTH + 1; lane < (g + 2) * VECTOR_WIDTH; lane++) {
    range.first = min(range.first, positions[lane]);
    range.last = max(range.last, positions[lane]);
  }
  return range;
}

// Puts v where a position's lanes are, and everywhere at the first position.
#define STORE_AT_POSITION(v, is_first, position, here, i, p)                                      \
  STORE(is_first ? (v) : SELECT(LOAD(i, p), v, INT_TO_MASK((position) == (intv)(here))), i, p)

// table[offset + stride * index] for each lane.
static inline realv gather(global const real *table, int offset, int stride, intv index) {
#if VECTOR_WIDTH == 1
  return table[offset + stride * index];
#else
  int at[VECTOR_WIDTH];
  real value[VECTOR_WIDTH];
  PASTE(vstore, VECTOR_WIDTH)(index, 0, at);
  for (int k = 0; k < VECTOR_WIDTH; k++)
    value[k] = table[offset + stride * at[k]];
  return PASTE(vload, VECTOR_WIDTH)(0, value);
#endif
}

// The position that all lanes of a vector have; -1 where they have not one.
ALWAYS_INLINE int common_position(intv index) {
  return ANY_INT(index != (intv)(FIRST_LANE(index))) ? -1 : FIRST_LANE(index);
}

// In a table [outer, axis_length, inner] the place of an element at position 0 of the axis, where elements
// are counted without it; where axis_length is 0 they are the table's own.
ALWAYS_INLINE int sliced_place(int e, int axis_length, int inner) {
  return axis_length == 0 ? e : e / inner * axis_length * inner + e % inner;
}

// The table's element at each lane's position. common: that position where all lanes have it, else -1.
ALWAYS_INLINE realv sliced(global const real *table, int e, int axis_length, int inner, intv index,
                           int common) {
  const int first = sliced_place(e, axis_length, inner);
  if (axis_length == 0)
    return (realv)(table[first]);
  return common < 0 ? gather(table, first, inner, index) : (realv)(table[first + common * inner]);
}

// Adds the bits of each lane's kinks to its flags.
static inline void report_kinks(intv kinks, int g, volatile global uint *flags) {
#if VECTOR_WIDTH == 1
  if (kinks != 0)
    atomic_or(flags + g, (uint)kinks);
#else
  if (any(kinks != 0)) {
    int bits[VECTOR_WIDTH];
    PASTE(vstore, VECTOR_WIDTH)(kinks, 0, bits);
    for (int k = 0; k < VECTOR_WIDTH; k++)
      if (bits[k] != 0)
        atomic_or(flags + g * VECTOR_WIDTH + k, (uint)bits[k]);
  }
#endif
}
