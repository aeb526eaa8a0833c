// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many tiles of FP4 escape, before anything is planned: the size of a
// packed matrix depends on it. Reads all scales once, stack after stack.

#include "compiler/pack/PackParts.h"
#include "compiler/pack/WeightPacker.h"

#include "targets/cuda/lower/AssignPacking.h"

#include <algorithm>
#include <vector>

using namespace dsv4::kern;
using llvm::ArrayRef;
using llvm::Error;

namespace dsv4 {

namespace {

/// The scales of one FP4 weight, a matrix after the other.
struct Stack {
  WeightOp op;
  cuda::MatrixLayout layout;
  int64_t matrices;
  std::vector<ArrayRef<uint8_t>> scales = {};

  std::string name(int64_t matrix) {
    return withExpert(*op.getScale(), matrix);
  }
  uint64_t bytes() const { return uint64_t(matrices * layout.scaleBytes()); }
};

} // namespace

static llvm::Expected<std::vector<Stack>> stacksOf(kern::ProgramOp program) {
  std::vector<Stack> stacks;
  for (auto op : program.getBody().getOps<WeightOp>()) {
    auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
    if (type.getFormat() != qfmt::Format::FP4 || !op.getScale())
      continue;
    auto layout = cuda::layoutOf(type);
    if (!layout)
      return llvm::createStringError("weight " + op.getTensor() + ": " +
                                     llvm::toString(layout.takeError()));
    stacks.push_back({op, *layout, cuda::matricesOf(type)});
  }
  return stacks;
}

static Error readScales(Stack &stack, TensorReader read) {
  for (int64_t m = 0; m < stack.matrices; ++m) {
    std::string name = stack.name(m);
    auto scales = read(name);
    if (!scales)
      return scales.takeError();
    if (int64_t(scales->size()) != stack.layout.scaleBytes())
      return wrongSize(name, stack.layout.scaleBytes(), scales->size());
    stack.scales.push_back(*scales);
  }
  return Error::success();
}

/// The most escapes of a matrix: all get the same room.
static llvm::Expected<int64_t> mostEscapes(Stack &stack, unsigned threads) {
  std::vector<int64_t> escapes(stack.matrices);
  Error error =
      inParts(threads, stack.matrices, [&](int64_t lo, int64_t hi) -> Error {
        for (int64_t m = lo; m < hi; ++m) {
          auto plan = cuda::planScales(stack.layout, stack.scales[m]);
          if (!plan)
            return llvm::createStringError("tensor " + stack.name(m) + ": " +
                                           llvm::toString(plan.takeError()));
          escapes[m] = plan->escapes;
        }
        return Error::success();
      });
  if (error)
    return std::move(error);
  return *std::max_element(escapes.begin(), escapes.end());
}

Error countEscapes(kern::ProgramOp program, TensorReader read,
                   PackProgress progress, unsigned threads) {
  auto stacks = stacksOf(program);
  if (!stacks)
    return stacks.takeError();
  uint64_t done = 0, total = 0;
  for (const Stack &stack : *stacks)
    total += stack.bytes();
  for (Stack &stack : *stacks) {
    if (Error error = readScales(stack, read))
      return error;
    auto most = mostEscapes(stack, std::max(1u, threads));
    if (!most)
      return most.takeError();
    stack.op.setEscapes(*most);
    done += stack.bytes();
    if (Error error = progress(done, total))
      return error;
  }
  return Error::success();
}

} // namespace dsv4
