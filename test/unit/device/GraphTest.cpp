// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Code and graphs: rules of grids, kernels that are not what was compiled, PTX
// and its log, edges as they reach the driver.

#include "DeviceTestSupport.h"

#include <cstring>

namespace {

using namespace devicetest;
using fakecuda::KernelCall;

TEST(GridRule, IsRoundedUpAndAtLeastOne) {
  dsv4_cuda_count rule = {1, 10, 100, 1000, 1};
  EXPECT_EQ(evaluate(rule, 2, 3, 4), 1u + 20 + 300 + 4000);
  rule.divisor = 64;
  EXPECT_EQ(evaluate(rule, 2, 3, 4), 68u); // 4321 / 64 = 67.5
  EXPECT_EQ(evaluate({0, 1, 0, 0, 64}, 64, 0, 0), 1u);
  EXPECT_EQ(evaluate({0, 1, 0, 0, 64}, 65, 0, 0), 2u);
  EXPECT_EQ(evaluate({0, 0, 1, 0, 1}, 64, 0, 9), 1u); // no empty grids
  // The largest numbers that pass checkProgram().
  int64_t most = int64_t(1) << 40;
  EXPECT_EQ(
      evaluate({most, most, most, most, most}, 1 << 20, 1 << 20, maxBlocks),
      1u + 2 * (1 << 20) + maxBlocks);
}

class GraphTest : public FakeCudaTest {
protected:
  Status open() {
    root = program.root();
    return session.open(root, options());
  }
  dsv4_cuda_program root;
  Session session;

