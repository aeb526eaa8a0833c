// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention of one head, pooling of the compressor, indexer scores and top-k
// (model.md 3.5 to 3.7; R4, R5, R8).

#ifndef DSV4_RUNTIME_NUMERICS_ATTENTION_H
#define DSV4_RUNTIME_NUMERICS_ATTENTION_H

#include "runtime/numerics/dot.h"

namespace dsv4::num {

/// The sum of one dim of all rows by their probabilities (R4). In pairs of
/// rows, the odd one first, as the BF16 dot instruction does; a missing odd row
/// is the last one with probability 0. Split: groups of 32 rows, the even ones
/// and the odd ones apart; so many are missing in the last group.
inline float sumRows(const float *p, const float *const *rows, int64_t count,
                     int64_t d, DotOrder order) {
  auto add = [&](int64_t r, float sum) {
    return r < count ? fma(p[r], rows[r][d], sum)
                     : fma(0.0f, rows[count - 1][d], sum);
  };
  float sum = 0;
  if (order == DotOrder::Chain) {
    for (int64_t r = 0; r < count; r += 2)
      sum = add(r, add(r + 1, sum));
    return sum;
  }
  for (int64_t group = 0; group < count; group += 32) {
    float even = 0, odd = 0;
    for (int64_t r = group; r < group + 32; r += 2) {
      odd = add(r + 1, odd);
      even = add(r, even);
    }
    sum += even + odd;
  }
  return sum;
}

/// One head over `count` rows of n values, which are keys and values; `scores`
/// has room for count floats (R4).
inline void attendHead(const float *q, const float *const *rows, int64_t count,
                       int64_t n, float scale, float sink, float *scores,
                       float *out, DotOrder order = DotOrder::Chain) {
  float largest = -__builtin_inff();
  for (int64_t r = 0; r < count; ++r) {
    scores[r] = dot(q, rows[r], nullptr, n, order) * scale;
    largest = scores[r] > largest ? scores[r] : largest;
  }
  float total = 0;
  for (int64_t group = 0; group < count; group += 32) {
    float chain = 0;
    for (int64_t r = group; r < count && r < group + 32; ++r) {
      float p = exp(scores[r] - largest);
      chain += p;
      scores[r] = roundBf16(p);
    }
    total += chain;
  }
  total += exp(sink - largest);
  for (int64_t d = 0; d < n; ++d)
    out[d] = roundBf16(sumRows(scores, rows, count, d, order) / total);
}

/// Softmax-weighted sum of one channel over slots [from, to) (R5): gate(s) is
/// the gate with its ape, value(s) the value.
template <class Gate, class Value>
float poolChannel(int64_t from, int64_t to, Gate gate, Value value) {
  float largest = -__builtin_inff(), total = 0, sum = 0;
  for (int64_t s = from; s < to; ++s)
    largest = gate(s) > largest ? gate(s) : largest;
  for (int64_t s = from; s < to; ++s)
    total += exp(gate(s) - largest);
  for (int64_t s = from; s < to; ++s)
    sum = fma(value(s), exp(gate(s) - largest) / total, sum);
  return sum;
}

/// One entry's index score: q [heads, n], weights [heads] (R8). The entry's
/// scales are folded into key, whose values are exact in BF16; scaling by
/// powers of two commutes with the roundings of the sum.
inline float indexScore(const float *q, const float *weights, const float *key,
                        int64_t heads, int64_t n) {
  float sum = 0;
  for (int64_t h = 0; h < heads; ++h) {
    float d = roundBf16(dot(q + h * n, key, nullptr, n));
    sum += roundBf16((d > 0 ? d : 0.0f) * weights[h]);
  }
  return roundBf16(sum);
}

/// Marks the k largest of n scores: higher first, lower index first among
/// equals. k passes; for the reference alone.
inline void markLargest(const float *scores, int64_t n, int64_t k, bool *mark) {
  for (int64_t i = 0; i < n; ++i)
    mark[i] = false;
  for (int64_t picked = 0; picked < k && picked < n; ++picked) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; ++i)
      if (!mark[i] && (best < 0 || scores[i] > scores[best]))
        best = i;
    mark[best] = true;
  }
}

} // namespace dsv4::num

#endif // DSV4_RUNTIME_NUMERICS_ATTENTION_H
