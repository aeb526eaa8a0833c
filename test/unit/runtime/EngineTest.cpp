// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The engine over the fake program: same logits for any chunking and any number
// of threads, sequences that do not disturb each other, and errors before
// anything happens.

#include "runtime/core/engine.h"
#include "FakeProgram.h"
#include "SidecarSupport.h"
#include "runtime/base/cpu_features.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace dsv4 {
namespace {

std::vector<int32_t> someTokens(int64_t count) {
  std::vector<int32_t> tokens;
  uint32_t x = 12345;
  for (int64_t i = 0; i < count; ++i) {
    x = x * 1664525 + 1013904223;
    tokens.push_back(static_cast<int32_t>(x >> 16) % fake::vocab);
  }
  return tokens;
}

EngineOptions withThreads(int threads, int64_t sequences = 1) {
  EngineOptions options;
  options.threads = threads;
  options.sequences = sequences;
  return options;
}

/// All logits rows of `tokens` behind what `slot` holds, `chunk` at a time.
std::vector<float> feedAll(Engine &engine, int64_t slot,
                           const std::vector<int32_t> &tokens, int64_t chunk) {
  std::vector<float> rows;
  int64_t count = static_cast<int64_t>(tokens.size());
  for (int64_t at = 0; at < count; at += chunk) {
    int64_t part = std::min(chunk, count - at);
    Status status = engine.feed(slot, tokens.data() + at, part, part);
    EXPECT_TRUE(status.isOk()) << status.message;
    rows.insert(rows.end(), engine.logits(0),
                engine.logits(0) + part * fake::vocab);
  }
  return rows;
}

std::vector<float> expectedRows(const std::vector<int32_t> &tokens) {
  std::vector<float> rows;
  for (size_t n = 1; n <= tokens.size(); ++n)
    for (int64_t v = 0; v < fake::vocab; ++v)
      rows.push_back(
          fake::expectedLogit(tokens.data(), static_cast<int64_t>(n), v));
  return rows;
}

std::string openError(const dsv4_program &program, const EngineOptions &options,
                      Code code) {
  Engine engine;
  Status status = engine.open(program, options);
  EXPECT_EQ(status.code, code) << status.message;
  if (status.isOk())
    engine.close();
  return status.message;
}

class EngineThreads : public testing::TestWithParam<int> {};

TEST_P(EngineThreads, LogitsForAnyChunk) {
  std::vector<int32_t> tokens = someTokens(270);
  std::vector<float> expected = expectedRows(tokens);
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(GetParam())).isOk());
  for (int64_t chunk : {1, 7, 31, 32}) {
    ASSERT_TRUE(engine.reset(0).isOk());
    EXPECT_EQ(feedAll(engine, 0, tokens, chunk), expected) << chunk;
    EXPECT_EQ(engine.length(0), 270);
  }
  engine.close();
}

TEST_P(EngineThreads, PrefillGivesTheLastRow) {
  std::vector<int32_t> tokens = someTokens(100);
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(GetParam())).isOk());
  ASSERT_TRUE(engine.prefill(0, tokens.data(), 100).isOk());
  for (int64_t v = 0; v < fake::vocab; ++v)
    EXPECT_EQ(engine.logits(0)[v], fake::expectedLogit(tokens.data(), 100, v));
  engine.close();
}

INSTANTIATE_TEST_SUITE_P(Threads, EngineThreads, testing::Values(1, 2, 3, 8));

TEST(Engine, SlotsAreIndependent) {
  std::vector<int32_t> a = someTokens(60), b(a.rbegin(), a.rend());
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(2, 2)).isOk());
  std::vector<float> first, second;
  for (size_t at = 0; at < a.size(); at += 20) { // in turns
    auto feed = [&](int64_t slot, const std::vector<int32_t> &all,
                    std::vector<float> &rows) {
      std::vector<int32_t> part(all.begin() + at, all.begin() + at + 20);
      std::vector<float> more = feedAll(engine, slot, part, 9);
      rows.insert(rows.end(), more.begin(), more.end());
    };
    feed(0, a, first);
    feed(1, b, second);
  }
  EXPECT_EQ(first, expectedRows(a));
  EXPECT_EQ(second, expectedRows(b));
  ASSERT_TRUE(engine.reset(1).isOk());
  EXPECT_EQ(engine.length(0), 60);
  EXPECT_EQ(feedAll(engine, 1, a, 32), first);
  engine.close();
}

