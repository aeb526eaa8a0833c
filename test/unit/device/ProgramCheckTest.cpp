// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables of a CUDA program that do not fit each other: each is refused with the
// table and the row, before anything is done with it.

#include "DeviceTestSupport.h"

#include "runtime/device/program_check.h"

#include <cstdint>
#include <functional>

namespace {

using namespace devicetest;

TEST(ProgramCheck, ASoundOnePasses) {
  TestProgram program;
  dsv4_cuda_program root = program.root();
  Status status = checkProgram(root);
  EXPECT_TRUE(status.isOk()) << status.message;
}

TEST(ProgramCheck, AnotherVersionIsAMismatch) {
  TestProgram program;
  dsv4_cuda_program root = program.root();
  root.abi_version = 77;
  expectError(checkProgram(root), Code::Mismatch, {"77", "compile the model"});
  root = program.root();
  root.magic ^= 1;
  EXPECT_FALSE(checkProgram(root).isOk());
}

struct Case {
  const char *words;
  std::function<void(TestProgram &)> damage;
};

void expectAll(const std::vector<Case> &cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    TestProgram program;
    cases[i].damage(program);
    dsv4_cuda_program root = program.root();
    SCOPED_TRACE(i);
    expectError(checkProgram(root), Code::Corrupt,
                {"the CUDA program is damaged", cases[i].words});
  }
}

TEST(ProgramCheck, DamagedImagesAndKernels) {
  static const char noZero[] = {'x'};
  expectAll({
      {"image 0: expected at least", [](auto &p) { p.images.clear(); }},
      {"image 1: expected a cubin", [](auto &p) { p.images[1].kind = 2; }},
      {"image 0: expected code", [](auto &p) { p.images[0].data.size = 0; }},
      {"image 0: expected code", [](auto &p) { p.images[0].data.data = 0; }},
      {"a zero byte behind",
       [](auto &p) {
         p.images[0].kind = DSV4_CUDA_PTX;
         p.images[0].data = {noZero, 1};
       }},
      {"kernel 1: expected a name", [](auto &p) { p.kernels[1].name = ""; }},
      {"kernel 2: expected sizes", [](auto &p) { p.kernels[2].threads = 0; }},
      {"kernel 0: expected 1 to 4096",
       [](auto &p) { p.kernels[0].params_bytes = 4097; }},
      {"kernel 0: expected 1 to 4096",
       [](auto &p) { p.kernels[0].params_bytes = 0; }},
      {"kernel 0: expected sizes",
       [](auto &p) { p.kernels[0].dynamic_shared_bytes = -1; }},
      {"root 0", [](auto &p) { p.driverBytes = -1; }},
  });
}

TEST(ProgramCheck, DamagedPartsAndSegments) {
  using P = TestProgram;
  expectAll({
      {"part 0: expected 1 to 16", [](auto &p) { p.parts.clear(); }},
      {"part 17: expected 1 to 16",
       [](auto &p) { p.parts.resize(17, p.parts[0]); }},
      {"part 3: expected a known kind", [](auto &p) { p.parts[3].kind = 5; }},
      {"part 3: expected a known tier", [](auto &p) { p.parts[3].tier = 3; }},
      {"part 4: expected mapped weights",
       [](auto &p) { p.parts[4].tier = DSV4_CUDA_MAPPED; }},
      {"part 4: expected a size", [](auto &p) { p.parts[4].bytes.fixed = -1; }},
      {"part 4: expected a size",
       [](auto &p) { p.parts[4].bytes.per_block = INT64_MAX; }},
      {"part 0: expected weights of a fixed",
       [](auto &p) { p.parts[0].bytes.per_block = 1; }},
      {"segment 0: expected a part of weights",
       [](auto &p) { p.segments[0].part = P::State; }},
      {"segment 0: expected a part of weights",
       [](auto &p) { p.segments[0].part = 99; }},
      {"segment 1: expected a source",
       [](auto &p) { p.segments[1].source = 59000; }},
      {"segment 1: expected a source",
       [](auto &p) { p.segments[1].source = INT64_MAX; }},
      {"segment 1: expected a source",
       [](auto &p) { p.segments[1].bytes = 0; }},
      {"segment 2: expected a place",
       [](auto &p) { p.segments[2].offset = 30001; }},
      {"segment 3: expected one for the whole",
       [](auto &p) { p.segments[3].bytes -= 1; }},
      {"part 2: expected a segment", [](auto &p) { p.segments.pop_back(); }},
  });
}

