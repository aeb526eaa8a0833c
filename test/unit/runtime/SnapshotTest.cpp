// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Snapshots: a restored sequence goes on as if nothing had happened, in any
// slot; anything else than a snapshot of this program and context is refused.

#include "FakeProgram.h"
#include "runtime/core/engine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace dsv4 {
namespace {

class SnapshotTest : public testing::Test {
protected:
  void SetUp() override {
    EngineOptions options;
    options.threads = 2;
    options.sequences = 2;
    Status status = engine.open(fake::program(), options);
    ASSERT_TRUE(status.isOk()) << status.message;
    for (int32_t i = 0; i < 90; ++i)
      tokens.push_back((i * 29 + 7) % fake::vocab);
    ASSERT_TRUE(engine.prefill(0, tokens.data(), 50).isOk());
    snapshot.resize(engine.snapshotBytes());
    ASSERT_TRUE(engine.save(0, snapshot.data()).isOk());
  }
  void TearDown() override { engine.close(); }

  void expectContinuation(int64_t slot) {
    ASSERT_EQ(engine.length(slot), 50);
    ASSERT_TRUE(engine.prefill(slot, tokens.data() + 50, 40).isOk());
    for (int64_t v = 0; v < fake::vocab; ++v)
      ASSERT_EQ(engine.logits(0)[v], fake::expectedLogit(tokens.data(), 90, v));
  }

  void expectRefused(Code code) {
    Status status = engine.restore(1, snapshot.data(), snapshot.size());
    EXPECT_EQ(status.code, code) << status.message;
    EXPECT_EQ(engine.length(1), 0);
  }

  Engine engine;
  std::vector<int32_t> tokens;
  std::vector<char> snapshot;
};

TEST_F(SnapshotTest, GoesOnInAnotherSlot) {
  ASSERT_TRUE(engine.reset(0).isOk());
  ASSERT_TRUE(engine.restore(1, snapshot.data(), snapshot.size()).isOk());
  expectContinuation(1);
}

TEST_F(SnapshotTest, GoesOnInTheSameSlot) {
  ASSERT_TRUE(engine.prefill(0, tokens.data(), 30).isOk());
  ASSERT_TRUE(engine.restore(0, snapshot.data(), snapshot.size()).isOk());
  expectContinuation(0);
}

TEST_F(SnapshotTest, SameTokensSameBytes) {
  ASSERT_TRUE(engine.reset(0).isOk());
  ASSERT_TRUE(engine.prefill(0, tokens.data() + 3, 80).isOk());
  ASSERT_TRUE(engine.reset(0).isOk());
  ASSERT_TRUE(engine.prefill(0, tokens.data(), 50).isOk());
  std::vector<char> again(snapshot.size());
  ASSERT_TRUE(engine.save(0, again.data()).isOk());
  EXPECT_EQ(again, snapshot);
}

TEST_F(SnapshotTest, EveryFlippedByteIsFound) {
  for (size_t at = 0; at < snapshot.size(); at += at < 64 ? 1 : 97) {
    snapshot[at] = static_cast<char>(snapshot[at] ^ 0x40);
    Status status = engine.restore(1, snapshot.data(), snapshot.size());
    EXPECT_TRUE(status.code == Code::Corrupt || status.code == Code::Mismatch)
        << "byte " << at << ": " << status.message;
    EXPECT_EQ(engine.length(1), 0);
    snapshot[at] = static_cast<char>(snapshot[at] ^ 0x40);
  }
  EXPECT_TRUE(engine.restore(1, snapshot.data(), snapshot.size()).isOk());
}

TEST_F(SnapshotTest, WrongSizes) {
  snapshot.pop_back();
  expectRefused(Code::Mismatch);
  snapshot.resize(10);
  expectRefused(Code::Mismatch);
  snapshot.clear();
  expectRefused(Code::Mismatch);
}

TEST_F(SnapshotTest, OtherProgramOrContext) {
  engine.close();
  EngineOptions options;
  options.threads = 1;
  options.sequences = 2;
  dsv4_program other = fake::program();
  other.identity = "another model";
  ASSERT_TRUE(engine.open(other, options).isOk());
  expectRefused(Code::Mismatch);
  engine.close();
  other = fake::program();
  other.weights_hash[5] ^= 1;
  ASSERT_TRUE(engine.open(other, options).isOk());
  expectRefused(Code::Mismatch);
  engine.close();
  options.context = 128; // the same rounded stride, another context
  ASSERT_TRUE(engine.open(fake::program(), options).isOk());
  expectRefused(Code::Mismatch);
}

} // namespace
} // namespace dsv4
