// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The engine of a CUDA program on the fake driver: the logits of the CPU's
// engine for any chunking, slots, snapshots; everything that can be refused
// before anything large happens; every call of the driver failing once.

#include "DeviceEngineSupport.h"

#include <cstring>

namespace {

using namespace devengine;

TEST_F(DeviceEngineTest, LogitsForAnyChunk) {
  for (int seed : {0, 1, 2, 3}) {
    fake->settings().seed = seed;
    Engine engine;
    ASSERT_TRUE(isOk(engine.open(program, options())));
    std::vector<int32_t> tokens = someTokens(100);
    for (int64_t chunk : {1, 7, 8, 31, 32}) {
      ASSERT_TRUE(isOk(engine.reset(0)));
      expectRows(feedAll(engine, 0, tokens, chunk), tokens, 0);
      EXPECT_EQ(engine.length(0), 100);
    }
    engine.close();
  }
}

TEST_F(DeviceEngineTest, TheSmallestGraphRuns) {
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options())));
  std::vector<int32_t> tokens = someTokens(32);
  for (int64_t count : {1, 2, 8, 9, 32}) {
    size_t before = fake->calls().size();
    ASSERT_TRUE(isOk(engine.feed(0, tokens.data(), count, 1)));
    // A step is one launch and one wait.
    ASSERT_EQ(fake->calls().size(), before + 2);
    EXPECT_EQ(fake->calls()[before], "cuGraphLaunch");
    EXPECT_EQ(fake->calls()[before + 1], "cuStreamSynchronize");
  }
  engine.close();
}

TEST_F(DeviceEngineTest, PrefillTakesMoreThanAStep) {
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options())));
  std::vector<int32_t> tokens = someTokens(100);
  ASSERT_TRUE(isOk(engine.prefill(0, tokens.data(), 100)));
  for (int64_t v = 0; v < fake::vocab; ++v)
    EXPECT_EQ(engine.logits(0)[v], fake::expectedLogit(tokens.data(), 100, v));
  engine.close();
}

TEST_F(DeviceEngineTest, SlotsAreIndependentAndShareSteps) {
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options(2))));
  std::vector<int32_t> a = someTokens(40), b(a.rbegin(), a.rend());
  ASSERT_TRUE(isOk(engine.feed(1, b.data(), 9, 0)));
  for (int64_t turn = 0; turn < 2; ++turn) {
    StepPart parts[] = {{0, a.data() + turn * 7, 7, 7},
                        {1, b.data() + 9 + turn, 1, 1}};
    ASSERT_TRUE(isOk(engine.feed(parts, 2)));
    std::vector<float> rows(engine.logits(0), engine.logits(8));
    expectRows({rows.begin(), rows.begin() + 7 * fake::vocab}, a, 7 * turn);
    expectRows({rows.begin() + 7 * fake::vocab, rows.end()}, b, 9 + turn);
  }
  ASSERT_TRUE(isOk(engine.reset(1)));
  EXPECT_EQ(engine.length(0), 14);
  EXPECT_EQ(engine.length(1), 0);
  expectRows(feedAll(engine, 1, a, 32), a, 0);
  ASSERT_TRUE(isOk(engine.feed(0, a.data() + 14, 1, 1)));
  expectRows({engine.logits(0), engine.logits(1)}, a, 14);
  engine.close();
}

TEST_F(DeviceEngineTest, RefusesWhatTheCpuRefuses) {
  Engine engine;
  EngineOptions o = options();
  o.context = 2048;
  expectError(engine.open(program, o), Code::InvalidArgument,
              {"--context", "1024", "2048"});
  expectError(engine.open(program, options(3)), Code::InvalidArgument,
              {"--sequences"});
  o.context = 128;
  ASSERT_TRUE(isOk(engine.open(program, o)));
  std::vector<int32_t> tokens = someTokens(129);
  int32_t bad = fake::vocab;
  expectError(engine.feed(0, &bad, 1, 1), Code::InvalidArgument, {"token 0"});
  expectError(engine.feed(0, tokens.data(), 33, 1), Code::InvalidArgument,
              {"1 to 32 tokens"});
  expectError(engine.prefill(0, tokens.data(), 129), Code::InvalidArgument,
              {"context of 128 tokens is full"});
  EXPECT_EQ(engine.length(0), 128);
  engine.close();
}