TEST(ProgramCheck, DamagedNodes) {
  using P = TestProgram;
  expectAll({
      {"operand 0: expected a known part",
       [](auto &p) { p.operands[0].part = -1; }},
      {"operand 0: expected an offset",
       [](auto &p) { p.operands[0].offset.fixed = 4097; }},
      {"operand 4: expected an offset",
       [](auto &p) { p.operands[4].offset.per_block = 65; }},
      {"operand 4: expected an offset",
       [](auto &p) { p.operands[4].offset.fixed = -8; }},
      {"node 1: expected a known kernel",
       [](auto &p) { p.nodes[1].kernel = 3; }},
      {"node 1: expected a kernel or", [](auto &p) { p.nodes[1].kernel = -2; }},
      {"node 1: expected parameters", [](auto &p) { p.nodes[1].params = 0; }},
      {"node 1: expected addresses", [](auto &p) { p.operands[0].at = 4; }},
      {"node 1: expected addresses", [](auto &p) { p.operands[0].at = 48; }},
      {"node 1: expected addresses", [](auto &p) { p.operands[0].at = -8; }},
      {"known operands", [](auto &p) { p.nodes[1].num_operands = 100; }},
      {"known operands", [](auto &p) { p.nodes[1].first_operand = INT64_MAX; }},
      {"node 2: expected sizes",
       [](auto &p) { p.nodes[2].grid_x.divisor = 0; }},
      {"node 2: expected sizes", [](auto &p) { p.nodes[2].grid_y.fixed = -1; }},
      {"node 0: expected a copy with two",
       [](auto &p) { p.nodes[0].num_operands = 1; }},
      {"node 0: expected a copy between",
       [](auto &p) { p.operands[18].part = P::Buffers; }},
      {"node 0: expected a copy between",
       [](auto &p) { p.operands[18].part = P::Rows; }},
  });
}

TEST(ProgramCheck, DamagedGraphs) {
  expectAll({
      {"graph 0: expected 1 to 8", [](auto &p) { p.graphs.clear(); }},
      {"graph 9: expected 1 to 8",
       [](auto &p) { p.graphs.resize(9, p.graphs[0]); }},
      {"graph 0: expected a name", [](auto &p) { p.graphs[0].num_nodes = 11; }},
      {"graph 1: expected known edges",
       [](auto &p) { p.graphs[1].first_edge = -1; }},
      {"graph 0: expected 1 token", [](auto &p) { p.graphs[0].tokens = 0; }},
      {"graph 0: expected 1 token", [](auto &p) { p.graphs[0].outputs = 2; }},
      {"graph 0: expected 1 token",
       [](auto &p) { p.graphs[0].tokens = INT64_MAX; }},
      {"edge 1: expected one from a node",
       [](auto &p) { p.edges[1].from = 2; }},
      {"edge 1: expected one from a node",
       [](auto &p) { p.edges[1].from = 3; }},
      {"edge 1: expected one from a node", [](auto &p) { p.edges[1].to = 5; }},
      {"edge 1: expected one from a node",
       [](auto &p) { p.edges[1].from = -1; }},
      {"edge 1: expected a full", [](auto &p) { p.edges[1].kind = 2; }},
      {"edge 0: expected kernels",
       [](auto &p) { p.edges[0].kind = DSV4_CUDA_PROGRAMMATIC; }},
      {"edge 3: expected kernels",
       [](auto &p) { p.edges[3].kind = DSV4_CUDA_PROGRAMMATIC; }},
  });
}

} // namespace
