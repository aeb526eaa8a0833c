// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The whole life of a CUDA program on the fake driver: open, upload, steps,
// results, close; in every order that the graph allows, with every driver call
// failing once, and interrupted.

#include "DeviceTestSupport.h"

#include <cstring>
#include <memory>

namespace {

using namespace devicetest;
using fakecuda::KernelCall;

class SessionTest : public FakeCudaTest {
protected:
  /// Runs one step and compares its results.
  void expectStep(Session &session, int64_t graph, int32_t scale,
                  int32_t steps) {
    memcpy(session.host(TestProgram::Step), &scale, sizeof(scale));
    Status status = session.run(graph);
    ASSERT_TRUE(status.isOk()) << status.message;
    int32_t results[TestProgram::numResults];
    memcpy(results, session.host(TestProgram::Results) + 64, sizeof(results));
    for (int i = 0; i < TestProgram::numResults; ++i)
      EXPECT_EQ(results[i], program.result(i, scale, steps)) << i;
  }
};

TEST_F(SessionTest, StepsGiveTheRightResults) {
  dsv4_cuda_program root = program.root();
  Session session;
  Status status = session.open(root, options());
  ASSERT_TRUE(status.isOk()) << status.message;
  expectStep(session, 0, 3, 1);
  expectStep(session, 1, 5, 2); // state is shared by graphs
  expectStep(session, 0, -7, 3);
  ASSERT_TRUE(session.reset(0).isOk());
  expectStep(session, 0, 2, 1);
}

TEST_F(SessionTest, EveryByteOfTheWeightsArrives) {
  static const uint8_t *file;
  static int compared;
  file = program.weights();
  compared = 0;
  auto compare = [](KernelCall &call, size_t address, size_t at, size_t size) {
    Address begin;
    memcpy(&begin, static_cast<const char *>(call.params()) + address, 8);
    EXPECT_EQ(memcmp(call.read(begin, size), file + at, size), 0) << at;
    ++compared;
  };
  fake->setKernel(
      "scale", {[=](KernelCall &call) { compare(call, 8, 0, 40000); }, {}, 1});
  fake->setKernel("combine", {[=](KernelCall &call) {
                                compare(call, 8, 40064, 5000);
                                compare(call, 16, 49152 + 192, 9000);
                              },
                              {},
                              1});
  dsv4_cuda_program root = program.root();
  for (uint64_t chunk : {uint64_t(1000), uint64_t(8192), stagingBytes}) {
    SessionOptions o = options();
    o.weights.upload.chunkBytes = chunk;
    Session session;
    ASSERT_TRUE(session.open(root, o).isOk());
    ASSERT_TRUE(session.run(0).isOk());
  }
  EXPECT_EQ(compared, 3 * 3);
}

TEST_F(SessionTest, PinnedPartsStartAsZeros) {
  dsv4_cuda_program root = program.root();
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  for (int part : {TestProgram::Step, TestProgram::Results})
    for (int64_t i = 0; i < program.parts[part].bytes.fixed; ++i)
      ASSERT_EQ(session.host(part)[i], 0) << part << " " << i;
  EXPECT_EQ(session.host(TestProgram::Buffers), nullptr);
}

TEST_F(SessionTest, ResetLeavesTheOtherSequenceAlone) {
  dsv4_cuda_program root = program.root();
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  expectStep(session, 0, 3, 1);
  ASSERT_TRUE(session.reset(1).isOk());
  expectStep(session, 0, 3, 2);
  expectError(session.reset(2), Code::InvalidArgument, {"0 to 1, got 2"});
  expectError(session.reset(-1), Code::InvalidArgument, {"got -1"});
}

TEST_F(SessionTest, EveryOrderThatEdgesAllowGivesTheSameResults) {
  for (int seed = 1; seed <= 30; ++seed) {
    fake->settings().seed = seed;
    dsv4_cuda_program root = program.root();
    Session session;
    ASSERT_TRUE(session.open(root, options()).isOk());
    expectStep(session, 0, seed, 1);
    expectStep(session, 1, seed, 2);
  }
}

TEST_F(SessionTest, TheSmallestGraphThatFitsIsTaken) {
  dsv4_cuda_program root = program.root();
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  int64_t graph = -1;
  ASSERT_TRUE(session.findGraph(1, 1, graph).isOk());
  EXPECT_EQ(graph, 0);
  ASSERT_TRUE(session.findGraph(2, 1, graph).isOk());
  EXPECT_EQ(graph, 1);
  expectError(session.findGraph(17, 1, graph), Code::InvalidArgument,
              {"17 tokens", "larger than"});
}

/// A kernel that does not wait for the grid before it, behind a programmatic
/// edge: as if griddepcontrol.wait were forgotten.
TEST_F(SessionTest, AForgottenWaitIsReported) {
  dsv4_cuda_program root = program.root();
  auto finish = [](KernelCall &call) {
    Address in, out;
    memcpy(&in, call.params(), 8);
    memcpy(&out, static_cast<const char *>(call.params()) + 40, 8);
    memcpy(call.write(out, 32), call.read(in, 32), 32);
  };
  fake->setKernel("finish", {nullptr, finish, false});
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  ASSERT_TRUE(session.run(0).isOk());
  EXPECT_NE(takeMisuse().find("no dependency between combine and finish"),
            std::string::npos);
}

/// The programmatic edge lets the next kernel begin: what it does before its
/// wait may not need results.
TEST_F(SessionTest, WorkBeforeTheWaitMayNotReadResults) {
  dsv4_cuda_program root = program.root();
  auto early = [](KernelCall &call) {
    Address in;
    memcpy(&in, call.params(), 8);
    call.read(in, 32);
  };
  fake->setKernel("finish", {early, nullptr, true});
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  ASSERT_TRUE(session.run(0).isOk());
  EXPECT_NE(takeMisuse().find("no dependency between combine and finish"),
            std::string::npos);
  // Behind a full edge the same is right.
  session.close();
  program.edges[2].kind = DSV4_CUDA_FULL;
  root = program.root();
  ASSERT_TRUE(session.open(root, options()).isOk());
  ASSERT_TRUE(session.run(0).isOk());
}

TEST_F(SessionTest, ADroppedEdgeIsReported) {
  program.edges[3] = {2, 4, DSV4_CUDA_FULL}; // results without finish
  dsv4_cuda_program root = program.root();
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  ASSERT_TRUE(session.run(0).isOk());
  EXPECT_NE(takeMisuse().find("no dependency between finish and copy"),
            std::string::npos);
}

TEST_F(SessionTest, AFailedKernelEndsTheSessionWithoutACrash) {
  dsv4_cuda_program root = program.root();
  fake->setKernel("combine",
                  {nullptr, [](KernelCall &call) { call.read(16, 4); }, true});
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  expectError(session.run(0), Code::Io,
              {"the GPU failed", "CUDA_ERROR_ILLEGAL_ADDRESS", "700"});
  expectError(session.run(0), Code::Io, {"700"}); // it stays that way
  takeMisuse();
}

TEST_F(SessionTest, MappedWeightsCannotBeWritten) {
  dsv4_cuda_program root = program.root();
  auto write = [](KernelCall &call) {
    Address rows;
    memcpy(&rows, static_cast<const char *>(call.params()) + 16, 8);
    call.write(rows, 4);
  };
  fake->setKernel("combine", {nullptr, write, true});
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  expectError(session.run(0), Code::Io, {"700"});
  EXPECT_NE(takeMisuse().find("illegal address"), std::string::npos);
}

TEST_F(SessionTest, ProgressReachesTheEnd) {
  struct Seen {
    std::vector<uint64_t> done;
    uint64_t all = 0;
  } seen;
  dsv4_cuda_program root = program.root();
  SessionOptions o = options();
  o.weights.upload.context = &seen;
  o.weights.upload.progress = [](void *context, uint64_t done, uint64_t all) {
    static_cast<Seen *>(context)->done.push_back(done);
    static_cast<Seen *>(context)->all = all;
  };
  Session session;
  ASSERT_TRUE(session.open(root, o).isOk());
  EXPECT_EQ(seen.all, 45000u); // without the mapped part
  ASSERT_EQ(seen.done.size(), 4u + 1 + 2);
  for (size_t i = 1; i < seen.done.size(); ++i)
    EXPECT_GT(seen.done[i], seen.done[i - 1]);
  EXPECT_EQ(seen.done.back(), seen.all);
}

/// A buffer is filled while the other one is on its way: the first wait comes
/// after two copies.
TEST_F(SessionTest, CopiesOverlapReading) {
  dsv4_cuda_program root = program.root();
  Session session;
  ASSERT_TRUE(session.open(root, options()).isOk());
  int copies = 0, waits = 0;
  for (const std::string &call : fake->calls()) {
    copies += call == "cuMemcpyHtoDAsync_v2";
    waits += call == "cuEventSynchronize";
    if (waits == 1)
      break;
  }
  EXPECT_EQ(copies, 2);
  EXPECT_EQ(waits, 1);
}

TEST_F(SessionTest, InterruptedBetweenChunksNothingStays) {
  for (int after = 0; after < 7; ++after) {
    int left = after;
    dsv4_cuda_program root = program.root();
    SessionOptions o = options();
    o.weights.upload.context = &left;
    o.weights.upload.isStopped = [](void *context) {
      return (*static_cast<int *>(context))-- == 0;
    };
    Session session;
    expectError(session.open(root, o), Code::Interrupted, {"interrupted"});
    EXPECT_TRUE(fake->leaks().empty()) << after << fake->leaks()[0];
  }
}

/// Every driver call fails once, with an error that says so, and nothing is
/// held afterwards.
TEST_F(SessionTest, EveryCallMayFail) {
  dsv4_cuda_program root = program.root();
  int64_t opened = 0, calls = 0; // until it is closed, and in all
  auto live = [&](Session &session) {
    Status status = session.open(root, options());
    if (status.isOk())
      status = session.run(0);
    if (status.isOk())
      status = session.reset(1);
    return status;
  };
  {
    Session session;
    ASSERT_TRUE(live(session).isOk());
    opened = int64_t(fake->calls().size());
  }
  calls = int64_t(fake->calls().size());
  ASSERT_GT(opened, 80);
  ASSERT_GT(calls, opened + 5);
  for (int64_t n = 1; n <= calls; ++n) {
    fake->reset();
    setKernels();
    fake->failCall(n, fakecuda::Result(719));
    auto session = std::make_unique<Session>();
    Status status = live(*session);
    session.reset();
    const std::string &name = fake->calls()[size_t(n - 1)];
    // What has done its work goes with or without an error.
    bool isHarmless = n > opened || name == "cuGraphDestroy" ||
                      name == "cuMemFreeHost" || name == "cuEventDestroy_v2";
    if (!isHarmless) {
      EXPECT_FALSE(status.isOk()) << n << " " << name;
      EXPECT_NE(strstr(status.message, "719"), nullptr)
          << name << ": " << status.message;
    }
    EXPECT_TRUE(fake->leaks().empty())
        << n << " " << name << ": " << fake->leaks()[0];
    EXPECT_EQ(takeMisuse(), "") << n << " " << name;
  }
}

/// The same from a call on: the driver is gone for good.
TEST_F(SessionTest, EveryFunctionMayFailForGood) {
  dsv4_cuda_program root = program.root();
  for (const char *name :
       {"cuInit", "cuMemAlloc_v2", "cuMemHostAlloc", "cuMemHostRegister_v2",
        "cuModuleLoadDataEx", "cuGraphInstantiateWithFlags",
        "cuMemcpyHtoDAsync_v2", "cuStreamSynchronize", "cuEventRecord"}) {
    fake->reset();
    fake->failFunction(name, fakecuda::Result(2));
    Session session;
    expectError(session.open(root, options()), Code::OutOfMemory,
                {"out of memory", "2"});
    session.close();
    EXPECT_TRUE(fake->leaks().empty()) << name << fake->leaks()[0];
  }
}

TEST_F(SessionTest, NothingLargeHappensBeforeTheChecks) {
  dsv4_cuda_program root = program.root();
  for (int wrong = 0; wrong < 5; ++wrong) {
    fake->reset();
    fakecuda::Settings &set = fake->settings();
    set.capability = wrong == 0 ? 75 : 90;
    set.multiprocessors = wrong == 1 ? 114 : 132;
    set.driver = wrong == 2 ? 12040 : 13000;
    set.freeBytes = wrong == 3 ? 1 << 20 : uint64_t(140) << 30;
    set.sharedPerBlock = wrong == 4 ? 101376 : 232448;
    Session session;
    EXPECT_FALSE(session.open(root, options()).isOk()) << wrong;
    for (const char *name : {"cuMemAlloc_v2", "cuMemHostAlloc",
                             "cuMemHostRegister_v2", "cuModuleLoadDataEx"})
      EXPECT_FALSE(hasCall(name)) << wrong << " " << name;
  }
}

TEST_F(SessionTest, TablesAreCheckedFirst) {
  dsv4_cuda_program root = program.root();
  root.abi_version = 9;
  Session session;
  expectError(session.open(root, options()), Code::Mismatch, {"version 9"});
  EXPECT_TRUE(fake->calls().empty());
}

TEST_F(SessionTest, WeightsThatAreTooShortAreRefused) {
  dsv4_cuda_program root = program.root();
  SessionOptions o = options();
  o.weights.bytes -= 1;
  Session session;
  expectError(session.open(root, o), Code::Corrupt,
              {"expected 60000 bytes of weights, found 59999"});
}

} // namespace
