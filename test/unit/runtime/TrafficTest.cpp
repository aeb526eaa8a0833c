// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes and multiply-adds of phases, against figures added by hand; and that
// the limits of the machine are measured at all.

#include "runtime/core/traffic.h"
#include "runtime/core/ceiling.h"

#include <gtest/gtest.h>

using namespace dsv4;

namespace {

/// Phase 0: an embedding of 10 rows x 8 bytes. Phase 1: a 32 x 64 product, read
/// with all rows. Phase 2: 4 experts, 16 x 64 each, 2 per token; items are 1
/// tile of each active expert. Phase 3: the head, for output rows. Phase 4:
/// reads state.
class TrafficTest : public testing::Test {
protected:
  dsv4_weight_entry weights[4] = {
      {"embed", 0, 80}, {"w", 128, 2048}, {"e", 4096, 4000}, {"head", 9000, 7}};
  dsv4_operand operands[6] = {
      {DSV4_SPACE_WEIGHTS, 0, {0, 0}},    {DSV4_SPACE_BUFFER, 0, {128, 0}},
      {DSV4_SPACE_WEIGHTS, 0, {128, 0}},  {DSV4_SPACE_WEIGHTS, 0, {4096, 0}},
      {DSV4_SPACE_WEIGHTS, 0, {9000, 0}}, {DSV4_SPACE_STATE, 0, {0, 0}}};
  dsv4_phase phases[5] = {
      {nullptr, "embed", "embed", 0, 1, DSV4_ITEMS_TOKENS, 0, 1, 0, 0, 1, 0},
      {nullptr, "w", "linear", 1, 2, DSV4_ITEMS_ONE, 0, 2, 0, 0, 1, 0},
      {nullptr, "e", "expert_linear", 3, 1, DSV4_ITEMS_ACTIVE_EXPERTS, 0, 1, 0,
       0, 1, 0},
      {nullptr, "h", "linear", 4, 1, DSV4_ITEMS_ONE, 0, 1, 0, 0, 1, 0},
      {nullptr, "a", "attend", 5, 1, DSV4_ITEMS_TOKENS, 0, 1, 0, 0, 1, 0}};
  dsv4_product products[3] = {
      {1, 0, 2, 0, -1, 0, 1, 0, 0, 0, 1, 32, 64, 0, 0, 1},
      {2, 0, 3, 0, 0, 0, 1, 0, 0, 0, 4, 16, 64, 0, 0, 2},
      {3, 0, 4, 0, -1, 0, 1, 0, 1, 0, 1, 10, 8, 0, 0, 1}};
  dsv4_state_read reads[2] = {{4, 0, 5, 0, 100, 16, 6}, {4, 4, 5, 0, 10, 3, 5}};
  dsv4_program program = {};
  int32_t positions[3] = {14, 15, 16};
  dsv4_step step = {};

  void SetUp() override {
    program.weights = weights;
    program.num_weights = 4;
    program.operands = operands;
    program.num_operands = 6;
    program.phases = phases;
    program.num_phases = 5;
    program.products = products;
    program.num_products = 3;
    program.state_reads = reads;
    program.num_state_reads = 2;
    program.limits.vocab = 10;
    program.limits.experts_per_token = 2;
    step.tokens = 3;
    step.outputs = 1;
    step.position = positions;
  }
};

TEST_F(TrafficTest, AnEmbeddingReadsOneRowPerToken) {
  EXPECT_EQ(trafficOf(program, 0, step, 3).weightBytes, 3 * 8);
}

TEST_F(TrafficTest, AMatrixIsReadOncePerStep) {
  Traffic t = trafficOf(program, 1, step, 2);
  EXPECT_EQ(t.weightBytes, 2048);
  EXPECT_EQ(t.multiplyAdds, 3 * 32 * 64);
}

TEST_F(TrafficTest, OnlyActiveExpertsAreRead) {
  Traffic t = trafficOf(program, 2, step, 3);
  EXPECT_EQ(t.weightBytes, 3 * 1000);
  EXPECT_EQ(t.multiplyAdds, 3 * 2 * 16 * 64);
}

TEST_F(TrafficTest, TheHeadWorksForOutputRowsAlone) {
  EXPECT_EQ(trafficOf(program, 3, step, 1).multiplyAdds, 10 * 8);
  EXPECT_EQ(trafficOf(program, 3, step, 1).weightBytes, 7);
  step.outputs = 0; // a chunk in the middle of a prompt
  EXPECT_EQ(trafficOf(program, 3, step, 1).multiplyAdds, 0);
  EXPECT_EQ(trafficOf(program, 3, step, 1).weightBytes, 0);
}

TEST_F(TrafficTest, StateRowsGrowToTheirLimit) {
  // Window rows 15, 16, 16; entries 15 / 4, 16 / 4, 17 / 4, at most 3.
  EXPECT_EQ(trafficOf(program, 4, step, 3).stateBytes,
            100 * (15 + 16 + 16) + 10 * (3 + 3 + 3));
  EXPECT_EQ(trafficOf(program, 4, step, 3).multiplyAdds,
            6 * (15 + 16 + 16) + 5 * (3 + 3 + 3));
}

TEST(Ceiling, MeasuresWithEveryInstructionSet) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(2).isOk());
  Ceiling ceiling;
  ASSERT_TRUE(ceiling.open(pool, 0).isOk());
  EXPECT_GT(ceiling.readBytes(0.01), 1e8);
  EXPECT_GT(ceiling.multiplyAdds(0.01), 1e8);
  ceiling.close();
  pool.stop();
}

/// One worker reads far into its slice; two have slices of half the size.
TEST(Ceiling, OpensAgainWithOtherWorkers) {
  Ceiling ceiling;
  for (int threads : {1, 2}) {
    ThreadPool pool;
    ASSERT_TRUE(pool.start(threads).isOk());
    ASSERT_TRUE(ceiling.open(pool, 0).isOk());
    for (int i = 0; i < 3; ++i)
      EXPECT_GT(ceiling.readBytes(0.03), 1e8);
    ceiling.close();
    pool.stop();
  }
}

/// The same without opening again: where one worker stopped may be beyond the
/// slices of two.
TEST(Ceiling, WorkersStartAgain) {
  ThreadPool pool;
  Ceiling ceiling;
  ASSERT_TRUE(pool.start(1).isOk());
  ASSERT_TRUE(ceiling.open(pool, 0).isOk());
  for (int i = 0; i < 12; ++i) {
    EXPECT_GT(ceiling.readBytes(0.01), 1e8);
    pool.stop();
    ASSERT_TRUE(pool.start(2 - i % 2).isOk());
  }
  ceiling.close();
  pool.stop();
}

} // namespace
