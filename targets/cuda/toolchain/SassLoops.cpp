// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops from the control flow graph. A branch backwards alone is no loop: ptxas
// moves slow paths (a barrier that is not there yet) behind the function, and
// they branch back into its middle. So a loop needs a header that dominates the
// branch to it.

#include "targets/cuda/toolchain/Sass.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <set>

using namespace llvm;

namespace dsv4::cuda {
namespace {

struct Block {
  size_t begin = 0, end = 0; // instructions
  SmallVector<int, 2> next, previous;
  int order = -1;     // in reverse post-order; -1: cannot be reached
  int dominator = -1; // immediate
};

// The work on a branch backwards is linear in the blocks, and a body is listed
// once per loop around it: all is bounded for hostile files. Kernels have some
// hundred blocks.
constexpr size_t maxBlocks = 1 << 14, maxBackward = 1 << 12,
                 maxListed = 1 << 23;

class Graph {
public:
  Graph(ArrayRef<SassInstruction> code, unsigned arch)
      : code(code), arch(arch) {}
  Expected<SassLoops> loops();

private:
  std::optional<size_t> targetOf(size_t index) const;
  void split();
  void link();
  void order();
  void dominate();
  bool dominates(int above, int below) const;
  std::set<int> bodyOf(int header, ArrayRef<int> latches) const;

