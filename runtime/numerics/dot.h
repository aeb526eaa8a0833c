// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dot products (R1) and the sums of the hyper-connection mix (R2).

#ifndef DSV4_RUNTIME_NUMERICS_DOT_H
#define DSV4_RUNTIME_NUMERICS_DOT_H

#include "runtime/numerics/rows.h"

namespace dsv4::num {

/// The order of the sum inside a group of 32 (R1), as an executable's linears
/// have it.
enum class DotOrder : int32_t {
  Chain, // one chain, the odd element of each pair before the even one
  Split, // a chain of the even elements plus one of the odd ones, which is how
         // AMX sums
};

/// A group's sum of products, by fused multiply-adds from zero (R1).
inline float dotGroup(const float *x, const float *w, DotOrder order) {
  float even = 0, odd = 0;
  for (int64_t i = 0; i < 32; i += 2) {
    float &oddChain = order == DotOrder::Split ? odd : even;
    oddChain = fma(x[i + 1], w[i + 1], oddChain);
    even = fma(x[i], w[i], even);
  }
  return order == DotOrder::Split ? even + odd : even;
}

/// sum x[k] * w[k] * scale[k / 32] over n values, n a multiple of 32: groups of
/// 32 ascending, total = fma(group's sum, scale, total) (R1). w holds element
/// values without their scales; scales may be null for 1.
inline float dot(const float *x, const float *w, const float *scales, int64_t n,
                 DotOrder order = DotOrder::Chain) {
  float total = 0;
  for (int64_t group = 0; group < n; group += 32)
    total = fma(dotGroup(x + group, w + group, order),
                scales ? scales[group / 32] : 1.0f, total);
  return total;
}

constexpr int64_t MixChunk = 128;

/// Row dot of the mix: x is [streams, hidden], w likewise (R2).
inline float mixDot(const float *x, const float *w, int64_t streams,
                    int64_t hidden) {
  float total = 0;
  for (int64_t chunk = 0; chunk < hidden; chunk += MixChunk) {
    float partial = 0;
    for (int64_t j = 0; j < streams; ++j)
      for (int64_t group = chunk; group < chunk + MixChunk; group += 32) {
        float chain = 0;
        for (int64_t i = group; i < group + 32; ++i)
          chain = fma(x[j * hidden + i], w[j * hidden + i], chain);
        partial += chain;
      }
    total += partial;
  }
  return total;
}

/// Sum of squares of the same x (R2).
inline float mixSquares(const float *x, int64_t streams, int64_t hidden) {
  float total = 0;
  for (int64_t chunk = 0; chunk < hidden; chunk += MixChunk) {
    float lanes[16] = {};
    for (int64_t j = 0; j < streams; ++j)
      for (int64_t i = chunk; i < chunk + MixChunk; ++i)
        lanes[i % 16] =
            fma(x[j * hidden + i], x[j * hidden + i], lanes[i % 16]);
    total += treeSum(lanes);
  }
  return total;
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_DOT_H
