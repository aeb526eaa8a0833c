// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which tile configuration a program is compiled with, and who said so: a flag
// before a profile before the heuristic. No choice changes a result.

#ifndef DSV4_TARGETS_COMMON_TILECONFIGS_H
#define DSV4_TARGETS_COMMON_TILECONFIGS_H

#include "targets/common/TuningProfile.h"

#include "llvm/ADT/ArrayRef.h"

#include <vector>

namespace dsv4 {

/// What suits the target where nothing was measured: every choice is made.
Tuning heuristicTuning(const TargetDesc &target);

/// The choices of `first`, and of `second` where `first` has none.
Tuning mergeTuning(const Tuning &first, const Tuning &second);

/// Without the choices that the target cannot follow: a form of the dot product
/// where there is one only.
Tuning legalTuning(const TargetDesc &target, Tuning tuning);

/// Puts "dot=f32", "micro_rows=6" or "fp4.prefetch_bytes=2048" into `tuning`.
/// Errors: an unknown key, a value out of its range.
llvm::Error setTuning(Tuning &tuning, llvm::StringRef keyAndValue);

/// One choice: "fp4.prefetch_bytes", "2048", "profile".
struct ConfigLine {
  std::string key, value, source;
};

/// Every choice in a fixed order; the source is "flag", "profile" or
/// "heuristic".
std::vector<ConfigLine> configLines(const TargetDesc &target, Tuning flags,
                                    Tuning profile);

} // namespace dsv4

#endif // DSV4_TARGETS_COMMON_TILECONFIGS_H
