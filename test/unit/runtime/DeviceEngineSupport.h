// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fake program for a GPU with its weights, and the fake driver opened for a
// test: nothing may be wrong or held at the end.

#ifndef DSV4_TEST_UNIT_RUNTIME_DEVICEENGINESUPPORT_H
#define DSV4_TEST_UNIT_RUNTIME_DEVICEENGINESUPPORT_H

#include "FakeCudaProgram.h"
#include "FakeProgram.h"
#include "SidecarSupport.h"
#include "runtime/core/engine.h"
#include "test/unit/device/FakeCuda.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace devengine {

using namespace dsv4;

inline testing::AssertionResult isOk(const Status &status) {
  return status.isOk() ? testing::AssertionSuccess()
                       : testing::AssertionFailure() << status.message;
}

/// Fails unless the error has this code and all the words, in one line that is
/// not cut.
inline void expectError(const Status &status, Code code,
                        const std::vector<std::string> &words) {
  std::string message = status.message;
  EXPECT_EQ(int(status.code), int(code)) << message;
  for (const std::string &word : words)
    EXPECT_NE(message.find(word), std::string::npos)
        << "expected '" << word << "' in: " << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), sizeof(status.message) - 1) << "cut: " << message;
}

inline std::vector<int32_t> someTokens(int64_t count) {
  std::vector<int32_t> tokens;
  uint32_t x = 12345;
  for (int64_t i = 0; i < count; ++i) {
    x = x * 1664525 + 1013904223;
    tokens.push_back(int32_t(x >> 16) % int32_t(fake::vocab));
  }
  return tokens;
}

/// All logits rows of `tokens` behind what `slot` holds, `chunk` at a time.
inline std::vector<float> feedAll(Engine &engine, int64_t slot,
                                  const std::vector<int32_t> &tokens,
                                  int64_t chunk) {
  std::vector<float> rows;
  int64_t count = int64_t(tokens.size());
  for (int64_t at = 0; at < count; at += chunk) {
    int64_t part = std::min(chunk, count - at);
    EXPECT_TRUE(isOk(engine.feed(slot, tokens.data() + at, part, part)));
    rows.insert(rows.end(), engine.logits(0), engine.logits(part));
  }
  return rows;
}

/// Rows are those behind tokens `first`, first + 1, ... of a sequence.
inline void expectRows(const std::vector<float> &rows,
                       const std::vector<int32_t> &sequence, int64_t first) {
  ASSERT_EQ(rows.size() % size_t(fake::vocab), 0u);
  for (size_t i = 0; i < rows.size(); ++i) {
    int64_t count = first + 1 + int64_t(i) / fake::vocab;
    ASSERT_EQ(rows[i], fake::expectedLogit(sequence.data(), count,
                                           int64_t(i) % fake::vocab))
        << count << " tokens, entry " << i % size_t(fake::vocab);
  }
}

inline const char *const fakeLibrary =
    DSV4_BINARY_DIR "/test/unit/fake-driver/libcuda.so.1";

class DeviceEngineTest : public testing::Test {
protected:
  void SetUp() override {
    void *library = dlopen(fakeLibrary, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    auto *entry = reinterpret_cast<fakecuda::Control *(*)()>(
        dlsym(library, "fakeCudaControl"));
    ASSERT_NE(entry, nullptr);
    fake = entry();
    fake->reset();
    fake::setCudaKernels(*fake);
    parts.assign(cuda.parts, cuda.parts + cuda.num_parts);
    cuda.parts = parts.data();
    program = fake::onDevice(fake::program(), cuda);
    weights = fake::writeSidecar(
        program, fake::cudaWeights(fake::cudaWeightBytes),
        std::string("device-engine-") +
            testing::UnitTest::GetInstance()->current_test_info()->name() +
            ".weights");
  }

  void TearDown() override {
    EXPECT_EQ(takeMisuse(), "");
    for (const std::string &one : fake->leaks())
      ADD_FAILURE() << "held at the end: " << one;
    fake->reset();
    std::filesystem::remove(weights);
  }

  EngineOptions options(int64_t sequences = 1) {
    EngineOptions o;
    o.sequences = sequences;
    o.threads = 2;
    o.weightsPath = weights.c_str();
    o.driver = fakeLibrary;
    return o;
  }

  std::string takeMisuse() {
    std::string all;
    for (const std::string &one : fake->misuse())
      all += one + "\n";
    fake->clearMisuse();
    return all;
  }
  bool hasCall(const std::string &name) {
    for (const std::string &one : fake->calls())
      if (one == name)
        return true;
    return false;
  }

  fakecuda::Control *fake = nullptr;
  dsv4_cuda_program cuda = fake::cudaProgram;
  std::vector<dsv4_cuda_part> parts; // of `cuda`
  dsv4_program program;
  std::string weights;
};

} // namespace devengine

#endif // DSV4_TEST_UNIT_RUNTIME_DEVICEENGINESUPPORT_H
