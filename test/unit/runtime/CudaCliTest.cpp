// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of an executable for a GPU, as the compiler links it: what it
// says without a driver, on the wrong GPU and with too little memory, and what
// it computes with a driver that plays its kernels.

#include "FakeCudaProgram.h"
#include "FakeProgram.h"
#include "SidecarSupport.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <sstream>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Result {
  int code;
  std::string out, err;
};

std::string readFile(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::string folder = DSV4_BINARY_DIR "/test/unit/";
/// A driver whose kernels do nothing, and one that plays those of the program.
const std::string idle = "LD_LIBRARY_PATH=" + folder + "fake-driver ";
const std::string playing = "LD_LIBRARY_PATH=" + folder + "fake-driver-model ";

class CudaCliTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    work = fs::path(folder) / "cuda-cli" / name;
    fs::remove_all(work);
    fs::create_directories(work);
    weights = fake::writeSidecar(fake::program(),
                                 fake::cudaWeights(fake::cudaWeightBytes),
                                 "cuda-cli/" + name + "/weights");
    for (int32_t i = 0; i < 70; ++i)
      tokens.push_back((i * 31 + 5) % fake::vocab);
    std::string header = R"({"tokens":{"dtype":"I32","shape":[70],)"
                         R"("data_offsets":[0,280]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    uint64_t length = header.size();
    std::ofstream out(work / "tokens", std::ios::binary);
    out.write(reinterpret_cast<const char *>(&length), 8);
    out << header;
    out.write(reinterpret_cast<const char *>(tokens.data()), 280);
  }

  Result run(const std::string &environment, const std::string &arguments) {
    std::string all = "cd " + work.string() + " && " + environment +
                      CUDA_EXECUTABLE + " " + arguments +
                      " > stdout 2> stderr < /dev/null";
    int status = system(all.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status),
            readFile(work / "stdout"), readFile(work / "stderr")};
  }

  /// One line of error that has all the words, and no output.
  void expectRefused(const Result &r, int code,
                     const std::vector<std::string> &words) {
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_TRUE(r.out.empty()) << r.out;
    EXPECT_EQ(r.err.rfind("error: ", 0), 0u) << r.err;
    EXPECT_EQ(r.err.find('\n'), r.err.size() - 1) << r.err;
    for (const std::string &word : words)
      EXPECT_NE(r.err.find(word), std::string::npos)
          << "expected '" << word << "' in: " << r.err;
  }

  fs::path work;
  std::string weights;
  std::vector<int32_t> tokens;
};

/// What opens an engine. The file of weights is not there: what is wrong with
/// the GPU is said first. (run and chat open theirs in the same place, behind
/// the tokenizer that the fake program has not.)
const char *const commands[] = {"logits --tokens tokens -o out", "self-test",
                                "bench -p 8 -n 0 -r 1"};

TEST_F(CudaCliTest, NeedsLibcAndLibmAlone) {
  std::string list = (work / "list").string();
  ASSERT_EQ(system(("LC_ALL=C ldd " CUDA_EXECUTABLE " > " + list).c_str()), 0);
  std::istringstream lines(readFile(list));
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.find("libc.so") != std::string::npos ||
                line.find("libm.so") != std::string::npos ||
                line.find("linux-vdso") != std::string::npos ||
                line.find("ld-linux") != std::string::npos)
        << line;
}

TEST_F(CudaCliTest, WithoutADriver) {
  if (system("ldconfig -p | grep -qF libcuda.so.1") == 0)
    GTEST_SKIP() << "a driver is installed here";
  for (std::string command : commands)
    expectRefused(run("", command), 1,
                  {"expected an NVIDIA driver (libcuda.so.1), found none",
                   "install the driver"});
}

TEST_F(CudaCliTest, OnTheWrongMachine) {
  struct {
    const char *environment;
    int code;
    std::vector<std::string> words;
  } cases[] = {
      {"FAKE_CUDA_CC=89 ",
       1,
       {"wrong GPU", "sm_90a", "Fake GPU with sm_89", "--target cuda:sm_89"}},
      {"FAKE_CUDA_SMS=114 ", 1, {"132 multiprocessors", "has 114"}},
      {"FAKE_CUDA_DRIVER=12040 ",
       1,
       {"driver is too old", "CUDA 13.0", "CUDA 12.4"}},
      {"FAKE_CUDA_FREE=1000000 ",
       1,
       {"too little memory on device 0", "1 of 144384 MiB are free",
        "--context"}},
      {"FAKE_CUDA_INIT=100 ", 1, {"finds no GPU", "CUDA_VISIBLE_DEVICES"}}};
  for (const auto &one : cases)
    for (std::string command : commands)
      expectRefused(run(idle + one.environment, command), one.code, one.words);
  for (std::string command : commands)
    expectRefused(run(idle, command + " --device 2"), 2,
                  {"--device: expected 0 to 0, found 2"});
  std::string old = "LD_LIBRARY_PATH=" + folder + "fake-driver-old ";
  for (std::string command : commands)
    expectRefused(run(old, command), 1,
                  {"expected an NVIDIA driver for CUDA 12.3 or newer"});
}