  ArrayRef<SassInstruction> code;
  unsigned arch;
  std::vector<Block> blocks;
  std::vector<int> blockAt;  // of an instruction that begins one
  std::vector<int> sequence; // reverse post-order
  bool hasIndirect = false;
};

bool isIndirect(StringRef name) {
  return name == "BRX" || name == "BRXU" || name == "JMX" || name == "JMXU" ||
         name == "JMP";
}

std::optional<size_t> Graph::targetOf(size_t index) const {
  if (!code[index].isBranch())
    return std::nullopt;
  int64_t offset = code[index].branchOffset(arch);
  if (offset % 16 != 0)
    return std::nullopt;
  int64_t target = int64_t(index) + 1 + offset / 16;
  if (target < 0 || uint64_t(target) >= code.size())
    return std::nullopt;
  return size_t(target);
}

void Graph::split() {
  std::vector<bool> begins(code.size() + 1, false);
  begins[0] = true;
  for (size_t i = 0; i < code.size(); ++i) {
    if (auto target = targetOf(i))
      begins[*target] = true;
    if (code[i].kind(arch) == SassClass::Control)
      begins[i + 1] = true;
  }
  blockAt.assign(code.size() + 1, -1);
  for (size_t i = 0; i < code.size(); ++i) {
    if (begins[i]) {
      blockAt[i] = int(blocks.size());
      blocks.emplace_back().begin = i;
    }
    blocks.back().end = i + 1;
  }
}

void Graph::link() {
  for (int from = 0; from < int(blocks.size()); ++from) {
    size_t last = blocks[from].end - 1;
    const SassInstruction &end = code[last];
    auto connect = [&](int to) {
      if (to < 0 || is_contained(blocks[from].next, to))
        return;
      blocks[from].next.push_back(to);
      blocks[to].previous.push_back(from);
    };
    bool indirect = isIndirect(end.name(arch));
    hasIndirect |= indirect;
    if (auto target = targetOf(last))
      connect(blockAt[*target]);
    bool leaves = end.isBranch() || end.base() == sassExit ||
                  end.base() == sassReturn || indirect;
    if (!leaves || !end.isUnconditional())
      connect(blockAt[blocks[from].end]);
  }
}

/// Depth first, without recursion: the depth is the file's choice.
void Graph::order() {
  std::vector<std::pair<int, size_t>> stack = {{0, 0}};
  std::vector<bool> seen(blocks.size(), false);
  seen[0] = true;
  while (!stack.empty()) {
    auto &[block, at] = stack.back();
    if (at == blocks[block].next.size()) {
      sequence.push_back(block);
      stack.pop_back();
      continue;
    }
    int to = blocks[block].next[at++];
    if (!seen[to]) {
      seen[to] = true;
      stack.push_back({to, 0});
    }
  }
  std::reverse(sequence.begin(), sequence.end());
  for (int i = 0; i < int(sequence.size()); ++i)
    blocks[sequence[i]].order = i;
}

/// Immediate dominators by iteration to a fixed point over reverse post-order:
/// two or three rounds for code of structured sources.
void Graph::dominate() {
  auto meet = [&](int a, int b) {
    while (a != b)
      if (blocks[a].order > blocks[b].order)
        a = blocks[a].dominator;
      else
        b = blocks[b].dominator;
    return a;
  };
  blocks[0].dominator = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (int block : ArrayRef(sequence).drop_front()) {
      int best = -1;
      for (int from : blocks[block].previous)
        if (blocks[from].dominator >= 0)
          best = best < 0 ? from : meet(best, from);
      changed |= best != blocks[block].dominator;
      blocks[block].dominator = best;
    }
  }
}

bool Graph::dominates(int above, int below) const {
  while (blocks[below].order > blocks[above].order)
    below = blocks[below].dominator;
  return above == below;
}

std::set<int> Graph::bodyOf(int header, ArrayRef<int> latches) const {
  std::set<int> body = {header};
  std::vector<int> work(latches.begin(), latches.end());
  while (!work.empty()) {
    int block = work.back();
    work.pop_back();
    if (!body.insert(block).second)
      continue;
    for (int from : blocks[block].previous)
      if (blocks[from].order >= 0)
        work.push_back(from);
  }
  return body;
}

/// Nothing but waiting: a poll of a barrier or of one flag, tests, a branch.
bool onlyWaits(ArrayRef<SassInstruction> code, const SassLoop &loop,
               unsigned arch) {
  SassMix mix = mixOf(code, loop, arch);
  uint64_t loads =
      mix.of(SassClass::GlobalLoad) + mix.of(SassClass::SharedLoad);
  uint64_t works = mix.of(SassClass::Tensor) + mix.of(SassClass::Float) +
                   mix.of(SassClass::Convert) + mix.of(SassClass::Special) +
                   mix.of(SassClass::Copy) + mix.of(SassClass::GlobalStore) +
                   mix.of(SassClass::SharedStore);
  if (mix.total > 24 || works || loads > 1 || mix.of(SassClass::Integer) > 6)
    return false;
  if (mix.of("SYNCS") || mix.of("NANOSLEEP"))
    return true;
  // A poll of a flag in memory reads one address: nothing but tests follows.
  uint64_t tests = mix.of("ISETP") + mix.of("PLOP3") + mix.of("LOP3");
  return loads == 1 && mix.of(SassClass::Integer) == tests &&
         mix.of(SassClass::Uniform) == 0;
}

/// Nesting: by size of the body, the smallest loop around a header.
void nest(std::vector<SassLoop> &loops) {
  for (size_t i = 0; i < loops.size(); ++i) {
    size_t best = 0;
    for (size_t j = 0; j < loops.size(); ++j) {
      const std::vector<size_t> &around = loops[j].body;
      if (i == j || around.size() <= loops[i].body.size() ||
          !std::binary_search(around.begin(), around.end(), loops[i].header))
        continue;
      if (loops[i].parent < 0 || around.size() < best) {
        loops[i].parent = int(j);
        best = around.size();
      }
    }
  }
  for (SassLoop &loop : loops) {
    for (int up = loop.parent; up >= 0; up = loops[up].parent) {
      ++loop.depth;
      if (!loop.isWait)
        loops[up].isInnermost = false;
    }
  }
}

Error tooMany(StringRef what, size_t most) {
  return createStringError("a function of too many " + what +
                           ", expected at most " + Twine(most));
}

Expected<SassLoops> Graph::loops() {
  SassLoops found;
  if (code.empty())
    return found;
  split();
  if (blocks.size() > maxBlocks)
    return tooMany("blocks", maxBlocks);
  link();
  order();
  dominate();
  found.hasIndirect = hasIndirect;
  std::map<int, std::vector<int>> latches; // of a header
  size_t backward = 0, listed = 0;
  for (int from : sequence)
    for (int to : blocks[from].next) {
      if (blocks[to].order > blocks[from].order)
        continue;
      if (++backward > maxBackward)
        return tooMany("branches backwards", maxBackward);
      if (dominates(to, from))
        latches[to].push_back(from);
    }
  for (const auto &[header, from] : latches) {
    SassLoop loop;
    loop.header = blocks[header].begin;
    for (int block : bodyOf(header, from))
      for (size_t i = blocks[block].begin; i < blocks[block].end; ++i)
        loop.body.push_back(i);
    if ((listed += loop.body.size()) > maxListed)
      return tooMany("instructions in nested loops", maxListed);
    loop.isWait = onlyWaits(code, loop, arch);
    found.loops.push_back(std::move(loop));
  }
  nest(found.loops);
  return found;
}

} // namespace

Expected<SassLoops> findLoops(ArrayRef<SassInstruction> code, unsigned arch) {
  return Graph(code, arch).loops();
}

} // namespace dsv4::cuda
