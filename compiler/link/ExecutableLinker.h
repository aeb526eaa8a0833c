// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Links generated objects with the runtime into an executable, with LLD inside
// this process: no compiler, linker or development package on the user's
// machine. The runtime archive and the start code are part of compile-model.

#ifndef DSV4_COMPILER_LINK_EXECUTABLELINKER_H
#define DSV4_COMPILER_LINK_EXECUTABLELINKER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace dsv4 {

struct LinkOptions {
  /// Searched for libc.so.6 and libm.so.6, before the usual folders.
  std::vector<std::string> libraryDirs;
  bool searchUsualDirs = true;
  /// Keeps symbols and debug information (default: stripped).
  bool debug = false;
};

/// The runtime archive that is embedded in this program.
llvm::StringRef embeddedRuntime();

/// Links `objects` (the bytes of x86-64 relocatable files, in order) and
/// `runtime` (the bytes of an archive with _start and, unless an object has
/// it, main) into a position-independent executable that needs libc.so.6 and
/// libm.so.6 alone. Returns the bytes of the file; the same input gives the
/// same bytes. Errors carry LLD's own words (undefined symbols by name), or say
/// where a C library was looked for.
///
/// Not reentrant: LLD has global state, and it resets every llvm::cl option
/// of the process, so a tool must have read its cl::opts before.
llvm::Expected<std::string>
linkExecutable(llvm::ArrayRef<llvm::StringRef> objects, llvm::StringRef runtime,
               const LinkOptions &options = {});

} // namespace dsv4

#endif // DSV4_COMPILER_LINK_EXECUTABLELINKER_H
