// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every address in the parameters of a launch is put in, unless the kernel does
// not have that operand, and lies inside its part at any context.

#include "test/unit/cuda-lower-phases/LoweredModels.h"

#include "targets/cuda/device/phases/attend.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/experts.cuh"
#include "targets/cuda/device/phases/hyper.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/norms.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

#include <set>

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

/// An address in a parameter struct. `without`: the line of a config whose
/// kernel has no such operand.
struct Member {
  const char *params;
  size_t at;
  const char *name;
  const char *without;
};

#define ALWAYS(PARAMS, NAME) {#PARAMS, offsetof(PARAMS, NAME), #NAME, nullptr}
#define UNLESS(PARAMS, NAME, LINE)                                             \
  {#PARAMS, offsetof(PARAMS, NAME), #NAME, LINE}

const Member members[] = {
    ALWAYS(EmbedParams, step),
    ALWAYS(EmbedParams, table),
    ALWAYS(EmbedParams, streams),
    ALWAYS(NormQuantParams, step),
    ALWAYS(NormQuantParams, raw),
    ALWAYS(NormQuantParams, weight),
    UNLESS(NormQuantParams, y, "Normed = false"),
    UNLESS(NormQuantParams, yq, "Quantised = false"),
    ALWAYS(QuantizeParams, step),
    ALWAYS(QuantizeParams, x),
    ALWAYS(QuantizeParams, xq),
    ALWAYS(HcMixParams, step),
    ALWAYS(HcMixParams, streamsIn),
    UNLESS(HcMixParams, out, "Closes = false"),
    UNLESS(HcMixParams, post, "Closes = false"),
    UNLESS(HcMixParams, comb, "Closes = false"),
    ALWAYS(HcMixParams, fn),
    UNLESS(HcMixParams, streamsOut, "Closes = false"),
    ALWAYS(HcMixParams, partials),
    ALWAYS(HcPreParams, step),
    ALWAYS(HcPreParams, partials),
    ALWAYS(HcPreParams, streamsIn),
    ALWAYS(HcPreParams, scale),
    ALWAYS(HcPreParams, base),
    ALWAYS(HcPreParams, norm),
    ALWAYS(HcPreParams, x),
    UNLESS(HcPreParams, xq, "Quantised = false"),
    ALWAYS(HcPreParams, post),
    ALWAYS(HcPreParams, comb),
    ALWAYS(HcHeadParams, step),
    ALWAYS(HcHeadParams, partials),
    ALWAYS(HcHeadParams, streamsIn),
    ALWAYS(HcHeadParams, scale),
    ALWAYS(HcHeadParams, base),
    ALWAYS(HcHeadParams, norm),
    ALWAYS(HcHeadParams, x),
    ALWAYS(RouteParams, step),
    ALWAYS(RouteParams, logits),
    UNLESS(RouteParams, bias, "ByTable = true"),
    UNLESS(RouteParams, table, "ByTable = false"),
    ALWAYS(RouteParams, ids),
    ALWAYS(RouteParams, weights),
    ALWAYS(DispatchParams, step),
    ALWAYS(DispatchParams, ids),
    ALWAYS(DispatchParams, lists),
    ALWAYS(SwigluParams, step),
    ALWAYS(SwigluParams, gate),
    ALWAYS(SwigluParams, up),
    UNLESS(SwigluParams, weights, "Weighted = false"),
    ALWAYS(SwigluParams, h),
    ALWAYS(CombineParams, step),
    ALWAYS(CombineParams, y),
    ALWAYS(CombineParams, shared),
    ALWAYS(CombineParams, out),
    ALWAYS(RopeTableParams, step),
    ALWAYS(RopeTableParams, tab),
    ALWAYS(QueryHeadsParams, step),
    ALWAYS(QueryHeadsParams, raw),
    ALWAYS(QueryHeadsParams, tab),
    ALWAYS(QueryHeadsParams, q),
    ALWAYS(IndexQueryParams, step),
    ALWAYS(IndexQueryParams, raw),
    ALWAYS(IndexQueryParams, tab),
    ALWAYS(IndexQueryParams, q),
    ALWAYS(StoreKvParams, step),
    ALWAYS(StoreKvParams, raw),
    ALWAYS(StoreKvParams, norm),
    ALWAYS(StoreKvParams, tab),
    ALWAYS(StoreKvParams, window),
    ALWAYS(CompressParams, step),
    ALWAYS(CompressParams, u),
    ALWAYS(CompressParams, g),
    ALWAYS(CompressParams, ape),
    ALWAYS(CompressParams, norm),
    ALWAYS(CompressParams, carry),
    ALWAYS(CompressParams, entries),
    ALWAYS(CarryParams, step),
    ALWAYS(CarryParams, u),
    ALWAYS(CarryParams, g),
    ALWAYS(CarryParams, carry),
    ALWAYS(IndexScoreParams, step),
    ALWAYS(IndexScoreParams, q),
    ALWAYS(IndexScoreParams, weights),
    ALWAYS(IndexScoreParams, entries),
    ALWAYS(IndexScoreParams, scores),
    ALWAYS(TopKParams, step),
    ALWAYS(TopKParams, scores),
    ALWAYS(TopKParams, ids),
    ALWAYS(AttendParams, step),
    ALWAYS(AttendParams, q),
    ALWAYS(AttendParams, tab),
    ALWAYS(AttendParams, sink),
    ALWAYS(AttendParams, window),
    UNLESS(AttendParams, entries, "Entries = EntryRows::None"),
    ALWAYS(AttendParams, headsOut),
    ALWAYS(AttendParams, scores),
    ALWAYS(AttendParams, largest),
};

/// Ids are there for selected entries alone: one line, not all but one.
const Member ids = {"AttendParams", offsetof(AttendParams, ids), "ids",
                    "Entries = EntryRows::Selected"};

bool hasText(const KernelSpec &kernel, const std::string &what) {
  return kernel.text.find(what) != std::string::npos;
}

bool takes(const KernelSpec &kernel, const char *params) {
  return hasText(kernel, std::string(", ") + params + ", ");
}

/// Offset and name of every address that the kernel reads.
std::map<int32_t, std::string> addressesOf(const KernelSpec &kernel) {
  std::map<int32_t, std::string> out;
  for (const Member &m : members)
    if (takes(kernel, m.params) && !(m.without && hasText(kernel, m.without)))
      out[int32_t(m.at)] = m.name;
  if (takes(kernel, ids.params) && hasText(kernel, ids.without))
    out[int32_t(ids.at)] = ids.name;
  return out;
}

void expectAllBound(const NodeSpec &node, const KernelSpec &kernel) {
  std::map<int32_t, std::string> wanted = addressesOf(kernel);
  ASSERT_FALSE(wanted.empty()) << kernel.symbol << " has unknown parameters";
  for (const OperandSpec &operand : node.operands) {
    EXPECT_TRUE(wanted.erase(operand.at))
        << node.name << ": " << kernel.symbol << " gets an address at "
        << operand.at << ", where it reads none, or a second time";
  }
  for (const auto &[at, name] : wanted)
    ADD_FAILURE() << node.name << ": " << kernel.symbol << " lacks " << name;
}

/// Bodies move 16 bytes at once, but of the step and of KV rows, which are 584
/// bytes and end the state, 8.
int64_t alignmentOf(const KernelSpec &kernel, const OperandSpec &operand) {
  bool isKvRows =
      takes(kernel, "AttendParams") ||
      (takes(kernel, "CompressParams") && hasText(kernel, "Index = false") &&
       operand.at == int32_t(offsetof(CompressParams, entries)));
  return operand.part == StepPart || (operand.part == StatePart && isKvRows)
             ? 8
             : 16;
}

void expectInsideParts(const CudaProgram &program, const KernelSpec &kernel,
                       const NodeSpec &node) {
  for (const OperandSpec &operand : node.operands) {
    const PartSpec &part = program.parts[size_t(operand.part)];
    for (int64_t blocks : {1, 32})
      EXPECT_LT(operand.offset.at(blocks), part.bytes.at(blocks))
          << node.name << ": past the end of " << part.name << " at " << blocks
          << " blocks of context";
    int64_t unit = alignmentOf(kernel, operand);
    EXPECT_EQ(operand.offset.fixed % unit, 0) << node.name;
    EXPECT_EQ(operand.offset.perBlock % unit, 0) << node.name;
  }
}

/// The builder puts addresses in at zero bytes, and nowhere past the end.
void expectRoom(const NodeSpec &node, const KernelSpec &kernel) {
  ASSERT_EQ(int32_t(node.params.size()), kernel.paramsBytes);
  for (const OperandSpec &operand : node.operands) {
    ASSERT_EQ(operand.at % 8, 0) << node.name;
    ASSERT_LE(operand.at + 8, kernel.paramsBytes) << node.name;
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(node.params[size_t(operand.at + i)], 0) << node.name;
  }
}

class CudaLowerAddresses : public testing::TestWithParam<const char *> {};

TEST_P(CudaLowerAddresses, AllBoundAndInsideTheirParts) {
  CudaProgram program = lowered(GetParam(), "sm_90a");
  std::set<std::string> seen;
  for (const GraphSpec &graph : program.graphs)
    for (const NodeSpec &node : graph.nodes) {
      if (node.kernel < 0)
        continue;
      const KernelSpec &kernel = program.kernels[size_t(node.kernel)];
      expectRoom(node, kernel);
      expectInsideParts(program, kernel, node);
      if (isOfProducts(kernel))
        continue;
      expectAllBound(node, kernel);
      seen.insert(kernel.symbol);
    }
  EXPECT_GE(seen.size(), 20u);
}

INSTANTIATE_TEST_SUITE_P(All, CudaLowerAddresses, testing::ValuesIn(modelNames),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
