// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the packer and the counting of escapes share: names of experts' tensors,
// work in equal parts, errors. Of this folder alone.

#ifndef DSV4_COMPILER_PACK_PACKPARTS_H
#define DSV4_COMPILER_PACK_PACKPARTS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace dsv4 {

/// `{e}` replaced by an expert's number.
std::string withExpert(llvm::StringRef name, int64_t expert);

llvm::Error wrongSize(llvm::StringRef name, uint64_t expected, uint64_t found);

/// work(lo, hi) of equal parts of [0, count), by `threads` threads; the error
/// of the first part that has one.
llvm::Error inParts(unsigned threads, int64_t count,
                    llvm::function_ref<llvm::Error(int64_t, int64_t)> work);

} // namespace dsv4

#endif // DSV4_COMPILER_PACK_PACKPARTS_H
