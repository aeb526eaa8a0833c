// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Candidates come off a heap one by one, so that a filter costs time only for
// the tokens that it keeps.

#include "runtime/text/sampler.h"

#include "runtime/numerics/math.h"
#include "runtime/text/random.h"

namespace dsv4::text {

namespace {

constexpr float minusInfinity = -__builtin_huge_valf();

float cleaned(float logit) { return logit == logit ? logit : minusInfinity; }

/// Max-heap of candidates over the caller's logits.
class Candidates {
public:
  Candidates(std::span<const float> logits, uint32_t *ids)
      : logits(logits), ids(ids), size(logits.size()) {
    for (size_t i = 0; i < size; ++i)
      ids[i] = static_cast<uint32_t>(i);
    for (size_t i = size / 2; i-- > 0;)
      siftDown(i);
  }
  /// Moves the best remaining candidate behind the heap and returns it; the
  /// array then holds all popped ones, last popped first.
  uint32_t pop() {
    uint32_t best = ids[0];
    ids[0] = ids[--size];
    ids[size] = best;
    siftDown(0);
    return best;
  }
  bool empty() const { return size == 0; }

private:
  bool before(uint32_t a, uint32_t b) const {
    float x = cleaned(logits[a]), y = cleaned(logits[b]);
    return x > y || (x == y && a < b);
  }
  void siftDown(size_t at) {
    if (at >= size)
      return;
    uint32_t id = ids[at];
    for (size_t child; (child = 2 * at + 1) < size; at = child) {
      if (child + 1 < size && before(ids[child + 1], ids[child]))
        ++child;
      if (!before(ids[child], id))
        break;
      ids[at] = ids[child];
    }
    ids[at] = id;
  }

  std::span<const float> logits;
  uint32_t *ids;
  size_t size;
};

/// First of `count` entries whose running sum exceeds `threshold`. Rounding can
/// leave none; then the last entry with any weight.
template <typename Id, typename Weight>
int32_t pick(size_t count, double threshold, Id id, Weight weight) {
  double sum = 0;
  int32_t chosen = -1;
  for (size_t i = 0; i < count; ++i) {
    double w = weight(i);
    if (w <= 0)
      continue;
    sum += w;
    chosen = static_cast<int32_t>(id(i));
    if (sum > threshold)
      break;
  }
  return chosen;
}

int32_t drawFiltered(std::span<const float> logits, const float *weights,
                     uint32_t *ids, const SamplerParams &params, double u) {
  size_t vocab = logits.size();
  Candidates heap(logits, ids);
  size_t limit = params.topK > 0 && static_cast<size_t>(params.topK) < vocab
                     ? static_cast<size_t>(params.topK)
                     : vocab;
  // Candidate i lies at ids[vocab - 1 - i] once popped.
  size_t popped = 0;
  double mass = 0; // of what top-k keeps
  if (limit < vocab) {
    for (; popped < limit; ++popped)
      mass += weights[heap.pop()];
  } else {
    for (size_t i = 0; i < vocab; ++i)
      mass += weights[i];
  }
  size_t kept = 0;
  double sum = 0;
  for (; kept < limit; ++kept) {
    if (kept > 0 && sum >= static_cast<double>(params.topP) * mass)
      break;
    if (kept == popped) {
      heap.pop();
      ++popped;
    }
    double w = weights[ids[vocab - 1 - kept]];
    if (kept > 0 && (w < params.minP || w <= 0))
      break;
    sum += w;
  }
  auto id = [&](size_t i) { return ids[vocab - 1 - i]; };
  return pick(kept, u * sum, id, [&](size_t i) { return weights[id(i)]; });
}

} // namespace

TextError checkParams(const SamplerParams &p) {
  bool good = p.temperature >= 0 && p.temperature <= 3e38f && p.topK >= 0 &&
              p.topP > 0 && p.topP <= 1 && p.minP >= 0 && p.minP <= 1;
  return good ? TextError::None : TextError::BadParameter;
}

SampleResult sampleGreedy(std::span<const float> logits) {
  size_t best = 0;
  float bestLogit = minusInfinity;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > bestLogit) { // false for NaN
      best = i;
      bestLogit = logits[i];
    }
  }
  if (bestLogit == minusInfinity)
    return {TextError::BadLogits, -1};
  return {TextError::None, static_cast<int32_t>(best)};
}

SampleResult sample(std::span<const float> logits, const SamplerParams &params,
                    uint64_t index, std::span<std::byte> scratch) {
  if (checkParams(params) != TextError::None)
    return {TextError::BadParameter, -1};
  SampleResult greedy = sampleGreedy(logits);
  if (greedy.error != TextError::None || params.temperature == 0 ||
      params.topK == 1)
    return greedy;
  size_t vocab = logits.size();
  if (scratch.size() < samplerScratchBytes(vocab))
    return {TextError::ScratchTooSmall, -1};
  auto *weights = reinterpret_cast<float *>(scratch.data());
  auto *ids = reinterpret_cast<uint32_t *>(weights + vocab);
  float top = logits[static_cast<size_t>(greedy.token)];
  if (top == -minusInfinity) // plus infinity excludes everything finite
    return greedy;
  double total = 0;
  for (size_t i = 0; i < vocab; ++i) {
    float logit = cleaned(logits[i]);
    // The largest gets weight 1 even where the division is not a number.
    weights[i] =
        logit == top ? 1.0f : num::exp((logit - top) / params.temperature);
    total += weights[i];
  }
  double u = uniform(params.seed, index);
  bool filtered = params.topK > 0 || params.topP < 1 || params.minP > 0;
  int32_t token = filtered ? drawFiltered(logits, weights, ids, params, u)
                           : pick(
                                 vocab, u * total, [](size_t i) { return i; },
                                 [&](size_t i) { return weights[i]; });
  return {TextError::None, token};
}

} // namespace dsv4::text