TEST_F(DeviceEngineTest, RepeatsEntriesOfOneSlot) {
  std::vector<dsv4_operand> operands(program.operands,
                                     program.operands + program.num_operands);
  operands.push_back({DSV4_SPACE_STATE, 0, {64, 0}});
  dsv4_state_read read = {0, 1, int32_t(operands.size()) - 1, 0, 4, 1 << 20, 0};
  program.operands = operands.data();
  program.num_operands = int64_t(operands.size());
  program.state_reads = &read;
  program.num_state_reads = 1;
  program.limits.max_context = 6144;
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options(2))));
  std::vector<int32_t> first = someTokens(2048), other = someTokens(10);
  ASSERT_TRUE(isOk(engine.prefill(0, other.data(), 10)));
  ASSERT_TRUE(isOk(engine.prefill(1, first.data(), 2048)));
  EXPECT_FALSE(engine.repeatTo(0, 4096).isOk());
  ASSERT_TRUE(isOk(engine.repeatTo(1, 5120)));
  std::vector<int32_t> all;
  for (int64_t i = 0; i < 5120; ++i)
    all.push_back(first[size_t(i % 2048)]);
  all.push_back(7);
  ASSERT_TRUE(isOk(engine.feed(1, &all.back(), 1, 1)));
  expectRows({engine.logits(0), engine.logits(1)}, all, 5120);
  other.push_back(3);
  ASSERT_TRUE(isOk(engine.feed(0, &other.back(), 1, 1)));
  expectRows({engine.logits(0), engine.logits(1)}, other, 10);
  engine.close();
}

TEST_F(DeviceEngineTest, ASnapshotGoesOnInAnotherSlot) {
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options(2))));
  std::vector<int32_t> tokens = someTokens(90);
  ASSERT_TRUE(isOk(engine.prefill(0, tokens.data(), 50)));
  std::vector<char> snapshot(engine.snapshotBytes()), again = snapshot;
  ASSERT_TRUE(isOk(engine.save(0, snapshot.data())));
  ASSERT_TRUE(isOk(engine.prefill(0, tokens.data() + 3, 80)));
  ASSERT_TRUE(isOk(engine.restore(1, snapshot.data(), snapshot.size())));
  ASSERT_EQ(engine.length(1), 50);
  std::vector<int32_t> rest(tokens.begin() + 50, tokens.end());
  std::vector<float> rows = feedAll(engine, 1, rest, 32);
  expectRows(rows, tokens, 50);
  // The same tokens have the same bytes, whatever the slot held before.
  ASSERT_TRUE(isOk(engine.reset(0)));
  ASSERT_TRUE(isOk(engine.prefill(0, tokens.data(), 50)));
  ASSERT_TRUE(isOk(engine.save(0, again.data())));
  EXPECT_EQ(again, snapshot);
  snapshot[snapshot.size() - 1] ^= 1;
  expectError(engine.restore(1, snapshot.data(), snapshot.size()),
              Code::Corrupt, {"damaged"});
  EXPECT_EQ(engine.length(1), 90);
  engine.close();
}

/// Even where both have as many bytes.
TEST_F(DeviceEngineTest, ASnapshotOfTheOtherTargetIsRefused) {
  program.limits.state_bytes.fixed = 4096;
  parts[DSV4_CUDA_PART_STATE].bytes.fixed = 4096;
  dsv4_program onHost = program;
  onHost.cuda = nullptr;
  Engine cpu, gpu;
  EngineOptions o = options();
  o.threads = 1;
  ASSERT_TRUE(isOk(cpu.open(onHost, o)));
  ASSERT_TRUE(isOk(gpu.open(program, o)));
  ASSERT_EQ(cpu.snapshotBytes(), gpu.snapshotBytes());
  int32_t token = 1;
  std::vector<char> snapshot(cpu.snapshotBytes());
  ASSERT_TRUE(isOk(cpu.feed(0, &token, 1, 1)));
  ASSERT_TRUE(isOk(cpu.save(0, snapshot.data())));
  expectError(gpu.restore(0, snapshot.data(), snapshot.size()), Code::Mismatch,
              {"target"});
  ASSERT_TRUE(isOk(gpu.feed(0, &token, 1, 1)));
  ASSERT_TRUE(isOk(gpu.save(0, snapshot.data())));
  expectError(cpu.restore(0, snapshot.data(), snapshot.size()), Code::Mismatch,
              {"target"});
  cpu.close();
  gpu.close();
}

