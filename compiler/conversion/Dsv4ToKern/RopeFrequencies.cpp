// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rotary frequencies; YaRN blends the interpolated and the plain frequency.

#include "compiler/conversion/Dsv4ToKern/RopeFrequencies.h"

#include <algorithm>
#include <cmath>

namespace dsv4 {

/// Pair index at which a rotation makes `Turns` turns over the original
/// length.
static double getTurnIndex(const RopeParameters &R, double Turns) {
  return R.dims * std::log(R.original / (Turns * 2 * M_PI)) /
         (2 * std::log(double(R.theta)));
}

llvm::SmallVector<float> getRopeFrequencies(const RopeParameters &Rope) {
  llvm::SmallVector<float> Freqs;
  for (int64_t I = 0; I < Rope.dims; I += 2) {
    float Exponent = float(I) / float(Rope.dims);
    Freqs.push_back(1.0f / float(std::pow(double(Rope.theta), Exponent)));
  }
  if (!Rope.factor)
    return Freqs;
  double Low = std::max(std::floor(getTurnIndex(Rope, Rope.betaFast)), 0.0);
  double High = std::min(std::ceil(getTurnIndex(Rope, Rope.betaSlow)),
                         double(Rope.dims - 1));
  if (Low == High)
    High += 0.001;
  for (size_t I = 0; I < Freqs.size(); ++I) {
    float Ramp = (float(I) - float(Low)) / float(High - Low);
    float Smooth = 1.0f - std::clamp(Ramp, 0.0f, 1.0f);
    float Slow = Freqs[I] / float(Rope.factor) * (1.0f - Smooth);
    Freqs[I] = Slow + Freqs[I] * Smooth;
  }
  return Freqs;
}

} // namespace dsv4
