// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Placement.h.

#include "targets/cuda/lower/Placement.h"

#include "targets/cuda/lower/AssignPacking.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <tuple>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace dsv4::cuda {

Expected<ExpertUsage> parseUsage(StringRef text, StringRef file) {
  ExpertUsage usage;
  for (int64_t line = 1; !text.empty(); ++line) {
    auto [here, rest] = text.split('\n');
    text = rest;
    here = here.trim();
    if (here.empty() || here.starts_with("#"))
      continue;
    auto [name, number] = here.split(' ');
    uint64_t count = 0;
    if (number.trim().getAsInteger(10, count))
      return llvm::createStringError(
          file + ":" + Twine(line) +
          ": expected an expert and a number of tokens, as in "
          "'layers.3.ffn.experts.17 1234', found '" +
          here + "'");
    if (!usage.try_emplace(name, count).second)
      return llvm::createStringError(file + ":" + Twine(line) +
                                     ": expected every expert once, found " +
                                     name + " again");
  }
  return usage;
}

static int64_t aligned(int64_t bytes) {
  return kern::roundUp(bytes, WeightAlignment);
}

Placement::Placement(kern::ProgramOp program)
    : packedBytes(int64_t(program.getWeightBytes().value_or(0))) {
  for (auto op : program.getBody().getOps<kern::WeightOp>()) {
    auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
    Weight weight{op, matricesOf(type)};
    weight.stride = int64_t(op.getBytes().value_or(0)) / weight.matrices;
    weight.offset = weight.source = int64_t(op.getOffset().value_or(0));
    weights.push_back(std::move(weight));
  }
  llvm::stable_sort(weights, [](const Weight &a, const Weight &b) {
    return a.offset < b.offset;
  });
  for (size_t i = 0; i < weights.size(); ++i)
    indices[weights[i].op] = i;
  onDevice = packedBytes;
}

static StringRef nameOf(kern::WeightOp weight) { return weight.getTensor(); }

/// A row per token is read of these.
static bool isTable(kern::WeightOp weight) {
  return llvm::all_of(weight.getHandle().getUsers(), [](mlir::Operation *user) {
    return llvm::isa<kern::EmbedOp>(user);
  });
}

int64_t Placement::resident() const {
  int64_t bytes = 0;
  for (const Weight &w : weights)
    if (!w.isCold)
      bytes += aligned((w.matrices - int64_t(w.cold.count())) * w.stride);
  return bytes;
}

void Placement::moveTables(int64_t bytes) {
  for (Weight &w : weights)
    if (resident() > bytes && isTable(w.op))
      w.isCold = true;
}

/// An expert of a layer: a matrix of every stack whose names begin alike.
struct Placement::Expert {
  std::vector<size_t> stacks; // into weights
  int64_t layer = 0, number = 0, bytes = 0;
  uint64_t tokens = 0;

  /// Coldest first; without usage the last of every layer.
  auto order() const { return std::tuple(tokens, -number, layer); }
};

/// Everything that may be moved, in the order in which it is.
Expected<std::vector<Placement::Expert>>
Placement::experts(const ExpertUsage &usage) const {
  llvm::MapVector<StringRef, std::vector<size_t>> layers;
  for (size_t i = 0; i < weights.size(); ++i)
    if (nameOf(weights[i].op).contains("{e}"))
      layers[nameOf(weights[i].op).split("{e}").first].push_back(i);
  std::vector<Expert> all;
  llvm::StringSet<> names;
  for (const auto &[numbered, layer] : llvm::enumerate(layers)) {
    const auto &[prefix, stacks] = layer;
    for (int64_t e = 0; e < weights[stacks[0]].matrices; ++e) {
      Expert expert{stacks, int64_t(numbered), e};
      for (size_t stack : stacks) {
        if (weights[stack].matrices != weights[stacks[0]].matrices)
          return llvm::createStringError(
              "weight " + nameOf(weights[stack].op) + ": expected " +
              Twine(weights[stacks[0]].matrices) + " experts, as in " +
              nameOf(weights[stacks[0]].op) + ", found " +
              Twine(weights[stack].matrices));
        expert.bytes += weights[stack].stride;
      }
      std::string name = (prefix + Twine(e)).str();
      expert.tokens = usage.lookup(name);
      names.insert(name);
      all.push_back(std::move(expert));
    }
  }
  for (const auto &entry : usage)
    if (!names.contains(entry.getKey()))
      return llvm::createStringError("usage of " + entry.getKey() +
                                     ": the program has no such expert");
  llvm::stable_sort(all, [](const Expert &a, const Expert &b) {
    return a.order() < b.order();
  });
  return all;
}

static int64_t coldMatrices(const Placement::Weight &w) {
  return w.isCold ? w.matrices : int64_t(w.cold.count());
}