TEST(Engine, PartsOfAStepEqualThemselvesAlone) {
  std::vector<int32_t> a = someTokens(30), b(a.rbegin(), a.rend());
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(2, 2)).isOk());
  // Slot 1 is ahead; then a prompt with a decode, twice.
  ASSERT_TRUE(engine.feed(1, b.data(), 9, 0).isOk());
  std::vector<float> first, second;
  for (int64_t turn = 0; turn < 2; ++turn) {
    StepPart parts[] = {{0, a.data() + turn * 7, 7, 7},
                        {1, b.data() + 9 + turn, 1, 1}};
    Status status = engine.feed(parts, 2);
    ASSERT_TRUE(status.isOk()) << status.message;
    first.insert(first.end(), engine.logits(0), engine.logits(7));
    second.insert(second.end(), engine.logits(7), engine.logits(8));
  }
  EXPECT_EQ(engine.length(0), 14);
  EXPECT_EQ(engine.length(1), 11);
  std::vector<float> wantA = expectedRows(a), wantB = expectedRows(b);
  wantA.resize(14 * fake::vocab);
  EXPECT_EQ(first, wantA);
  EXPECT_EQ(second, std::vector<float>(wantB.begin() + 9 * fake::vocab,
                                       wantB.begin() + 11 * fake::vocab));
  engine.close();
}

TEST(Engine, RefusesPartsThatDoNotFitTogether) {
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(1, 2)).isOk());
  std::vector<int32_t> tokens = someTokens(fake::maxStepTokens);
  int32_t bad = -1;
  auto text = [&](std::vector<StepPart> parts) {
    Status status =
        engine.feed(parts.data(), static_cast<int64_t>(parts.size()));
    EXPECT_EQ(status.code, Code::InvalidArgument);
    return std::string(status.message);
  };
  const int32_t *t = tokens.data();
  EXPECT_NE(text({}).find("got none"), std::string::npos);
  EXPECT_NE(text({{1, t, 1, 1}, {1, t, 1, 1}}).find("got 1 after 1"),
            std::string::npos);
  EXPECT_NE(text({{0, t, 1, 1}, {2, t, 1, 1}}).find("0 to 1, got 2"),
            std::string::npos);
  EXPECT_NE(text({{0, t, fake::maxStepTokens, 0}, {1, t, 1, 0}}).find("a step"),
            std::string::npos);
  EXPECT_NE(text({{0, t, 1, 0}, {1, &bad, 1, 0}}).find("token 0"),
            std::string::npos);
  for (int64_t slot = 0; slot < 2; ++slot)
    EXPECT_EQ(engine.length(slot), 0);
  engine.close();
}

/// The fake's state is its tokens, an entry of 4 bytes for each.
TEST(Engine, RepeatsEntriesOfOneSlot) {
  dsv4_program program = fake::program();
  std::vector<dsv4_operand> operands(program.operands,
                                     program.operands + program.num_operands);
  operands.push_back(
      {DSV4_SPACE_STATE, 0, {program.limits.state_bytes.fixed, 0}});
  dsv4_state_read read = {0, 1, int32_t(operands.size()) - 1, 0, 4, 1 << 20, 0};
  program.operands = operands.data();
  program.num_operands = int64_t(operands.size());
  program.state_reads = &read;
  program.num_state_reads = 1;
  program.limits.max_context = 6144;
  Engine engine;
  Status status = engine.open(program, withThreads(1, 2));
  ASSERT_TRUE(status.isOk()) << status.message;
  auto first = someTokens(2048), other = someTokens(10);
  ASSERT_TRUE(engine.prefill(0, other.data(), 10).isOk());
  ASSERT_TRUE(engine.prefill(1, first.data(), 2048).isOk());
  EXPECT_FALSE(engine.repeatTo(0, 4096).isOk()); // too few to repeat
  EXPECT_FALSE(engine.repeatTo(1, 5000).isOk()); // not whole blocks
  EXPECT_FALSE(engine.repeatTo(1, 8192).isOk()); // beyond the context
  EXPECT_FALSE(engine.repeatTo(1, 1920).isOk()); // shorter
  ASSERT_EQ(engine.length(1), 2048);
  status = engine.repeatTo(1, 5120);
  ASSERT_TRUE(status.isOk()) << status.message;
  ASSERT_EQ(engine.length(1), 5120);
  std::vector<int32_t> all;
  for (int64_t i = 0; i < 5120; ++i)
    all.push_back(first[i % 2048]);
  all.push_back(7);
  ASSERT_TRUE(engine.feed(1, &all.back(), 1, 1).isOk());
  for (int64_t v = 0; v < fake::vocab; ++v)
    ASSERT_EQ(engine.logits(0)[v], fake::expectedLogit(all.data(), 5121, v));
  other.push_back(3);
  ASSERT_TRUE(engine.feed(0, &other.back(), 1, 1).isOk());
  for (int64_t v = 0; v < fake::vocab; ++v)
    ASSERT_EQ(engine.logits(0)[v], fake::expectedLogit(other.data(), 11, v));
  engine.close();
}