/// Every call of the driver fails once: one line, and nothing held (the fake
/// driver would say so at the end).
TEST_F(CudaCliTest, WhenTheDriverFails) {
  int failed = 0;
  for (int call = 1; call <= 120; call += call < 40 ? 1 : 7) {
    fs::remove(work / "out");
    Result r = run(playing + "FAKE_CUDA_FAIL=" + std::to_string(call) + " ",
                   "logits --tokens tokens -o out --weights " + weights);
    EXPECT_EQ(r.err.find("fake cuda:"), std::string::npos) << r.err;
    if (r.code == 0)
      continue; // one that gives something back
    expectRefused(r, 1, {});
    EXPECT_FALSE(fs::exists(work / "out"));
    ++failed;
  }
  EXPECT_GT(failed, 30);
}

TEST_F(CudaCliTest, LogitsForAnyChunkAndRestore) {
  std::string expected;
  for (size_t n = 1; n <= tokens.size(); ++n)
    for (int64_t v = 0; v < fake::vocab; ++v) {
      float x = fake::expectedLogit(tokens.data(), int64_t(n), v);
      expected.append(reinterpret_cast<const char *>(&x), 4);
    }
  for (std::string flags : {"", "--chunk 1", "--chunk 7 --threads 3",
                            "--verify --quiet", "--save-state-at 33 --chunk 20",
                            "--sequences 2 --chunk 5", "--device 0"}) {
    Result r = run(playing, "logits --tokens tokens -o out --weights " +
                                weights + " " + flags);
    ASSERT_EQ(r.code, 0) << flags << r.err;
    EXPECT_EQ(r.err, "") << flags; // nor does the fake driver say anything
    std::string file = readFile(work / "out");
    uint64_t length;
    ASSERT_GT(file.size(), 8u);
    memcpy(&length, file.data(), 8);
    EXPECT_TRUE(file.substr(8 + length) == expected) << flags;
  }
}

TEST_F(CudaCliTest, SelfTestNamesWhatItSkips) {
  Result r = run(playing, "self-test --weights " + weights);
  EXPECT_EQ(r.code, 1) << r.err; // the fake program has wrong answers
  for (const char *line :
       {"weights against their hashes             ok\n",
        "kernels of quantize                      skipped: ",
        "products of every shape                  skipped: ",
        "one step equals single tokens            ok\n",
        "known answer 'right'                     ok\n",
        "known answer 'wrong'                     another token\n"})
    EXPECT_NE(r.out.find(line), std::string::npos) << line << r.out;
  // Kernels that do nothing are found.
  r = run(idle, "self-test --weights " + weights);
  EXPECT_NE(r.out.find("known answer 'right'                     another"),
            std::string::npos)
      << r.out;
}

TEST_F(CudaCliTest, InfoNeedsNoDriver) {
  Result r = run("", "info -c 200 --weights " + weights);
  ASSERT_EQ(r.code, 0) << r.err;
  for (const char *line :
       {"GPU              cuda:sm_90a, grids for 132 multiprocessors\n",
        "image            cubin for sm_90a, ", "driver of CUDA 13.0 or newer\n",
        "  state          1280 bytes, device, state\n",
        "graph            decode 8: steps of up to 8 tokens with 8 logits "
        "rows, "
        "5 launches, 2 copies, 6 edges (4 of them programmatic)\n",
        "  reduce                          384 threads,  48 registers, 0 bytes "
        "of local memory, 100000 of dynamic shared memory\n"})
    EXPECT_NE(r.out.find(line), std::string::npos) << line << r.out;
  EXPECT_EQ(r.out.find("workers"), std::string::npos) << r.out;
  r = run("", "info -c 200 --json --weights " + weights);
  ASSERT_EQ(r.code, 0) << r.err;
  json cuda = json::parse(r.out)["cuda"];
  EXPECT_EQ(cuda["target"], "cuda:sm_90a");
  EXPECT_EQ(cuda["images"][0]["arch"], "sm_90a");
  EXPECT_EQ(cuda["images"][0]["required_driver"], 13000);
  ASSERT_EQ(cuda["kernels"].size(), 5u);
  EXPECT_EQ(cuda["kernels"][4]["name"], "head");
  EXPECT_EQ(cuda["kernels"][4]["registers"], 64);
  EXPECT_EQ(cuda["kernels"][4]["local_bytes"], 8);
  EXPECT_EQ(cuda["kernels"][3]["dynamic_shared_bytes"], 100000);
  ASSERT_EQ(cuda["parts"].size(), 7u);
  int64_t device = 0, pinned = 0;
  for (const json &part : cuda["parts"]) {
    int64_t bytes = (part["bytes"].get<int64_t>() + 255) / 256 * 256;
    (part["tier"] == "device" ? device : pinned) += bytes;
  }
  EXPECT_EQ(cuda["parts"][1]["bytes"], 1280); // 64 + 2 * 512, aligned
  EXPECT_EQ(cuda["plan"]["device_bytes"], device);
  EXPECT_EQ(cuda["plan"]["pinned_bytes"], pinned);
  ASSERT_EQ(cuda["graphs"].size(), 3u);
  EXPECT_EQ(cuda["graphs"][0]["launches"], 5);
  EXPECT_EQ(cuda["graphs"][0]["copies"], 2);
  EXPECT_EQ(cuda["graphs"][0]["edges"], 6);
  EXPECT_EQ(cuda["graphs"][0]["programmatic_edges"], 4);
}

} // namespace
