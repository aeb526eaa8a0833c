// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights inside an executable and beside it: found, mapped, checked;
// damaged, cut and swapped files are refused with a message that helps.

#include "compiler/link/WeightsSection.h"

#include "runtime/base/hash.h"
#include "runtime/core/payload_format.h"
#include "runtime/core/weights_file.h"
#include "test/unit/link/LinkTestSupport.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace dsv4;
using namespace dsv4::test;
using llvm::StringRef;

namespace {

constexpr size_t MiB = 1 << 20;

class WeightsTest : public FolderTest {
protected:
  /// Streams `bytes` in uneven portions.
  static PayloadInfo stream(PayloadWriter &writer, StringRef bytes) {
    size_t portion = 1;
    while (!bytes.empty()) {
      StringRef part = bytes.take_front(portion);
      llvm::cantFail(writer.append(part));
      bytes = bytes.drop_front(part.size());
      portion = portion * 3 + 1;
    }
    PayloadInfo info = llvm::cantFail(writer.seal());
    llvm::cantFail(writer.commit());
    return info;
  }

  PayloadInfo embed(const std::string &bytes, const std::string &name = "exe") {
    auto writer = llvm::cantFail(PayloadWriter::embed(elf(), path(name)));
    return stream(writer, bytes);
  }

  PayloadInfo sidecar(const std::string &bytes,
                      const std::string &name = "side") {
    auto writer = llvm::cantFail(PayloadWriter::sidecar(path(name)));
    return stream(writer, bytes);
  }

  static const std::string &elf() {
    static const std::string bytes = linkFixture();
    return bytes;
  }

  static std::string identityOf(const PayloadInfo &info) {
    return {info.sha256.begin(), info.sha256.end()};
  }

  RunResult runExe(const std::string &arguments = "") {
    return run("'" + path("exe") + "' " + arguments);
  }

  /// Opens and verifies in this process, so that sanitizers watch.
  Status openAndVerify(const std::string &name) {
    WeightsFile weights;
    Status status = openEmbeddedWeights(path(name).c_str(), weights);
    if (status.isOk())
      status = verifyChunks(weights, 0, UINT64_MAX);
    closeWeights(weights);
    return status;
  }

