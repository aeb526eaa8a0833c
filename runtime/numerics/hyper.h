// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hyper-connections (model.md 3.1; R6, R11).

#ifndef DSV4_RUNTIME_NUMERICS_HYPER_H
#define DSV4_RUNTIME_NUMERICS_HYPER_H

#include "runtime/numerics/dot.h"

namespace dsv4::num {

/// Sinkhorn normalisation of a c x c matrix in place (R6).
inline void sinkhorn(float *m, int64_t c, int64_t iterations, float eps) {
  auto divideRows = [&](float add) {
    for (int64_t r = 0; r < c; ++r) {
      float sum = m[r * c];
      for (int64_t q = 1; q < c; ++q)
        sum += m[r * c + q];
      for (int64_t q = 0; q < c; ++q)
        m[r * c + q] = m[r * c + q] / (sum + add);
    }
  };
  auto divideColumns = [&] {
    for (int64_t q = 0; q < c; ++q) {
      float sum = m[q];
      for (int64_t r = 1; r < c; ++r)
        sum += m[r * c + q];
      for (int64_t r = 0; r < c; ++r)
        m[r * c + q] = m[r * c + q] / (sum + eps);
    }
  };
  for (int64_t r = 0; r < c; ++r) {
    float largest = m[r * c];
    for (int64_t q = 1; q < c; ++q)
      largest = m[r * c + q] > largest ? m[r * c + q] : largest;
    for (int64_t q = 0; q < c; ++q)
      m[r * c + q] = exp(m[r * c + q] - largest);
  }
  divideRows(0);
  for (int64_t i = 0; i < c * c; ++i)
    m[i] += eps;
  divideColumns();
  for (int64_t i = 1; i < iterations; ++i) {
    divideRows(eps);
    divideColumns();
  }
}

/// y[d] = bf16(sum_j pre_j X_j[d]) (R11).
inline void weightedStreams(const float *streams, const float *pre, float *y,
                            int64_t c, int64_t hidden) {
  for (int64_t d = 0; d < hidden; ++d) {
    float t = 0;
    for (int64_t j = 0; j < c; ++j)
      t = fma(pre[j], streams[j * hidden + d], t);
    y[d] = roundBf16(t);
  }
}

/// New stream k = bf16(post_k out + sum_j comb[j, k] X_j) (R11).
inline void closeSublayer(const float *out, const float *streams,
                          const float *post, const float *comb, float *to,
                          int64_t c, int64_t hidden) {
  for (int64_t k = 0; k < c; ++k)
    for (int64_t d = 0; d < hidden; ++d) {
      float t = post[k] * out[d];
      for (int64_t j = 0; j < c; ++j)
        t = fma(comb[j * c + k], streams[j * hidden + d], t);
      to[k * hidden + d] = roundBf16(t);
    }
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_HYPER_H
