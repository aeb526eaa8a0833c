// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an executable says about itself: identity line, info JSON, the known
// answers of its checkpoint.

#ifndef DSV4_COMPILER_DRIVER_FACTS_H
#define DSV4_COMPILER_DRIVER_FACTS_H

#include "compiler/import/Checkpoint.h"
#include "dialects/kern/IR/KernOps.h"
#include "targets/common/TileConfigs.h"

#include <string>

namespace dsv4 {

/// "DeepSeek-V4-Flash, config b628e633"
std::string identityLine(const Checkpoint &Source);

/// Release, hashes, dimensions, target, tile configurations and plan, as one
/// JSON object.
std::string infoJson(const Checkpoint &Source, llvm::StringRef Target,
                     kern::ProgramOp Program,
                     llvm::ArrayRef<ConfigLine> Configs);

/// {"samples": [{name, prompt_ids, output_ids, margins}]} from the checkpoint's
/// samples/expected.json; empty where there is none.
llvm::Expected<std::string> knownAnswers(llvm::StringRef Directory);

/// Writes a whole small file through a temporary name.
llvm::Error writeFile(llvm::StringRef Path, llvm::StringRef Bytes);

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_FACTS_H