  void expectFailure(const RunResult &result, const std::string &text) {
    EXPECT_EQ(result.exitCode, 1) << result.output;
    EXPECT_NE(result.output.find(text), std::string::npos) << result.output;
  }
};

TEST(Xxh64Test, KnownValues) {
  auto hash = [](StringRef text, uint64_t seed = 0) {
    return xxh64(text.data(), text.size(), seed);
  };
  EXPECT_EQ(hash(""), 0xEF46DB3751D8E999ull);
  EXPECT_EQ(hash("a"), 0xD24EC4F1A98C6E5Bull);
  EXPECT_EQ(hash("abc"), 0x44BC2CF5AD770999ull);
  EXPECT_EQ(hash("Nobody inspects the spammish repetition"),
            0xFBCEA83C8A378BF1ull);
}

// Both implementations against LLVM's, at every length around a block and with
// every way of cutting the input in two.
TEST(Sha256Test, EqualsThePortableOne) {
  for (bool fast : {false, true})
    for (size_t size = 0; size < 200; ++size) {
      std::string data = payload(size);
      std::array<uint8_t, 32> expected =
          llvm::SHA256::hash(llvm::arrayRefFromStringRef(data));
      for (size_t cut = 0; cut <= size; cut += 1 + size / 9) {
        Sha256 sha(fast);
        sha.update(StringRef(data).take_front(cut));
        sha.update(StringRef(data).drop_front(cut));
        EXPECT_EQ(sha.final(), expected) << size << " cut at " << cut;
      }
    }
}

TEST_F(WeightsTest, ExecutableFindsItsWeights) {
  for (size_t bytes : {size_t(0), size_t(1), size_t(64), 4 * MiB, 4 * MiB + 1,
                       9 * MiB + 12345}) {
    std::string data = payload(bytes);
    PayloadInfo info = embed(data);
    EXPECT_EQ(info.bytes, bytes);
    RunResult result = runExe();
    EXPECT_EQ(result.exitCode, 0) << result.output;
    EXPECT_EQ(result.output, expectedOutput(data));
  }
}

TEST_F(WeightsTest, IdentityIsTheSha256OfThePayload) {
  std::string data = payload(5 * MiB + 3);
  PayloadInfo info = embed(data);
  llvm::SHA256 sha;
  sha.update(StringRef(data));
  EXPECT_EQ(info.sha256, sha.final());
  WeightsFile weights;
  ASSERT_TRUE(openEmbeddedWeights(path("exe").c_str(), weights).isOk());
  EXPECT_EQ(std::memcmp(weights.sha256, info.sha256.data(), 32), 0);
  closeWeights(weights);
}

TEST_F(WeightsTest, SectionIsAlignedAndNotLoaded) {
  embed(payload(3 * MiB));
  std::string line =
      run("readelf -SW '" + path("exe") + "' | grep dsv4.weights").output;
  EXPECT_NE(line.find("PROGBITS        0000000000000000 200000 "),
            std::string::npos)
      << line;
}

TEST_F(WeightsTest, SameInputSameFile) {
  embed(payload(5 * MiB), "one");
  embed(payload(5 * MiB), "two");
  EXPECT_TRUE(readFile(path("one")) == readFile(path("two")));
}

TEST_F(WeightsTest, GnuStripAndObjcopyKeepTheWeights) {
  std::string data = payload(5 * MiB);
  embed(data);
  for (const char *tool : {"strip", "objcopy"}) {
    RunResult result = run(std::string(tool) + " '" + path("exe") + "'");
    ASSERT_EQ(result.exitCode, 0) << result.output;
    RunResult after = runExe();
    EXPECT_EQ(after.exitCode, 0) << tool << ": " << after.output;
    EXPECT_EQ(after.output, expectedOutput(data)) << tool;
  }
}

TEST_F(WeightsTest, AWeightsSectionThatWasRemovedIsExplained) {
  embed(payload(MiB));
  ASSERT_EQ(run("objcopy -R .dsv4.weights '" + path("exe") + "'").exitCode, 0);
  expectFailure(runExe(), "no section .dsv4.weights in executable");
}

TEST_F(WeightsTest, EveryFlippedPayloadBitIsFound) {
  std::string data = payload(9 * MiB);
  embed(data);
  std::string good = readFile(path("exe"));
  size_t start = good.size() - data.size();
  start = 2 * MiB; // the first multiple of 2 MiB behind a small ELF
  ASSERT_EQ(good.compare(start, data.size(), data), 0);
  for (size_t at : {size_t(0), 4 * MiB - 1, 4 * MiB, 9 * MiB - 1}) {
    std::string bad = good;
    bad[start + at] ^= 0x10;
    writeFile(path("exe"), bad);
    size_t chunk = at / (4 * MiB);
    expectFailure(runExe(), "weights are damaged: chunk " +
                                std::to_string(chunk) + " of 3");
  }
}

TEST_F(WeightsTest, EveryFlippedByteOfTableAndFooterIsFound) {
  std::string data = payload(4 * MiB + 8);
  embed(data);
  std::string good = readFile(path("exe"));
  size_t table = 2 * MiB + data.size();
  for (size_t at = table; at < table + 16 + sizeof(dsv4_payload_footer); ++at) {
    std::string bad = good;
    bad[at] ^= 1;
    writeFile(path("bad"), bad);
    EXPECT_FALSE(openAndVerify("bad").isOk()) << "offset " << at - table;
  }
}

// Whatever stands in the ELF header or the section headers: an answer, never a
// crash, and never weights that differ from what was written.
TEST_F(WeightsTest, HostileHeadersNeverCrash) {
  std::string data = payload(1000);
  embed(data);
  std::string good = readFile(path("exe"));
  uint64_t sections;
  std::memcpy(&sections, good.data() + 40, 8); // e_shoff
  std::vector<size_t> places;
  for (size_t at = 0; at < 64; ++at)
    places.push_back(at);
  for (size_t at = good.size() - 2 * 64; at < good.size(); ++at)
    places.push_back(at);
  int refused = 0;
  for (size_t at : places)
    for (int value : {0x00, 0x7f, 0x80, 0xff}) {
      std::string bad = good;
      if (bad[at] == static_cast<char>(value))
        continue;
      bad[at] = static_cast<char>(value);
      writeFile(path("bad"), bad);
      WeightsFile weights;
      Status status = openEmbeddedWeights(path("bad").c_str(), weights);
      if (status.isOk()) {
        ASSERT_EQ(weights.bytes, data.size());
        EXPECT_EQ(std::memcmp(weights.data, data.data(), data.size()), 0);
        closeWeights(weights);
      } else {
        EXPECT_NE(status.message[0], 0);
        ++refused;
      }
    }
  EXPECT_GT(refused, 60);
}

TEST_F(WeightsTest, TruncatedExecutableSaysSo) {
  embed(payload(5 * MiB));
  std::string good = readFile(path("exe"));
  for (size_t size : {good.size() - 1, good.size() - 100, 6 * MiB, 2 * MiB}) {
    writeFile(path("exe"), good.substr(0, size));
    expectFailure(runExe(), "executable is truncated: expected " +
                                std::to_string(good.size()) + " bytes, found " +
                                std::to_string(size));
  }
  for (size_t size : {size_t(0), size_t(10), size_t(63)}) {
    writeFile(path("bad"), good.substr(0, size));
    EXPECT_EQ(openAndVerify("bad").code, Code::Corrupt);
  }
}

TEST_F(WeightsTest, SidecarBelongsToItsExecutable) {
  std::string data = payload(5 * MiB + 1);
  PayloadInfo info = sidecar(data);
  llvm::cantFail(writeExecutable(linkFixture(identityOf(info)), path("exe")));
  RunResult result = runExe("'" + path("side") + "'");
  EXPECT_EQ(result.output, expectedOutput(data));
  EXPECT_EQ(result.exitCode, 0);

  sidecar(payload(5 * MiB + 1, 2), "other");
  expectFailure(runExe("'" + path("other") + "'"),
                "belongs to another executable");
  expectFailure(runExe("'" + path("none") + "'"), "No such file");
  expectFailure(runExe("'" + path("exe") + "'"),
                "expected a weights file of dsv4c");
}

TEST_F(WeightsTest, DamagedSidecarIsRefused) {
  std::string data = payload(4 * MiB + 16);
  PayloadInfo info = sidecar(data);
  llvm::cantFail(writeExecutable(linkFixture(identityOf(info)), path("exe")));
  std::string good = readFile(path("side"));
  std::vector<size_t> places;
  for (size_t at = 0; at < sizeof(dsv4_sidecar_header); at += 3)
    places.push_back(at);
  for (size_t at = 2 * MiB + data.size(); at < good.size(); at += 7)
    places.push_back(at);
  places.push_back(2 * MiB);
  for (size_t at : places) {
    std::string bad = good;
    bad[at] ^= 0x40;
    writeFile(path("bad"), bad);
    RunResult result = runExe("'" + path("bad") + "'");
    EXPECT_EQ(result.exitCode, 1) << "offset " << at << result.output;
  }
  writeFile(path("bad"), good.substr(0, good.size() - 4096 * 100));
  expectFailure(runExe("'" + path("bad") + "'"), "weights file is truncated");
  writeFile(path("bad"), good + "x");
  expectFailure(runExe("'" + path("bad") + "'"), "contradict");
}

TEST_F(WeightsTest, NothingAppearsBeforeCommit) {
  auto writer = llvm::cantFail(PayloadWriter::sidecar(path("side")));
  llvm::cantFail(writer.append("abc"));
  llvm::cantFail(writer.seal());
  EXPECT_FALSE(std::filesystem::exists(path("side")));
  llvm::cantFail(writer.commit());
  EXPECT_TRUE(std::filesystem::exists(path("side")));
}

TEST_F(WeightsTest, RefusesToEmbedIntoSomethingElse) {
  auto writer = PayloadWriter::embed("#!/bin/sh\n", path("exe"));
  ASSERT_FALSE(bool(writer));
  EXPECT_NE(llvm::toString(writer.takeError()).find("expected a linked"),
            std::string::npos);
  EXPECT_TRUE(contents().empty());
}

} // namespace