TEST_F(DeviceEngineTest, TheDefaultContextShrinksToWhatFits) {
  program.limits.max_context = int64_t{1} << 20;
  program.limits.state_bytes.per_block = 1 << 20;
  parts[DSV4_CUDA_PART_STATE].bytes.per_block = 1 << 20;
  // 4,096 MiB beside a little: 4,096 blocks of the 8,192 do not quite fit.
  fake->settings().freeBytes = uint64_t{4096} << 20;
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options())));
  EXPECT_EQ(engine.context(), int64_t{1} << 18);
  engine.close();
  EngineOptions o = options();
  o.context = 1 << 19;
  expectError(engine.open(program, o), Code::OutOfMemory,
              {"too little memory on device 0", "smaller --context"});
  // No smaller default than that.
  fake->settings().freeBytes = uint64_t{31} << 20;
  expectError(engine.open(program, options()), Code::OutOfMemory,
              {"4096 tokens"});
}

TEST_F(DeviceEngineTest, RefusesBeforeAnythingLarge) {
  struct {
    Code code;
    const char *word;
    void (*spoil)(fakecuda::Settings &, EngineOptions &);
  } cases[] = {
      {Code::Unsupported, "sm_75", [](auto &s, auto &) { s.capability = 75; }},
      {Code::Unsupported, "driver is too old",
       [](auto &s, auto &) { s.driver = 12040; }},
      {Code::Mismatch, "multiprocessors",
       [](auto &s, auto &) { s.multiprocessors = 114; }},
      {Code::OutOfMemory, "too little memory on device 0",
       [](auto &s, auto &) { s.freeBytes = 1 << 20; }},
      {Code::Unsupported, "finds no GPU",
       [](auto &s, auto &) { s.init = 100; }},
      {Code::InvalidArgument, "--device: expected 0 to 0, found 3",
       [](auto &, auto &o) { o.device = 3; }},
      {Code::Unsupported, "found none",
       [](auto &, auto &o) { o.driver = "libnone.so.1"; }}};
  for (const auto &one : cases) {
    fake->reset();
    EngineOptions o = options();
    // Weights come later: that they are missing is not what is said.
    o.weightsPath = "/nowhere/weights";
    one.spoil(fake->settings(), o);
    Engine engine;
    expectError(engine.open(program, o), one.code, {one.word});
    for (const char *name :
         {"cuMemAlloc_v2", "cuMemHostAlloc", "cuModuleLoadDataEx"})
      EXPECT_FALSE(hasCall(name)) << one.word << ": " << name;
    EXPECT_TRUE(fake->leaks().empty()) << one.word;
  }
}

TEST_F(DeviceEngineTest, WeightsAreCheckedBeforeTheyAreCopied) {
  std::fstream file(weights, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(DSV4_PAYLOAD_ALIGN + 100);
  file.put('v');
  file.close();
  Engine engine;
  expectError(engine.open(program, options()), Code::Corrupt, {"damaged"});
  EXPECT_FALSE(hasCall("cuMemAlloc_v2"));
}

TEST_F(DeviceEngineTest, CopyingWeightsIsToldAndStops) {
  struct Seen {
    std::vector<uint64_t> done;
    uint64_t all = 0;
    int left = 1 << 20;
  } seen;
  EngineOptions o = options();
  o.upload.chunkBytes = 4000;
  o.upload.context = &seen;
  o.upload.progress = [](void *context, uint64_t done, uint64_t all) {
    static_cast<Seen *>(context)->done.push_back(done);
    static_cast<Seen *>(context)->all = all;
  };
  o.upload.isStopped = [](void *context) {
    return static_cast<Seen *>(context)->left-- == 0;
  };
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, o)));
  engine.close();
  EXPECT_EQ(seen.all, uint64_t(fake::cudaWeightBytes));
  EXPECT_EQ(seen.done, (std::vector<uint64_t>{4000, 6000, 10000}));
  seen.left = 2;
  expectError(engine.open(program, o), Code::Interrupted, {"interrupted"});
  EXPECT_TRUE(fake->leaks().empty());
}

