// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Logits -> token. The result depends on the logits, the parameters, the seed
// and the number of the token alone, and is the same on every machine: integer
// random numbers, the project's own exp, sums in a fixed order.
//
// Definition. Candidates are ordered by logit, higher first, lower id first
// among equals. Temperature 0 takes the first. Otherwise each token has weight
// exp((logit - largest) / temperature), and the filters apply in this order:
// top-k keeps the first k; top-p then keeps the shortest beginning whose share
// of the kept weight is at least p; min-p keeps weights of at least min-p times
// the largest. One token is drawn by weight. Sums run in the order of
// candidates, but in that of ids over all tokens: without a filter, and for the
// whole that top-p takes its share of where top-k cuts nothing.

#ifndef DSV4_RUNTIME_TEXT_SAMPLER_H
#define DSV4_RUNTIME_TEXT_SAMPLER_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/text/status.h"

namespace dsv4::text {

struct SamplerParams {
  float temperature = 1.0f; // >= 0; 0: greedy
  int32_t topK = 0;         // 0: off
  float topP = 1.0f;        // (0, 1]; 1: off
  float minP = 0.0f;        // [0, 1]; 0: off
  uint64_t seed = 0;
};

/// None, or BadParameter for a value (also NaN) out of its range.
TextError checkParams(const SamplerParams &params);

/// Scratch of sample() for a vocabulary of this size; 4-byte aligned.
constexpr size_t samplerScratchBytes(size_t vocab) { return 8 * vocab; }

struct SampleResult {
  TextError error = TextError::None;
  int32_t token = -1;
};

/// First candidate, NaN counting as minus infinity. Error: BadLogits.
SampleResult sampleGreedy(std::span<const float> logits);

/// Draws the token number `index` of a sequence (its position, so that a
/// restored sequence goes on alike). Errors: BadParameter, ScratchTooSmall,
/// BadLogits.
SampleResult sample(std::span<const float> logits, const SamplerParams &params,
                    uint64_t index, std::span<std::byte> scratch);

} // namespace dsv4::text

#endif // DSV4_RUNTIME_TEXT_SAMPLER_H