  void TearDown() override {
    session.close();
    FakeCudaTest::TearDown();
  }
};

TEST_F(GraphTest, GridsAreThoseOfTheLargestStep) {
  static std::vector<uint32_t> seen;
  seen.clear();
  for (const char *name : {"scale", "combine", "finish"})
    fake->setKernel(name, {nullptr,
                           [](KernelCall &call) {
                             seen.push_back(call.gridX());
                             seen.push_back(call.gridY());
                           },
                           true});
  ASSERT_TRUE(open().isOk());
  ASSERT_TRUE(session.run(0).isOk());
  // ceil((4 + 3 * tokens) / 2)
  EXPECT_EQ(seen, (std::vector<uint32_t>{4, 1, 4, 2, 4, 3}));
  seen.clear();
  ASSERT_TRUE(session.run(1).isOk());
  EXPECT_EQ(seen, (std::vector<uint32_t>{26, 1, 26, 2, 26, 3}));
}

TEST_F(GraphTest, BlocksAreThoseOfTheKernel) {
  static std::vector<uint32_t> seen;
  seen.clear();
  for (const char *name : {"scale", "combine", "finish"})
    fake->setKernel(name, {nullptr,
                           [](KernelCall &call) {
                             seen.push_back(call.blockX());
                             seen.push_back(call.sharedBytes());
                           },
                           true});
  ASSERT_TRUE(open().isOk());
  ASSERT_TRUE(session.run(0).isOk());
  EXPECT_EQ(seen, (std::vector<uint32_t>{256, 0, 384, 200000, 128, 0}));
}

TEST_F(GraphTest, NothingIsInstantiatedAgain) {
  ASSERT_TRUE(open().isOk());
  size_t before = fake->calls().size();
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(session.run(0).isOk());
  for (size_t i = before; i < fake->calls().size(); ++i)
    EXPECT_TRUE(fake->calls()[i] == "cuGraphLaunch" ||
                fake->calls()[i] == "cuStreamSynchronize")
        << fake->calls()[i];
  EXPECT_EQ(fake->calls().size(), before + 10);
}

TEST_F(GraphTest, TheFirstStepTakesNoMemory) {
  ASSERT_TRUE(open().isOk());
  int uploads = 0;
  for (const std::string &call : fake->calls())
    uploads += call == "cuGraphUpload";
  EXPECT_EQ(uploads, 2);
}

/// The parts without a session.
class PartsTest : public GraphTest {
protected:
  void SetUp() override {
    GraphTest::SetUp();
    root = program.root();
    ASSERT_TRUE(driver.open(fakeLibrary).isOk());
    ASSERT_TRUE(device.open(driver, 0).isOk());
    ASSERT_TRUE(planDevice(root, 1000, 1, plan).isOk());
  }
  void TearDown() override {
    device.close();
    GraphTest::TearDown();
  }
  Status load() {
    return module.load(driver, root, 0, device.info(), functions);
  }
  Status reserve() {
    return memory.reserve(driver, root, plan, program.weights(),
                          program.weightBytes(), device.info().canReadPages);
  }
  Status build() {
    return graph.build(driver, {&root, &plan, &memory, &module, &device, nodes},
                       0);
  }
  /// Each call of `action` fails once; nothing more is held then than before.
  template <typename Action, typename Undo>
  void failEach(Action action, Undo undo) {
    std::vector<std::string> before = fake->leaks();
    for (size_t n = 1; n < 100; ++n) {
      size_t made = fake->calls().size();
      fake->failCall(int64_t(n), LaunchFailed);
      Status status = action();
      if (fake->calls().size() - made < n) {
        fake->failCall(0, Success);
        EXPECT_TRUE(status.isOk()) << status.message;
        EXPECT_GT(n, 3u);
        return;
      }
      if (status.isOk())
        undo(); // of something that need not work
      EXPECT_EQ(fake->leaks(), before) << n << ": " << fake->calls().back();
    }
    ADD_FAILURE() << "it fails without a call that fails";
  }
  Driver driver;
  Device device;
  DevicePlan plan;
  Function functions[3];
  LoadedModule module;
  DeviceMemory memory;
  GraphNode nodes[5];
  Graph graph;
};

TEST_F(PartsTest, HoldNothingAfterAnError) {
  failEach([this] { return load(); }, [this] { module.unload(); });
  failEach([this] { return reserve(); }, [this] { memory.release(); });
  failEach([this] { return build(); }, [this] { graph.close(); });
  graph.close();
  memory.release();
  module.unload();
}

/// Offsets grow with the context: that of the state is 100 + 32 * 8 blocks.
TEST_F(PartsTest, OperandsFollowTheContext) {
  ASSERT_TRUE(load().isOk());
  ASSERT_TRUE(reserve().isOk());
  ASSERT_TRUE(build().isOk());
  ASSERT_TRUE(graph.launch().isOk());
  ASSERT_TRUE(memory.wait().isOk());
  EXPECT_EQ(*fake->peek(memory.address(TestProgram::State, 100)), 0);
  EXPECT_EQ(*fake->peek(memory.address(TestProgram::State, 100 + 256)), 1);
  graph.close();
  memory.release();
  module.unload();
}

/// Where the GPU reads any page of the process, nothing of the file is pinned.
TEST_F(PartsTest, MappedWeightsStayWhereTheyAre) {
  ASSERT_TRUE(memory
                  .reserve(driver, root, plan, program.weights(),
                           program.weightBytes(), /*canReadPages=*/true)
                  .isOk());
  for (int64_t i = 0; i < root.num_segments; ++i) {
    const dsv4_cuda_segment &segment = root.segments[i];
    if (root.parts[segment.part].tier == DSV4_CUDA_MAPPED)
      EXPECT_EQ(memory.address(segment.part, 5),
                Address(uintptr_t(program.weights())) +
                    Address(segment.source) + 5);
  }
  memory.release();
}

TEST_F(PartsTest, CloseWaitsForTheGpu) {
  ASSERT_TRUE(load().isOk());
  ASSERT_TRUE(reserve().isOk());
  ASSERT_TRUE(build().isOk());
  ASSERT_TRUE(graph.launch().isOk());
  graph.close(); // it is on its way
  ASSERT_TRUE(memory.clear(TestProgram::State, 0, 8).isOk());
  memory.release(); // the clearing is, too
  module.unload();
}

TEST_F(GraphTest, GridsBeyondTheHardwareAreRefused) {
  program.nodes[1].grid_y = {65536, 0, 0, 0, 1};
  expectError(open(), Code::InvalidArgument,
              {"scale: expected a grid of up to 2147483647 x 65535",
               "found 4 x 65536", "--step-tokens"});
  program.nodes[1].grid_y = {1, 0, 0, 0, 1};
  program.nodes[1].grid_x = {int64_t(1) << 31, 0, 0, 0, 1};
  expectError(open(), Code::InvalidArgument, {"found 2147483648 x 1"});
}

TEST_F(GraphTest, CopiesStayWithinTheirParts) {
  program.nodes[4].grid_x = {449, 0, 0, 0, 1}; // results have 512 - 64
  expectError(open(), Code::Corrupt,
              {"give results: expected a copy of up to 448 bytes, found 449"});
  program.nodes[4].grid_x = {448, 0, 0, 0, 1};
  EXPECT_TRUE(open().isOk());
}

/// The same program on an older architecture: no kernel starts early there.
TEST_F(GraphTest, EdgesAreFullBeforeSm90) {
  fake->settings().capability = 86;
  auto early = [](KernelCall &call) {
    Address in;
    memcpy(&in, call.params(), 8);
    call.read(in, 32); // wrong behind a programmatic edge
  };
  fake->setKernel("finish", {early, nullptr, true});
  Status status = open();
  ASSERT_TRUE(status.isOk()) << status.message;
  EXPECT_TRUE(session.run(0).isOk());
}

TEST_F(GraphTest, AnEdgeTwiceIsTheDriversError) {
  program.edges[1] = program.edges[2];
  expectError(open(), Code::Io,
              {"cannot let finish follow combine in graph decode 1"});
  EXPECT_NE(takeMisuse().find("an edge that is there already"),
            std::string::npos);
}

TEST_F(GraphTest, AMissingKernelIsNamed) {
  program.kernels[1].name = "combine_all";
  expectError(open(), Code::Io, {"cannot find kernel combine_all", "500"});
}

TEST_F(GraphTest, ACubinMustBeWhatWasCompiled) {
  program.kernels[1].max_registers = 63;
  expectError(
      open(), Code::Mismatch,
      {"kernel combine is not the compiled one", "63 registers", "reports 64"});
  program.kernels[1].max_registers = 64;
  program.kernels[2].max_local_bytes = 7;
  expectError(open(), Code::Mismatch,
              {"kernel finish", "7 bytes of local", "and 8"});
  program.kernels[2].max_local_bytes = 8;
  ASSERT_TRUE(open().isOk());
  EXPECT_EQ(session.code().localBytes(), 8);
  EXPECT_FALSE(session.code().isJitted());
}

TEST_F(GraphTest, BlocksMustFitTheKernelAsItIs) {
  program.kernels[1].threads = 513;
  expectError(open(), Code::Unsupported,
              {"kernel combine needs blocks of 513 threads", "give it 512"});
  program.kernels[1].threads = 512;
  program.kernels[1].dynamic_shared_bytes = 232448 - 1023; // 1024 are static
  expectError(open(), Code::Unsupported,
              {"kernel combine needs 232449 bytes of shared memory"});
  program.kernels[1].dynamic_shared_bytes = 232448 - 1024;
  EXPECT_TRUE(open().isOk());
}

class PtxTest : public GraphTest {
protected:
  void SetUp() override {
    GraphTest::SetUp();
    fake->settings().capability = 100;
    program.images.push_back({DSV4_CUDA_PTX, 90, 0, 12000, {}});
  }
  void setPtx(const std::string &text) {
    program.ptx = text;
    program.images[2].data = {program.ptx.c_str(),
                              int64_t(program.ptx.size()) + 1};
  }
};

TEST_F(PtxTest, NewerDevicesTakeIt) {
  setPtx(program.ptx);
  Status status = open();
  ASSERT_TRUE(status.isOk()) << status.message;
  EXPECT_TRUE(session.code().isJitted());
  EXPECT_STREQ(session.code().log(), "");
  EXPECT_TRUE(session.run(0).isOk());
}

TEST_F(PtxTest, ItsRegistersAreNotCompared) {
  setPtx(program.ptx);
  program.kernels[1].max_registers = 1;
  EXPECT_TRUE(open().isOk());
}

TEST_F(PtxTest, TheFirstLineOfTheLogIsInTheError) {
  setPtx(".version 8.0\nsyntax-error");
  expectError(open(), Code::Corrupt,
              {"cannot load PTX for sm_90: ptxas: line 3: syntax error near "
               "'x': an error of the fake",
               "218"});
  EXPECT_NE(strstr(session.code().log(), "ptxas: fatal"), nullptr);
}

TEST_F(PtxTest, WhatIsNoImageIsCorrupt) {
  setPtx("something else");
  expectError(open(), Code::Corrupt, {"cannot load PTX for sm_90: ", "200"});
}

} // namespace