TEST_F(DeviceEngineTest, TablesMustHoldWhatTheEngineNeeds) {
  struct {
    int part;
    int64_t lack; // bytes
  } cases[] = {{DSV4_CUDA_PART_STATE, 1},
               {DSV4_CUDA_PART_STEP, 1},
               {DSV4_CUDA_PART_HOST_STEP, 1},
               {DSV4_CUDA_PART_HOST_LOGITS, 1}};
  Engine engine;
  for (const auto &one : cases) {
    parts[size_t(one.part)].bytes.fixed -= one.lack;
    expectError(engine.open(program, options()), Code::Corrupt,
                {parts[size_t(one.part)].name, "room", "compile"});
    parts[size_t(one.part)].bytes.fixed += one.lack;
  }
  parts[DSV4_CUDA_PART_STATE].kind = DSV4_CUDA_BUFFERS;
  expectError(engine.open(program, options()), Code::Corrupt,
              {"state", "kind and tier"});
  parts[DSV4_CUDA_PART_STATE].kind = DSV4_CUDA_STATE;
  cuda.num_parts = 6;
  expectError(engine.open(program, options()), Code::Corrupt, {"compile"});
  cuda.num_parts = 7;
  cuda.num_graphs = 2; // none for 32 tokens
  expectError(engine.open(program, options()), Code::Corrupt,
              {"a graph for 32 tokens"});
}

TEST_F(DeviceEngineTest, AFailedStepAddsNothing) {
  Engine engine;
  ASSERT_TRUE(isOk(engine.open(program, options())));
  std::vector<int32_t> tokens = someTokens(4);
  ASSERT_TRUE(isOk(engine.feed(0, tokens.data(), 4, 1)));
  fake->failFunction("cuGraphLaunch", 719);
  expectError(engine.feed(0, tokens.data(), 4, 1), Code::Io,
              {"cannot launch graph", "719"});
  EXPECT_EQ(engine.length(0), 4);
  fake->failFunction("cuGraphLaunch", 0);
  engine.close();
}

/// Every driver call fails once; whatever the engine was doing says so, and
/// nothing is held afterwards.
TEST_F(DeviceEngineTest, EveryCallMayFail) {
  std::vector<int32_t> tokens = someTokens(40);
  auto live = [&](Engine &engine) {
    std::vector<char> snapshot;
    DSV4_RETURN_IF_ERROR(engine.open(program, options(2)));
    DSV4_RETURN_IF_ERROR(engine.prefill(0, tokens.data(), 40));
    snapshot.resize(engine.snapshotBytes());
    DSV4_RETURN_IF_ERROR(engine.save(0, snapshot.data()));
    DSV4_RETURN_IF_ERROR(engine.reset(0));
    return engine.restore(1, snapshot.data(), snapshot.size());
  };
  int64_t opened = 0;
  {
    Engine engine;
    ASSERT_TRUE(isOk(live(engine)));
    opened = int64_t(fake->calls().size());
    engine.close();
  }
  for (int64_t n = 1; n <= opened; ++n) {
    fake->reset();
    fake::setCudaKernels(*fake);
    fake->failCall(n, fakecuda::Result(719));
    Engine engine;
    Status status = live(engine);
    const std::string name = fake->calls()[size_t(n - 1)];
    if (name != "cuGraphDestroy") {
      EXPECT_FALSE(status.isOk()) << n << " " << name;
      EXPECT_NE(strstr(status.message, "719"), nullptr) << status.message;
    }
    engine.close();
    EXPECT_TRUE(fake->leaks().empty()) << n << " " << name;
    EXPECT_EQ(takeMisuse(), "") << n << " " << name;
  }
}

} // namespace
