// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tests of the phases on a GPU (docs/cuda-hardware-tests.md):
//
//   dsv4-hardware list FILE.cu    under emulation, noting the kernels
//   dsv4-hardware emulate         under emulation, as a check of the tests
//   dsv4-hardware test CUBIN      on a GPU; goes on in a new process after a
//                                 fault or a launch that does not end
//   dsv4-hardware time CUBIN      times on a GPU
//
// Options of GoogleTest may follow.

#include "test/hardware/Executor.h"
#include "test/hardware/Gpu.h"
#include "test/hardware/Timings.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace dsv4::cuda::test {
namespace {

/// Says to the process that started this one how far it came.
class Progress : public testing::EmptyTestEventListener {
public:
  explicit Progress(int to) : to(to) {}

private:
  void say(char what, const testing::TestInfo &info) const {
    std::string line = std::string(1, what) + info.test_suite_name() + "." +
                       info.name() + "\n";
    (void)!write(to, line.data(), line.size());
  }
  void OnTestStart(const testing::TestInfo &info) override { say('>', info); }
  void OnTestEnd(const testing::TestInfo &info) override {
    fflush(stdout);
    say(info.result()->Passed() ? '+' : '-', info);
  }
  int to;
};

bool openGpu(Gpu &gpu, const char *cubin, u64 bytes) {
  Status status = gpu.open(cubin, bytes);
  if (!status.isOk()) {
    printf("dsv4-hardware: %s\n", status.message);
    return false;
  }
  const DeviceInfo &info = gpu.info();
  printf("%s, sm_%d, %d multiprocessors, %.1f GiB, driver %d\n", info.name,
         info.capability, info.multiprocessors,
         double(info.totalBytes) / (1 << 30), info.driverVersion);
  return true;
}

/// What a process that ran tests has said.
struct Outcome {
  std::vector<std::string> passed, failed, lost; // lost: in the middle of it
  int code = 0;
};

Outcome runChild(const char *cubin, const std::string &filter,
                 bool programmatic) {
  int ends[2];
  if (pipe(ends))
    abort();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    static Gpu gpu;
    if (!openGpu(gpu, cubin, Gpu::testBytes)) {
      fflush(stdout);
      _exit(NoGpu);
    }
    setting = {&gpu, nullptr, programmatic};
    testing::GTEST_FLAG(filter) = filter;
    testing::UnitTest::GetInstance()->listeners().Append(new Progress(ends[1]));
    int code = RUN_ALL_TESTS();
    fflush(stdout);
    _exit(code);
  }
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;)
    text.append(part, size_t(n));
  close(ends[0]);
  Outcome outcome;
  int status = 0;
  waitpid(child, &status, 0);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  std::string open;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    std::string name = text.substr(at + 1, end - at - 1);
    if (text[at] == '>')
      open = name;
    else
      open.clear(),
          (text[at] == '+' ? outcome.passed : outcome.failed).push_back(name);
    at = end + 1;
  }
  if (!open.empty())
    outcome.lost.push_back(open);
  return outcome;
}

void append(std::vector<std::string> &to,
            const std::vector<std::string> &from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::string joined(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ":") + name;
  return text;
}

/// All tests, then those that failed once more with full edges, which tells
/// wrong waits from wrong numbers.
int runTests(const char *cubin) {
  constexpr time_t most = 150; // seconds
  time_t begin = time(nullptr);
  std::string chosen = testing::GTEST_FLAG(filter);
  Outcome all;
  for (int tries = 0; tries < 40 && time(nullptr) - begin < most; ++tries) {
    std::vector<std::string> done = all.passed;
    append(done, all.failed);
    append(done, all.lost);
    std::string filter = chosen;
    if (!done.empty())
      filter +=
          (chosen.find('-') == std::string::npos ? "-" : ":") + joined(done);
    Outcome now = runChild(cubin, filter, true);
    if (now.code == NoGpu)
      return NoGpu;
    append(all.passed, now.passed);
    append(all.failed, now.failed);
    append(all.lost, now.lost);
    if (now.lost.empty())
      break;
    printf("\nLOST in %s (exit %d); going on with the others\n",
           now.lost[0].c_str(), now.code);
  }
  std::vector<std::string> bad = all.failed;
  append(bad, all.lost);
  for (const std::string &name : bad) {
    if (time(nullptr) - begin > most)
      break;
    printf("\n==== %s once more, with full edges\n", name.c_str());
    Outcome again = runChild(cubin, name, false);
    printf("==== %s with full edges: %s\n", name.c_str(),
           !again.lost.empty()    ? "lost"
           : again.failed.empty() ? "passes"
                                  : "fails");
  }
  printf("\nSUMMARY: %zu passed, %zu failed, %zu lost, %ld s\n",
         all.passed.size(), all.failed.size(), all.lost.size(),
         long(time(nullptr) - begin));
  for (const std::string &name : all.failed)
    printf("SUMMARY: failed %s\n", name.c_str());
  for (const std::string &name : all.lost)
    printf("SUMMARY: lost %s\n", name.c_str());
  return bad.empty() ? 0 : 1;
}

int listKernels(const char *path) {
  KernelList list;
  setting.list = &list;
  int code = RUN_ALL_TESTS();
  Gpu gpu;
  gpu.openList(list);
  runTimings(gpu);
  std::ofstream(path) << list.source();
  printf("%zu kernels in %s\n", list.size(), path);
  return code;
}

int usage() {
  fprintf(stderr, "usage: dsv4-hardware list FILE.cu | emulate | test CUBIN | "
                  "time CUBIN\n");
  return 2;
}

int run(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string command = argc > 1 ? argv[1] : "";
  if (command == "emulate")
    return RUN_ALL_TESTS();
  if (argc < 3)
    return usage();
  if (command == "list")
    return listKernels(argv[2]);
  if (command == "test")
    return runTests(argv[2]);
  if (command != "time")
    return usage();
  Gpu gpu;
  if (!openGpu(gpu, argv[2], Gpu::timeBytes))
    return NoGpu;
  runTimings(gpu);
  return 0;
}

} // namespace
} // namespace dsv4::cuda::test

int main(int argc, char **argv) { return dsv4::cuda::test::run(argc, argv); }
