// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See SyntheticValues.h.

#include "compiler/synth/SyntheticValues.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/xxhash.h"

#include <bit>
#include <cmath>

using llvm::MutableArrayRef;
using llvm::StringRef;

namespace dsv4 {

// Deviation of codes that are uniform: E2M1 over all 16, E4M3 over those with
// bit 3 clear (see fill()).
static constexpr float Fp4Deviation = 2.93f, Fp8Deviation = 69;

/// SplitMix64 (Steele, Lea, Flood 2014): a counter in steps, and its mixer.
static constexpr uint64_t Step = 0x9e3779b97f4a7c15u;

static uint64_t mix(uint64_t Z) {
  Z = (Z ^ (Z >> 30)) * 0xbf58476d1ce4e5b9u;
  Z = (Z ^ (Z >> 27)) * 0x94d049bb133111ebu;
  return Z ^ (Z >> 31);
}

/// The E8M0 byte below which a matrix of that deviation over `K` inputs has a
/// deviation of 1 / sqrt(K).
static uint8_t scaleByte(float Deviation, int64_t K) {
  float Want = 1 / (Deviation * std::sqrt(float(K)));
  return uint8_t(127 + std::lround(std::floor(std::log2(Want))));
}

SyntheticValues::SyntheticValues(const ExpectedTensor &Tensor, uint64_t Seed,
                                 int64_t Experts, ExpertFormat Format)
    : Type(Tensor.Type), Row(Tensor.Shape.back()), Experts(Experts),
      State(mix(llvm::xxh3_64bits(Tensor.Name) ^ mix(Seed))) {
  StringRef Name = Tensor.Name;
  bool IsMatrix = Tensor.Shape.size() > 1;
  // An E8M0 scale stands for 32 k of FP4, one per row, or for 128 x 128 of FP8.
  bool OfFp4 = Format == ExpertFormat::Fp4 && Name.contains(".experts.");
  if (Type == DType::F8_E8M0)
    Scale = OfFp4 ? scaleByte(Fp4Deviation, Row * 32)
                  : scaleByte(Fp8Deviation, Row * 128);
  if (Name.ends_with("norm.weight")) {
    Centre = 1;
    Spread = 0.25f;
  } else if (Name == "embed.weight") {
    Spread = std::sqrt(3.f);
  } else if (Name.ends_with("gate.bias")) {
    Spread = 0.05f; // the gates' scores are near 1: all experts get tokens
  } else {
    Spread = IsMatrix ? std::sqrt(3 / float(Row)) : 0.5f;
  }
}

uint64_t SyntheticValues::next() { return mix(State += Step); }

void SyntheticValues::fillCodes(MutableArrayRef<uint8_t> Out, uint64_t Mask) {
  size_t I = 0;
  for (; I + 8 <= Out.size(); I += 8)
    llvm::support::endian::write64le(&Out[I], next() & Mask);
  for (uint64_t Last = next() & Mask; I < Out.size(); ++I, Last >>= 8)
    Out[I] = uint8_t(Last);
}

void SyntheticValues::fillScales(MutableArrayRef<uint8_t> Out) {
  fillCodes(Out, 0x0101010101010101u);
  for (uint8_t &Byte : Out)
    Byte = uint8_t(Byte + Scale);
}

void SyntheticValues::fillBf16(MutableArrayRef<uint8_t> Out) {
  uint64_t Bits = 0;
  for (size_t I = 0; I < Out.size(); I += 2, Bits >>= 16) {
    if (I % 8 == 0)
      Bits = next();
    float Value = Centre + Spread * float(int16_t(Bits)) / 32768;
    llvm::support::endian::write16le(
        &Out[I], uint16_t(std::bit_cast<uint32_t>(Value) >> 16));
  }
}

void SyntheticValues::fillF32(MutableArrayRef<uint8_t> Out) {
  for (size_t I = 0; I < Out.size(); I += 4) {
    float Value = Centre + Spread * float(int32_t(next() >> 32)) / 2147483648.f;
    llvm::support::endian::write32le(&Out[I], std::bit_cast<uint32_t>(Value));
  }
}

/// Rows of distinct expert ids: equal steps from a random start stay below one
/// turn.
void SyntheticValues::fillIds(MutableArrayRef<uint8_t> Out) {
  int64_t Steps = Row > 1 ? std::max<int64_t>(1, (Experts - 1) / (Row - 1)) : 1;
  for (size_t At = 0; At < Out.size(); At += size_t(Row) * 8) {
    int64_t First = int64_t(next() % uint64_t(Experts));
    int64_t Stride = 1 + int64_t(next() % uint64_t(Steps));
    for (int64_t I = 0; I < Row; ++I)
      llvm::support::endian::write64le(
          &Out[At + size_t(I) * 8], uint64_t((First + I * Stride) % Experts));
  }
}

void SyntheticValues::fill(MutableArrayRef<uint8_t> Out) {
  switch (Type) {
  case DType::I8: // two E2M1 codes: all are numbers
    return fillCodes(Out, ~uint64_t(0));
  case DType::F8_E4M3: // without the lowest bit of the exponent: no NaN
    return fillCodes(Out, 0xf7f7f7f7f7f7f7f7u);
  case DType::F8_E8M0:
    return fillScales(Out);
  case DType::BF16:
    return fillBf16(Out);
  case DType::F32:
    return fillF32(Out);
  default:
    return fillIds(Out);
  }
}

} // namespace dsv4
