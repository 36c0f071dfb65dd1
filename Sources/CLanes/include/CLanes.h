#ifndef CLANES_H
#define CLANES_H

#include <stdbool.h>
#include <stddef.h>

/// The shape of sums of products, formed side by side in neighbouring lanes:
/// outputs(o, lane) = sum over k of weights(o, k) rows(k, lane), in the order of k whatever the vectors.
typedef struct {
  ptrdiff_t lanes;
  ptrdiff_t outs;
  ptrdiff_t depth;
  /// Among the weights from one output to the next, and from one term to the next.
  ptrdiff_t out_stride;
  ptrdiff_t depth_stride;
  /// From the row of one term to that of the next.
  ptrdiff_t row_stride;
  /// Where each term stands among an output's weights and where its row begins, in the place of
  /// depth_stride and row_stride; NULL where these say it.
  const ptrdiff_t *_Nullable weight_at;
  const ptrdiff_t *_Nullable row_at;
  /// From one output's lanes to the next one's.
  ptrdiff_t output_stride;
  /// Whether the sums are added to what the outputs hold.
  bool adds;
} LaneProducts;

/// How many instruction sets this machine has of those there are loops for: 1 for any machine, 2 with AVX2
/// and FMA, 3 with AVX-512. Where products are fused into sums they round once.
int lane_instruction_sets(void);

/// Forms the sums with an instruction set, from 0 to before lane_instruction_sets().
void lane_products_f64(int set, const LaneProducts *_Nonnull shape, const double *_Nonnull weights,
                       const double *_Nonnull rows, double *_Nonnull outputs);
void lane_products_f32(int set, const LaneProducts *_Nonnull shape, const float *_Nonnull weights,
                       const float *_Nonnull rows, float *_Nonnull outputs);

/// How many lanes a series is summed in at a time: two vectors of a chain.
#define LANE_SERIES_LANES 16
/// How many terms a series has.
#define LANE_SERIES_TERMS 5

/// Puts sum over n from 1 to LANE_SERIES_TERMS of c(n) d^n in the place of d, for element after element as
/// long as no lane's |d| is beyond `limit`; returns how many elements that were.
/// d is [elements, LANE_SERIES_LANES]; c(1) of element e stands at e stride, the others behind it.
ptrdiff_t lane_series_f64(int set, ptrdiff_t elements, double limit, const double *_Nonnull c,
                          ptrdiff_t stride, double *_Nonnull d);
ptrdiff_t lane_series_f32(int set, ptrdiff_t elements, float limit, const float *_Nonnull c,
                          ptrdiff_t stride, float *_Nonnull d);

/// The sums over samples of what a step makes of the cost in units first up to end, of LANE_SERIES_LANES: the
/// step times x(s x_stride), in the series of the unit and sample. moments [samples, LANE_SERIES_TERMS + 1,
/// LANE_SERIES_LANES]: the terms, and the largest |d| that they serve. out [3, LANE_SERIES_LANES]: the odd
/// powers' sum, what rounding took from it, and the even powers' sum; the same step back has the first two
/// with the other sign. NaN where a sample's step is larger. Units beside those asked for may be written too.
void lane_moments_f64(int set, ptrdiff_t samples, const double *_Nonnull x, ptrdiff_t x_stride,
                      const double *_Nonnull moments, ptrdiff_t first, ptrdiff_t end, double step,
                      double *_Nonnull out);
void lane_moments_f32(int set, ptrdiff_t samples, const float *_Nonnull x, ptrdiff_t x_stride,
                      const float *_Nonnull moments, ptrdiff_t first, ptrdiff_t end, float step,
                      float *_Nonnull out);

/// A function of many elements as series around where each stands: term[n] and gap by element. Of a function
/// that is straight up to a kink the one term is its slope, and the gap how far each element may move; NULL
/// where there are no kinks. No terms: no function.
typedef struct {
  int terms;
  const double *_Nullable term[LANE_SERIES_TERMS];
  const double *_Nullable gap;
} UnitFunction;

/// Takes series in the steps of `units` units, a multiple of LANE_SERIES_LANES, through a layer's function.
/// series [outs, LANE_SERIES_TERMS, units] are the layer's sums and become the function's values; where
/// weights [outs, units] are given the sums are those of the units' own steps. limits [units] are lowered to
/// the steps with which something meets a kink. largest [LANE_SERIES_TERMS, LANE_SERIES_LANES]: no smaller
/// than the sums' terms, whose largest are those of each row.
void unit_layer(int set, ptrdiff_t units, ptrdiff_t outs, const double *_Nullable weights,
                const UnitFunction *_Nonnull function, double *_Nonnull limits,
                double *_Nonnull largest, double *_Nonnull series);

/// A sample's softmax cross-entropy, of logits relative to the target's, and mass log(1 + sum of
/// p (exp(d) - 1)) - sum of q d for steps d of these.
typedef struct {
  ptrdiff_t classes;
  ptrdiff_t target;
  const double *_Nonnull p;
  const double *_Nonnull q;
  double mass;
} CrossEntropySample;

/// The cost as series in the steps of units, costs [LANE_SERIES_TERMS, units], from those of the logits,
/// series [classes, LANE_SERIES_TERMS, units]; in the steps before the units' own function where that has
/// terms. limits and largest as above.
void unit_costs(int set, ptrdiff_t units, const CrossEntropySample *_Nonnull sample,
                const UnitFunction *_Nonnull own, double *_Nonnull limits, double *_Nonnull largest,
                const double *_Nonnull series, double *_Nonnull costs);

#endif
