// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels are compared with: the scalar functions of runtime/numerics,
// which define the rules of docs/numerics.md, over the tests' vectors.

#ifndef DSV4_TEST_UNIT_CPU_SCALAROPS_H
#define DSV4_TEST_UNIT_CPU_SCALAROPS_H

#include "runtime/numerics/dot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace dsv4::cpu::test {

using Floats = std::vector<float>;

inline float bf(float X) { return num::roundBf16(X); }

/// BF16 memory as floats.
inline Floats floatsOf(const uint16_t *Bits, int64_t N) {
  Floats Out(N);
  for (int64_t I = 0; I < N; ++I)
    Out[I] = num::bf16ToFloat(Bits[I]);
  return Out;
}

/// R1 without a weight scale.
inline float dotR1(const float *X, const float *W, int64_t N,
                   num::DotOrder Order = num::DotOrder::Chain) {
  return num::dot(X, W, nullptr, N, Order);
}

/// The tree of R3 over 16 accumulators.
inline float treeR3(std::array<float, 16> A) { return num::treeSum(A.data()); }

/// R12.
inline Floats rmsNorm(const Floats &X, const Floats &W, float Eps) {
  Floats Y(X.size());
  num::rmsNorm(X.data(), W.data(), Y.data(), int64_t(X.size()), Eps);
  return Y;
}

/// R12 for heads.
inline Floats headNorm(const Floats &X, float Eps) {
  Floats Y(X.size());
  num::headNorm(X.data(), Y.data(), int64_t(X.size()), Eps);
  return Y;
}

/// R13: the last 2 x Freqs.size() elements at `Position`.
inline void rope(Floats &X, const Floats &Freqs, int64_t Position,
                 bool Inverse = false) {
  num::rope(X.data(), int64_t(X.size()), Freqs.data(), int64_t(Freqs.size()),
            Position, Inverse);
}

/// R15: scale byte of a block.
inline uint8_t scaleByte(const float *X, int64_t N, float Floor, float Inv) {
  return num::scaleByte(X, N, Floor, Inv);
}

/// R15, E4M3 in blocks of B: fake-quantised in place.
inline void quantizeE4M3(float *X, int64_t N, int64_t B) {
  num::fakeQuantizeE4M3(X, N, B);
}

/// R15, E2M1 in blocks of 32.
inline void quantizeE2M1(Floats &X) {
  num::fakeQuantizeE2M1(X.data(), int64_t(X.size()));
}

/// R7.
inline void hadamard(Floats &X) { num::hadamard(X.data(), int64_t(X.size())); }

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_SCALAROPS_H
