// user_cost.cl: what a cost of the user's own (docs/user-cost.md) is compiled between.
//
// Purpose: the accessor theta(j), which gives the lane's θ without a copy of it, a sum over the
// work-items of a lane, and the kernel that calls the user's function `cost` in every lane.
// The file is a template. Before the user's text it stands without macros; after it with
// COST_PARAMETERS (the buffers that `cost` asks for, each after a comma, as the kernel declares
// them), COST_LOCALS (declarations of its local memory) and COST_ARGUMENTS (their names, each after
// a comma). Constants such as theta_count come before both from the host.
// Arguments: lane_count: lanes; lane_offset: where the moved tensor begins in θ; lane_theta_values:
// θ [n]; lane_components, lane_moves: [lanes], which component of the tensor moves and to what;
// lane_costs: [lanes]; lane_fault: [3], 0 before the launch; then 1, the line and the index of the
// first read outside of θ. Names that begin with lane_ are gpucheck's.
// Launch: [lanes], rounded up at will; where the user's text defines LANE_WORK_ITEMS,
// [lanes * LANE_WORK_ITEMS] in groups of that many, one group a lane.
// CPU twin: none. The cost is the user's, and asked again for what it gave (docs/user-cost.md).

#ifndef COST_ARGUMENTS

// What `cost` hands to whatever reads theta(j). item, items: this work-item of the lane's, and how
// many there are: 0 and 1 unless LANE_WORK_ITEMS is defined.
typedef struct {
  int item;
  int items;
  int component;
  real value;
  global const real *theta;
  global int *fault;
  local real *scratch;
} lane_t;

#define theta(j) lane_theta(lane, (j), __LINE__)
#define lane_sum(x) lane_sum_of(lane, (x))

// θ_j as the lane sees it; NaN, and a note for the host, outside of θ.
static inline real lane_theta(const lane_t lane, const long j, const int line) {
  if (j < 0 || j >= theta_count) {
    if (atomic_cmpxchg(lane.fault, 0, 1) == 0) {
      lane.fault[1] = line;
      lane.fault[2] = (int)clamp(j, (long)INT_MIN, (long)INT_MAX);
    }
    return (real)NAN;
  }
  return j == lane.component ? lane.value : lane.theta[j];
}

// The sum of x over the lane's work-items, given to all of them. All must come here.
static inline real lane_sum_of(const lane_t lane, const real x) {
  if (lane.items == 1) return x;
  barrier(CLK_LOCAL_MEM_FENCE);
  lane.scratch[lane.item] = x;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int left = lane.items; left > 1; left = (left + 1) / 2) {
    const int half_up = (left + 1) / 2;
    if (lane.item < left / 2) lane.scratch[lane.item] += lane.scratch[lane.item + half_up];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  return lane.scratch[0];
}

#else

#ifdef LANE_WORK_ITEMS
__attribute__((reqd_work_group_size(LANE_WORK_ITEMS, 1, 1)))
#endif
kernel void user_costs(const int lane_count, const int lane_offset,
                       global const real *lane_theta_values, global const int *lane_components,
                       global const real *lane_moves, global real *lane_costs,
                       global int *lane_fault COST_PARAMETERS) {
  lane_t lane;
  lane.theta = lane_theta_values;
  lane.fault = lane_fault;
#ifdef LANE_WORK_ITEMS
  local real lane_scratch[LANE_WORK_ITEMS];
  const int lane_number = get_group_id(0);
  lane.item = get_local_id(0);
  lane.items = LANE_WORK_ITEMS;
  lane.scratch = lane_scratch;
#else
  const int lane_number = get_global_id(0);
  lane.item = 0;
  lane.items = 1;
  lane.scratch = 0;
#endif
  COST_LOCALS
  if (lane_number >= lane_count) return;
  lane.component = lane_offset + lane_components[lane_number];
  lane.value = lane_moves[lane_number];
  const real lane_found = cost(lane COST_ARGUMENTS);
  if (lane.item == 0) lane_costs[lane_number] = lane_found;
}

#endif
