// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the phases of a compilation from checkpoint to executable, with progress
// and with clean-up on failure or Ctrl-C: either the whole output appears under
// its name, or nothing does.

#ifndef DSV4_COMPILER_DRIVER_DRIVER_H
#define DSV4_COMPILER_DRIVER_DRIVER_H

#include "compiler/driver/Options.h"

#include <string>

namespace dsv4 {

/// Does what `options` ask; prints errors to stderr. Returns the exit code:
/// 0 done, 1 failed, 2 wrong usage (an unknown phase or target).
int compileModel(const CompileOptions &options);

/// Prints the known targets and what this machine is; returns an exit code.
int listTargets();

/// "dsv4c 0.1.0 (LLVM 22.1.8, ABI 1)"
std::string versionText();

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_DRIVER_H