TEST(Engine, PhaseTimesAddUp) {
  std::vector<int32_t> tokens = someTokens(32);
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(1)).isOk());
  PhaseSample samples[6];
  ASSERT_TRUE(engine.feed(0, tokens.data(), 32, 1, samples).isOk());
  for (const PhaseSample &sample : samples)
    EXPECT_GT(sample.nanoseconds, 0);
  engine.close();
}

TEST(Engine, RefusesWhatWasNotPlanned) {
  EngineOptions options = withThreads(1);
  options.context = 2048;
  std::string text = openError(fake::program(), options, Code::InvalidArgument);
  EXPECT_NE(text.find("1024"), std::string::npos) << text;
  EXPECT_NE(text.find("2048"), std::string::npos) << text;
  text = openError(fake::program(), withThreads(1, 3), Code::InvalidArgument);
  EXPECT_NE(text.find("--sequences"), std::string::npos) << text;
  dsv4_program other = fake::program();
  other.abi_version += 1;
  text = openError(other, withThreads(1), Code::Mismatch);
  EXPECT_NE(text.find("ABI"), std::string::npos) << text;
}

TEST(Engine, RefusesBadTokensAndAFullContext) {
  Engine engine;
  EngineOptions options = withThreads(1);
  options.context = 128;
  ASSERT_TRUE(engine.open(fake::program(), options).isOk());
  std::vector<int32_t> tokens = someTokens(129);
  for (int32_t bad : {-1, static_cast<int32_t>(fake::vocab), INT32_MAX}) {
    int32_t pair[2] = {1, bad};
    Status status = engine.feed(0, pair, 2, 1);
    EXPECT_EQ(status.code, Code::InvalidArgument);
    EXPECT_EQ(engine.length(0), 0);
  }
  Status status = engine.prefill(0, tokens.data(), 129);
  EXPECT_EQ(status.code, Code::InvalidArgument);
  EXPECT_NE(strstr(status.message, "context"), nullptr) << status.message;
  engine.close();
}

TEST(Engine, RefusesStepsBeyondWhatWasCompiled) {
  Engine engine;
  ASSERT_TRUE(engine.open(fake::program(), withThreads(1)).isOk());
  std::vector<int32_t> tokens = someTokens(fake::maxStepTokens + 1);
  auto code = [&](int64_t count, int64_t outputs) {
    return engine.feed(0, tokens.data(), count, outputs).code;
  };
  EXPECT_EQ(code(0, 0), Code::InvalidArgument);
  EXPECT_EQ(code(-1, 0), Code::InvalidArgument);
  EXPECT_EQ(code(fake::maxStepTokens + 1, 1), Code::InvalidArgument);
  EXPECT_EQ(code(2, 3), Code::InvalidArgument);
  EXPECT_EQ(code(2, -1), Code::InvalidArgument);
  EXPECT_EQ(engine.length(0), 0);
  engine.close();
}

TEST(Engine, NamesAMissingCpuFeature) {
  dsv4_program program = fake::program();
  program.cpu_features = DSV4_CPU_FMA;
  EngineOptions options = withThreads(1);
  options.hiddenCpuFeatures = "avx2,fma";
  std::string text = openError(program, options, Code::Unsupported);
  EXPECT_NE(text.find("lacks fma"), std::string::npos) << text;
  EXPECT_NE(text.find("--target"), std::string::npos) << text;
  EXPECT_EQ(text.find("avx2"), std::string::npos) << text;
}

