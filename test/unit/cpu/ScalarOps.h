// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar forms of the pieces that kernels are made of, written from the rules
// of docs/numerics.md (R1 ...), as what the kernels are compared with.

#ifndef DSV4_TEST_UNIT_CPU_SCALAROPS_H
#define DSV4_TEST_UNIT_CPU_SCALAROPS_H

#include "runtime/numerics/math.h"

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
inline float dotR1(const float *X, const float *W, int64_t N) {
  float Total = 0;
  for (int64_t G = 0; G < N; G += 32) {
    float Chain = 0;
    for (int64_t I = G; I < G + 32; I += 2) {
      Chain = std::fma(X[I + 1], W[I + 1], Chain);
      Chain = std::fma(X[I], W[I], Chain);
    }
    Total += Chain;
  }
  return Total;
}

/// The tree of R3 over 16 accumulators.
inline float treeR3(std::array<float, 16> A) {
  for (int Step = 8; Step; Step /= 2)
    for (int L = 0; L < Step; ++L)
      A[L] += A[L + Step];
  return A[0];
}

inline float squaresR3(const float *X, int64_t N) {
  std::array<float, 16> A = {};
  for (int64_t I = 0; I < N; ++I)
    A[I % 16] = std::fma(X[I], X[I], A[I % 16]);
  return treeR3(A);
}

/// R12.
inline Floats rmsNorm(const Floats &X, const Floats &W, float Eps) {
  float R =
      1.0f / std::sqrt(squaresR3(X.data(), X.size()) / float(X.size()) + Eps);
  Floats Y(X.size());
  for (size_t I = 0; I < X.size(); ++I)
    Y[I] = bf(W[I] * (X[I] * R));
  return Y;
}

/// R12 for heads: every step in BF16.
inline Floats headNorm(const Floats &X, float Eps) {
  std::array<float, 16> A = {};
  for (size_t I = 0; I < X.size(); ++I)
    A[I % 16] += bf(X[I] * X[I]);
  float Mean = bf(treeR3(A) / float(X.size()));
  float R = bf(1.0f / std::sqrt(bf(Mean + Eps)));
  Floats Y;
  for (float V : X)
    Y.push_back(bf(V * R));
  return Y;
}

/// R13: the last 2 x Freqs.size() elements at `Position`.
inline void rope(Floats &X, const Floats &Freqs, int64_t Position,
                 bool Inverse = false) {
  size_t Start = X.size() - 2 * Freqs.size();
  for (size_t I = 0; I < Freqs.size(); ++I) {
    num::CosSin CS = num::cosSin(float(Position) * Freqs[I]);
    float Sin = Inverse ? -CS.sin : CS.sin;
    float &A = X[Start + 2 * I], &B = X[Start + 2 * I + 1];
    float A0 = A;
    A = bf(std::fma(A0, CS.cos, -(B * Sin)));
    B = bf(std::fma(A0, Sin, B * CS.cos));
  }
}

/// R15: scale byte of a block.
inline uint8_t scaleByte(const float *X, int64_t N, float Floor, float Inv) {
  float Amax = Floor;
  for (int64_t I = 0; I < N; ++I)
    Amax = std::max(Amax, std::fabs(X[I]));
  uint32_t Bits = num::bitsOf(Amax * Inv);
  return uint8_t((Bits >> 23) + ((Bits & 0x7fffff) != 0));
}

/// R15, E4M3 in blocks of B: fake-quantised in place.
inline void quantizeE4M3(float *X, int64_t N, int64_t B) {
  for (int64_t Block = 0; Block < N; Block += B) {
    float S = num::e8m0ToFloat(scaleByte(X + Block, B, 1e-4f, 1.0f / 448.0f));
    for (int64_t I = Block; I < Block + B; ++I)
      X[I] = bf(num::roundE4M3(std::clamp(X[I] / S, -448.0f, 448.0f)) * S);
  }
}

/// R15, E2M1 in blocks of 32.
inline void quantizeE2M1(Floats &X) {
  for (size_t Block = 0; Block < X.size(); Block += 32) {
    float S =
        num::e8m0ToFloat(scaleByte(&X[Block], 32, 6 * 0x1p-126f, 1.0f / 6.0f));
    for (size_t I = Block; I < Block + 32; ++I)
      X[I] = bf(num::roundE2M1(std::clamp(X[I] / S, -6.0f, 6.0f)) * S);
  }
}

/// R7.
inline void hadamard(Floats &X) {
  for (size_t Step = 1; Step < X.size(); Step *= 2)
    for (size_t I = 0; I < X.size(); ++I)
      if (!(I & Step)) {
        float A = X[I], B = X[I + Step];
        X[I] = A + B;
        X[I + Step] = A - B;
      }
  float Scale = float(1.0 / std::sqrt(double(X.size())));
  for (float &V : X)
    V = bf(V * Scale);
}

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_SCALAROPS_H
