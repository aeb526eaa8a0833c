// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel's lines follow "Compiling entry function 'NAME' for 'ARCH'"; lines
// about a function follow "Function properties for NAME".

#include "targets/cuda/toolchain/PtxasLog.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;

namespace dsv4::cuda {
namespace {

/// The text between the first pair of quotes behind `key`.
std::optional<StringRef> quoted(StringRef line, StringRef key) {
  size_t at = line.find(key);
  if (at == StringRef::npos)
    return std::nullopt;
  StringRef rest = line.substr(at + key.size());
  if (!rest.consume_front("'"))
    return std::nullopt;
  return rest.take_until([](char c) { return c == '\''; });
}

/// "... 256 bytes stack frame": the number in front of `unit`. What stands
/// before it differs: ptxas begins such a line with spaces, NVRTC with a name.
void take(StringRef part, StringRef unit, uint32_t &value) {
  part = part.trim();
  if (!part.consume_back(unit))
    return;
  part = part.rtrim();
  size_t begin = part.find_last_not_of("0123456789");
  uint32_t number;
  if (!part.substr(begin + 1).getAsInteger(10, number))
    value = number;
}

PtxasResources &entry(std::vector<PtxasResources> &all, StringRef name) {
  for (PtxasResources &one : all)
    if (one.name == name)
      return one;
  all.emplace_back().name = name.str();
  return all.back();
}

} // namespace

std::vector<PtxasResources> parsePtxasLog(StringRef log) {
  std::vector<PtxasResources> all;
  std::string kernel, function; // whose lines these are
  SmallVector<StringRef> lines, parts;
  log.split(lines, '\n');
  for (StringRef line : lines) {
    if (auto name = quoted(line, "Compiling entry function ")) {
      kernel = function = name->str();
      PtxasResources &one = entry(all, kernel);
      one.isKernel = true;
      one.arch = quoted(line, "' for ").value_or("").str();
      continue;
    }
    StringRef key = "Function properties for ";
    if (size_t at = line.find(key); at != StringRef::npos) {
      // nvJitLink adds lines of its own, with "'NAME':".
      function = line.substr(at + key.size()).trim(" \t\r':").str();
      continue;
    }
    bool isUse = line.contains(": Used ");
    StringRef owner = isUse ? kernel : function;
    if (owner.empty())
      continue;
    parts.clear();
    line.split(parts, ',');
    PtxasResources &one = entry(all, owner);
    for (StringRef part : parts) {
      take(part, "bytes stack frame", one.stackBytes);
      take(part, "bytes spill stores", one.spillStoreBytes);
      take(part, "bytes spill loads", one.spillLoadBytes);
      take(part, "registers", one.registers);
      take(part, "barriers", one.barriers);
      take(part, "bytes smem", one.sharedBytes);
    }
  }
  return all;
}

std::vector<std::string> performanceLosses(StringRef log) {
  std::vector<std::string> found;
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines)
    if (size_t at = line.find("Potential Performance Loss: ");
        at != StringRef::npos)
      found.push_back(line.substr(line.find(": ", at) + 2).trim().str());
  return found;
}

std::string withoutTimes(StringRef log) {
  std::string kept;
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines)
    if (!line.contains("Compile time = "))
      kept += (kept.empty() ? "" : "\n") + line.str();
  return kept;
}

} // namespace dsv4::cuda