TEST(Engine, SaysWhatMemoryIsNeeded) {
  dsv4_program program = fake::program();
  program.limits.state_bytes.per_block = int64_t{1} << 44;
  std::string text = openError(program, withThreads(1), Code::OutOfMemory);
  EXPECT_NE(text.find("134217729 MiB for state"), std::string::npos) << text;
  EXPECT_NE(text.find("--context"), std::string::npos) << text;
  EXPECT_EQ(text.find("--sequences"), std::string::npos) << text;
  text = openError(program, withThreads(1, 2), Code::OutOfMemory);
  EXPECT_NE(text.find("--sequences"), std::string::npos) << text;
  // Sizes beyond 64 bits are too much as well, not little again.
  program.limits.state_bytes.per_block = int64_t{1} << 59;
  openError(program, withThreads(1, 2), Code::OutOfMemory);
}

TEST(Engine, DefaultContextShrinksToWhatFits) {
  dsv4_program program = fake::program();
  program.limits.max_context = 1 << 20;
  program.limits.state_bytes.per_block = int64_t{1} << 30;
  Engine engine;
  EngineOptions options = withThreads(1);
  options.context = 1 << 20;
  openError(program, options, Code::OutOfMemory);
  // 4096 tokens are 32 blocks: fits where 32 MiB per block are asked for.
  program.limits.state_bytes.per_block = int64_t{1} << 25;
  program.limits.state_bytes.fixed = 64;
  options.context = 0;
  program.limits.max_context = int64_t{1} << 30;
  Status status = engine.open(program, options);
  ASSERT_TRUE(status.isOk()) << status.message;
  EXPECT_GE(engine.context(), smallestContext);
  EXPECT_LT(engine.context(), int64_t{1} << 30);
  engine.close();
}

TEST(Engine, ChecksASidecarBeforeUse) {
  dsv4_program program = fake::program();
  program.weights_mode = 1;
  program.limits.weight_bytes = DSV4_CHUNK_BYTES + 4096;
  // Two chunks.
  std::string path = fake::writeSidecar(
      program, std::string(DSV4_CHUNK_BYTES + 4096, 'w'), "engine.weights");
  for (int threads : {1, 3}) {
    EngineOptions options = withThreads(threads);
    options.weightsPath = path.c_str();
    Engine engine;
    Status status = engine.open(program, options);
    ASSERT_TRUE(status.isOk()) << status.message;
    EXPECT_EQ(engine.weights().data[DSV4_CHUNK_BYTES], 'w');
    engine.close();
    for (int64_t at : {int64_t{0}, int64_t{DSV4_CHUNK_BYTES + 4095}}) {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(DSV4_PAYLOAD_ALIGN + at);
      file.put('v');
      file.close();
      std::string text = openError(program, options, Code::Corrupt);
      EXPECT_NE(text.find("damaged"), std::string::npos) << text;
      file.open(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(DSV4_PAYLOAD_ALIGN + at);
      file.put('w');
    }
  }
  dsv4_program other = program;
  other.weights_hash[0] ^= 1;
  EngineOptions options = withThreads(1);
  options.weightsPath = path.c_str();
  openError(other, options, Code::Mismatch);
  options.weightsPath = "/nowhere/weights";
  std::string text = openError(program, options, Code::NotFound);
  EXPECT_NE(text.find("/nowhere/weights"), std::string::npos) << text;
}

// In a child, because the limit stays.
TEST(Engine, RespectsTheLimitOfAddressSpace) {
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    dsv4_program program = fake::program();
    program.limits.state_bytes.per_block = 64 << 20; // 512 MiB in all
    rlimit limit = {256u << 20, 256u << 20};
    setrlimit(RLIMIT_AS, &limit);
    Engine engine;
    Status status = engine.open(program, withThreads(1));
    bool ok = status.code == Code::OutOfMemory &&
              strstr(status.message, "address space");
    _exit(ok ? 0 : 1);
  }
  int result = 0;
  waitpid(child, &result, 0);
  EXPECT_TRUE(WIFEXITED(result));
  EXPECT_EQ(WEXITSTATUS(result), 0);
}

} // namespace
} // namespace dsv4
