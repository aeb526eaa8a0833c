// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tuning profiles: what was measured on one machine, and which tile
// configurations were best there, as a TOML file. A profile changes speed and
// never a result: it cannot name anything that enters the arithmetic. The order
// is: user flag, profile, heuristic. See docs/tuning-profiles.md.

#ifndef DSV4_TARGETS_COMMON_TUNINGPROFILE_H
#define DSV4_TARGETS_COMMON_TUNINGPROFILE_H

#include "targets/common/TargetDesc.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace dsv4 {

/// Packed formats by their number (cpu::TileFormat), as profiles, flags and
/// function names write them.
inline constexpr const char *TileFormatNames[4] = {"fp4", "fp8", "bf16", "f32"};
/// The first of them, whose tiles stream through the dot products.
inline constexpr int NumStreamFormats = 3;

/// Choices of the code generator, per packed format where it says [4]. 0: the
/// heuristic decides.
struct Tuning {
  /// Distance of the prefetch ahead of a streamed tile's loads, in bytes (a
  /// multiple of 64); -1: no prefetch.
  int64_t prefetchBytes[4] = {};
  /// Where the CPU has a BF16 dot instruction.
  DotForm dot = DotForm::Auto;
  /// Input rows of the micro-kernel for many rows: 1 to 8, or 0.
  int64_t microRows = 0;
  /// Tiles that one or two input rows meet together, so many streams of
  /// weights: 1, 2 or 4, or 0.
  int64_t streamTiles = 0;
};

/// Choices of the lowering for a GPU; what is not set, the heuristic decides.
struct GpuTuning {
  std::optional<int64_t> decodeBlocks; // 1 to 8 on a multiprocessor
  std::optional<bool> overlap, tails;
};

struct TuningProfile {
  std::string target;  // the target it was measured on, "cpu:znver5"
  std::string date;    // of the measurement
  std::string machine; // in words
  std::string command; // that produced the figures
  double readGBs1 = 0; // memory read bandwidth of one thread, GB/s
  double readGBs = 0;  // of all threads
  int64_t threads = 0; // that the latter used
  Tuning tuning;       // of a CPU
  GpuTuning gpu;       // of a target "cuda:..."
};

/// Reads a profile. Unknown keys, wrong types and values out of range are
/// errors of the form "file:line: what".
llvm::Expected<TuningProfile> readProfile(llvm::StringRef path);

/// The same from text; `name` stands for the file in errors.
llvm::Expected<TuningProfile> parseProfile(llvm::StringRef text,
                                           llvm::StringRef name);

/// The profile as TOML, in a fixed order; parseProfile reads it back.
std::string printProfile(const TuningProfile &profile);

} // namespace dsv4

#endif // DSV4_TARGETS_COMMON_TUNINGPROFILE_H
