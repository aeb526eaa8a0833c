// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackParts.h.

#include "compiler/pack/PackParts.h"

#include "llvm/ADT/Twine.h"

#include <thread>
#include <vector>

using llvm::Error;
using llvm::StringRef;
using llvm::Twine;

namespace dsv4 {

std::string withExpert(StringRef name, int64_t expert) {
  auto [before, after] = name.split("{e}");
  if (after.empty() && !name.ends_with("{e}"))
    return name.str();
  return (before + Twine(expert) + after).str();
}

Error wrongSize(StringRef name, uint64_t expected, uint64_t found) {
  return llvm::createStringError("tensor " + name + ": expected " +
                                 Twine(expected) + " bytes, found " +
                                 Twine(found));
}

Error inParts(unsigned threads, int64_t count,
              llvm::function_ref<Error(int64_t, int64_t)> work) {
  std::vector<std::string> problems(threads);
  auto part = [&](unsigned t) {
    if (Error error = work(count * t / threads, count * (t + 1) / threads))
      problems[t] = llvm::toString(std::move(error));
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t)
    others.emplace_back(part, t);
  part(0);
  for (std::thread &other : others)
    other.join();
  for (const std::string &problem : problems)
    if (!problem.empty())
      return llvm::createStringError(problem);
  return Error::success();
}

} // namespace dsv4