static int64_t coldBytes(const Placement::Weight &w) {
  return aligned(coldMatrices(w) * w.stride);
}

/// Stacks of one layer stay together, since its kernels take one rule for them.
void Placement::leaveInFile(int64_t pinned) {
  constexpr int tables = 0, stacks = 1;
  int64_t left = 0;
  for (const Weight &w : weights)
    left += coldBytes(w);
  auto map = [&](Weight &w, int kind) {
    w.mappedPart = kind;
    left -= coldBytes(w);
  };
  for (Weight &w : weights)
    if (w.isCold && left > pinned)
      map(w, tables);
  StringRef layer;
  for (Weight &w : llvm::reverse(weights)) {
    StringRef name = nameOf(w.op).split("{e}").first;
    if (w.cold.none() || (name != layer && left <= pinned))
      continue;
    layer = name;
    map(w, stacks);
  }
  setMapped();
}

/// One range for tables and one from the first stack to the last: what else is
/// in between is mapped and not read.
void Placement::setMapped() {
  static const char *const names[] = {"mapped tables", "mapped experts"};
  for (int kind : {0, 1}) {
    int64_t begin = packedBytes, end = 0;
    for (Weight &w : weights) {
      if (w.mappedPart != kind)
        continue;
      w.mappedPart = int(mappedParts.size());
      begin = std::min(begin, w.source);
      end = std::max(end, w.source + w.matrices * w.stride);
    }
    if (begin < end)
      mappedParts.push_back({names[kind], begin, end - begin});
  }
}

/// What stays on either side moves together, in the order of the packed bytes.
void Placement::setOffsets() {
  onDevice = onHost = 0;
  for (Weight &w : weights) {
    int64_t cold = coldMatrices(w);
    w.offset = onDevice;
    onDevice += aligned((w.matrices - cold) * w.stride);
    if (w.isMapped()) {
      w.coldOffset = w.source - mappedParts[size_t(w.mappedPart)].source;
      continue;
    }
    w.coldOffset = onHost;
    onHost += coldBytes(w);
  }
}

Error Placement::fit(const Room &room, const ExpertUsage &usage) {
  auto order = experts(usage);
  if (!order)
    return order.takeError();
  int64_t bytes = room.device;
  if (packedBytes <= bytes)
    return Error::success();
  moveTables(bytes);
  int64_t left = resident();
  for (const Expert &expert : *order) {
    if (left <= bytes)
      break;
    left -= expert.bytes;
    for (size_t stack : expert.stacks) {
      weights[stack].cold.resize(unsigned(weights[stack].matrices));
      weights[stack].cold.set(unsigned(expert.number));
    }
  }
  if (left > bytes)
    return llvm::createStringError(
        "expected room for %lld MiB of weights that stay on the GPU, found "
        "%lld MiB",
        (long long)((left + (1 << 20) - 1) >> 20),
        (long long)std::max<int64_t>(0, bytes >> 20));
  leaveInFile(room.pinned);
  setOffsets();
  return Error::success();
}

namespace {

/// Joins what follows one another on both sides.
class Segments {
public:
  void add(int64_t source, int64_t bytes, int32_t part, int64_t offset) {
    if (bytes == 0)
      return;
    if (!all.empty()) {
      dsv4_cuda_segment &last = all.back();
      if (last.part == part && last.source + last.bytes == source &&
          last.offset + last.bytes == offset) {
        last.bytes += bytes;
        return;
      }
    }
    all.push_back({source, bytes, part, 0, offset});
  }
  std::vector<dsv4_cuda_segment> all;
};

} // namespace

std::vector<dsv4_cuda_segment> Placement::segments(const Parts &parts) const {
  Segments out;
  if (isWhole()) {
    out.add(0, packedBytes, parts.device, 0);
    return out.all;
  }
  for (const Weight &w : weights) {
    int64_t bytes = w.matrices * w.stride;
    if (w.isCold) {
      if (!w.isMapped())
        out.add(w.source, aligned(bytes), parts.pinned, w.coldOffset);
      continue;
    }
    if (w.cold.none()) { // with the zeros behind it
      out.add(w.source, aligned(bytes), parts.device, w.offset);
      continue;
    }
    int64_t to[] = {w.offset, w.coldOffset};
    for (int64_t e = 0; e < w.matrices; ++e) {
      bool isCold = w.cold.test(unsigned(e));
      if (!isCold || !w.isMapped())
        out.add(w.source + e * w.stride, w.stride,
                isCold ? parts.pinned : parts.device, to[isCold]);
      to[isCold] += w.stride;
    }
  }
  for (auto [i, range] : llvm::enumerate(mappedParts))
    out.add(range.source, range.bytes, parts.firstMapped + int32_t(i), 0);
  return out.all;
}

} // namespace dsv4::cuda
