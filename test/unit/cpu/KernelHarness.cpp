// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel harness: compile, load, call.

#include "test/unit/cpu/KernelHarness.h"

namespace dsv4::cpu::test {

std::vector<IsaLevel> levelsHere() {
  std::vector<IsaLevel> Levels;
  for (int L = 0; L <= int(nativeLevel()); ++L)
    Levels.push_back(IsaLevel(L));
  return Levels;
}

TargetDesc targetOf(IsaLevel Level) {
  static constexpr const char *Names[] = {"cpu:x86-64", "cpu:x86-64-v3",
                                          "cpu:x86-64-v4", "cpu:znver4",
                                          "cpu:emeraldrapids"};
  return llvm::cantFail(findTarget(Names[int(Level)]));
}

LoadedKernels::LoadedKernels(const TargetDesc &Target,
                             llvm::function_ref<void(KernelBuilder &)> Emit,
                             const Tuning &Tuning) {
  CodegenDumps Dumps;
  if (const char *Folder = std::getenv("DSV4_TEST_DUMP"))
    Dumps.folder = Folder + ("/" + levelName(Target.level)).str();
  auto Loaded = tune::LoadedKernels::compile(Target, Emit, Tuning, Dumps);
  if (Loaded)
    Kernels.emplace(std::move(*Loaded));
  else
    ADD_FAILURE() << llvm::toString(Loaded.takeError());
}

dsv4_kernel LoadedKernels::find(const char *Name) {
  if (!Kernels)
    return nullptr;
  auto Kernel = Kernels->find(Name);
  if (Kernel)
    return *Kernel;
  ADD_FAILURE() << llvm::toString(Kernel.takeError());
  return nullptr;
}

StepRows::StepRows(int64_t Tokens, int64_t FirstPosition)
    : token(Tokens), position(Tokens), sequence(Tokens), first(Tokens),
      end(Tokens, int32_t(Tokens)), output(Tokens) {
  for (int64_t T = 0; T < Tokens; ++T) {
    position[T] = int32_t(FirstPosition + T);
    output[T] = int32_t(T);
  }
  step = {Tokens,
          Tokens,
          1024,
          0,
          token.data(),
          position.data(),
          sequence.data(),
          first.data(),
          end.data(),
          output.data(),
          FirstPosition + Tokens - 1};
}

Buffer::Buffer(size_t Bytes) : Bytes(Bytes), Storage(new uint8_t[Bytes + 128]) {
  std::fill_n(Storage.get(), Bytes + 128, uint8_t(0xA5));
  auto Address = reinterpret_cast<uintptr_t>(Storage.get());
  Start = Storage.get() + (64 - Address % 64) % 64;
}

float fromBf16(uint16_t Bits) {
  return std::bit_cast<float>(uint32_t(Bits) << 16);
}

uint16_t toBf16(float F) {
  uint32_t Bits = std::bit_cast<uint32_t>(F);
  return uint16_t((Bits + 0x7fff + (Bits >> 16 & 1)) >> 16);
}

void fillBf16(uint16_t *Out, size_t Count, int Spread, std::mt19937 &Random) {
  for (size_t I = 0; I < Count; ++I) {
    uint32_t R = Random();
    int Exponent = int(R >> 8) % (2 * Spread + 1) - Spread;
    uint32_t Bits =
        (R & 0x80u) << 8 | uint32_t(127 + Exponent) << 7 | (R & 127);
    Out[I] = R % 64 == 0 ? 0 : uint16_t(Bits);
  }
}

} // namespace dsv4::cpu::test
