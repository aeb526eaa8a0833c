// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Routing and experts (model.md 3.8; R9, R10).

#ifndef DSV4_RUNTIME_NUMERICS_MOE_H
#define DSV4_RUNTIME_NUMERICS_MOE_H

#include "runtime/numerics/math.h"

namespace dsv4::num {

/// sqrt(softplus(logit)); above 20 softplus is its argument (R9).
inline float routerScore(float logit) {
  return sqrt(logit > 20.0f ? logit : softplus(logit));
}

/// Ids of the k largest of scores + bias, in selection order: higher first,
/// lower id first among equals (R9).
inline void selectExperts(const float *scores, const float *bias, int64_t n,
                          int64_t k, int32_t *ids) {
  for (int64_t slot = 0; slot < k; ++slot) {
    int64_t best = -1;
    for (int64_t e = 0; e < n; ++e) {
      bool taken = false;
      for (int64_t s = 0; s < slot; ++s)
        taken |= ids[s] == e;
      if (!taken &&
          (best < 0 || scores[e] + bias[e] > scores[best] + bias[best]))
        best = e;
    }
    ids[slot] = int32_t(best);
  }
}

/// weights = s / (sum of s in the order of ids) * scale (R9).
inline void weighExperts(const float *scores, const int32_t *ids, int64_t k,
                         float scale, float *weights) {
  float sum = 0;
  for (int64_t slot = 0; slot < k; ++slot)
    sum += scores[ids[slot]];
  for (int64_t slot = 0; slot < k; ++slot)
    weights[slot] = scores[ids[slot]] / sum * scale;
}

/// bf16(w * ((min(gate, limit) * sigmoid) * clamp(up))) (R10); 1 * h is exact.
inline float swiglu(float gate, float up, float weight, float limit) {
  float g = gate < limit ? gate : limit;
  float u = up > -limit ? up : -limit;
  u = u < limit ? u : limit;
  return roundBf16(weight * (g * sigmoid(g) * u));
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_MOE_H
