// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands that need no text, run in an executable made of the runtime and
// the hand-written program: linked with libc and libm alone, right answers,
// readable output, clear errors, nothing half-written.

#include "FakeProgram.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

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

class CliTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    work = fs::path(DSV4_BINARY_DIR) / "test/unit/cli" / name;
    fs::remove_all(work);
    fs::create_directories(work);
    for (int32_t i = 0; i < 70; ++i)
      tokens.push_back((i * 31 + 5) % fake::vocab);
    writeTokens("good", R"({"tokens":{"dtype":"I32","shape":[70],)"
                        R"("data_offsets":[0,280]}})");
  }

  /// Header length as it is, or `length` in its place.
  void writeTokens(const std::string &name, std::string header,
                   uint64_t length = 0) {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::ofstream out(work / name, std::ios::binary);
    length = length ? length : header.size();
    out.write(reinterpret_cast<const char *>(&length), 8);
    out << header;
    out.write(reinterpret_cast<const char *>(tokens.data()),
              static_cast<std::streamsize>(4 * tokens.size()));
  }

  Result shell(const std::string &command) {
    std::string all = "cd " + work.string() + " && { " + command +
                      "; } > stdout 2> stderr < /dev/null";
    int status = system(all.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status),
            readFile(work / "stdout"), readFile(work / "stderr")};
  }
  Result run(const std::string &arguments) {
    return shell(std::string(FAKE_EXECUTABLE) + " " + arguments);
  }
  /// Whether an unfinished output lies about.
  bool hasPart() {
    for (const fs::directory_entry &entry : fs::directory_iterator(work))
      if (entry.path().extension() == ".part")
        return true;
    return false;
  }

  fs::path work;
  std::vector<int32_t> tokens;
};

TEST_F(CliTest, NeedsLibcAndLibmAlone) {
  Result r = shell(std::string("LC_ALL=C ldd ") + FAKE_EXECUTABLE);
  ASSERT_EQ(r.code, 0) << r.err;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(line.find("libc.so") != std::string::npos ||
                line.find("libm.so") != std::string::npos ||
                line.find("linux-vdso") != std::string::npos ||
                line.find("ld-linux") != std::string::npos)
        << line;
}

TEST_F(CliTest, LogitsForAnyChunkThreadsAndRestore) {
  std::string expected;
  for (size_t n = 1; n <= tokens.size(); ++n)
    for (int64_t v = 0; v < fake::vocab; ++v) {
      float x = fake::expectedLogit(tokens.data(), static_cast<int64_t>(n), v);
      expected.append(reinterpret_cast<const char *>(&x), 4);
    }
  for (std::string flags : {"", "--chunk 1", "--chunk 7 --threads 3",
                            "--threads 8", "--save-state-at 33 --chunk 20"}) {
    Result r = run("logits --tokens good -o out " + flags);
    ASSERT_EQ(r.code, 0) << flags << r.err;
    std::string file = readFile(work / "out");
    uint64_t length;
    ASSERT_GT(file.size(), 8u);
    memcpy(&length, file.data(), 8);
    json header = json::parse(file.substr(8, length));
    EXPECT_EQ(header["logits"]["dtype"], "F32");
    EXPECT_EQ(header["logits"]["shape"], json({70, fake::vocab}));
    EXPECT_TRUE(file.substr(8 + length) == expected) << flags;
    EXPECT_FALSE(hasPart());
  }
}

TEST_F(CliTest, TokensAmongOtherEntries) {
  writeTokens("others",
              R"({"__metadata__":{"tokens":"}{\\"tokens\\":","a":"["},)"
              R"("x":{"dtype":"F32","shape":[1],"data_offsets":[276,280]}, )"
              R"("tokens" : {"shape":[ 69 ],"data_offsets":[0, 276],)"
              R"("dtype" : "I32"}})");
  writeTokens("alone", R"({"tokens":{"dtype":"I32","shape":[69],)"
                       R"("data_offsets":[0,276]}})");
  for (const char *name : {"others", "alone"}) {
    Result r =
        run(std::string("logits --tokens ") + name + " -o " + name + ".out");
    ASSERT_EQ(r.code, 0) << r.err;
  }
  EXPECT_TRUE(readFile(work / "others.out") == readFile(work / "alone.out"));
}

TEST_F(CliTest, BadTokenFiles) {
  const char *good = R"({"tokens":{"dtype":"I32","shape":[70],)";
  auto entry = [&](const char *rest) { return std::string(good) + rest; };
  writeTokens("length63", entry(R"("data_offsets":[0,280]}})"), 1ull << 63);
  writeTokens("lengthBeyond", entry(R"("data_offsets":[0,280]}})"), 4000);
  writeTokens("outOfRange", entry(R"("data_offsets":[0,284]}})"));
  writeTokens("far", entry(R"("data_offsets":[18446744073709551336,0]}})"));
  writeTokens("reversed", entry(R"("data_offsets":[280,0]}})"));
  writeTokens("misfit", entry(R"("data_offsets":[0,276]}})"));
  writeTokens("noOffsets", entry(R"("x":1}})"));
  writeTokens("cut", R"({"tokens":{"dtype":"I32","shape":[70)");
  writeTokens("dtype", R"({"tokens":{"dtype":"F32","shape":[70],)"
                       R"("data_offsets":[0,280]}})");
  writeTokens("rank", R"({"tokens":{"dtype":"I32","shape":[7,10],)"
                      R"("data_offsets":[0,280]}})");
  writeTokens("huge", R"({"tokens":{"dtype":"I32","shape":)"
                      R"([4611686018427387974],"data_offsets":[0,280]}})");
  writeTokens("name", R"({"token":{"dtype":"I32","shape":[70],)"
                      R"("data_offsets":[0,280]}})");
  writeTokens("other", R"({"tokens":{"dtype":"F32"},"b":{"dtype":"I32",)"
                       R"("shape":[70],"data_offsets":[0,280]}})");
  writeTokens("twice", R"({"tokens":{"dtype":"I32","shape":[70],)"
                       R"("data_offsets":[0,280]},"tokens":{"dtype":"I32",)"
                       R"("shape":[70],"data_offsets":[0,280]}})");
  writeTokens("inside", R"({"__metadata__":{"tokens":{"dtype":"I32",)"
                        R"("shape":[70],"data_offsets":[0,280]}}})");
  writeTokens("text", R"({"tokens":"I32 \\)");
  std::ofstream(work / "empty").close();
  std::ofstream(work / "short") << "1234567";
  tokens[3] = -7;
  writeTokens("badToken", entry(R"("data_offsets":[0,280]}})"));
  for (const char *name :
       {"length63",  "lengthBeyond", "outOfRange", "far",  "reversed", "misfit",
        "noOffsets", "cut",          "dtype",      "rank", "huge",     "name",
        "other",     "twice",        "inside",     "text", "empty",    "short",
        "badToken",  "missing",      "."}) {
    Result r = run(std::string("logits --tokens ") + name + " -o out");
    EXPECT_TRUE(r.code == 1 || r.code == 2) << name << " " << r.code;
    EXPECT_EQ(r.err.rfind("error: ", 0), 0u) << name << ": " << r.err;
    EXPECT_FALSE(fs::exists(work / "out")) << name;
    EXPECT_FALSE(hasPart()) << name;
  }
}

TEST_F(CliTest, OtherFilesStay) {
  std::ofstream(work / "out.part") << "mine";
  ASSERT_EQ(run("logits --tokens good -o out").code, 0);
  EXPECT_EQ(readFile(work / "out.part"), "mine");
}

TEST_F(CliTest, MoreTokensThanTheContextAreRefusedAtOnce) {
  tokens.resize(1100, 1);
  writeTokens("long", R"({"tokens":{"dtype":"I32","shape":[1100],)"
                      R"("data_offsets":[0,4400]}})");
  Result r = run("logits --tokens long -o out");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("long has 1100 tokens"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("1024"), std::string::npos) << r.err;
  EXPECT_FALSE(hasPart());
}

TEST_F(CliTest, InfoOfAProgramWithoutWeights) {
  Result r = run("info --context 200");
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("200 tokens of at most 1024"), std::string::npos);
  r = run("info --json --context 200");
  ASSERT_EQ(r.code, 0) << r.err;
  json info = json::parse(r.out);
  EXPECT_EQ(info["state_bytes"], 64 + 2 * 128 * 4); // two blocks
  EXPECT_EQ(info["phases"], 6);
}

TEST_F(CliTest, SelfTestTellsRightAnswersFromWrongAndDamagedOnes) {
  Result r = run("self-test");
  EXPECT_EQ(r.code, 1) << r.err;
  std::istringstream lines(r.out);
  std::string all;
  for (std::string line; std::getline(lines, line);)
    if (size_t at = line.find("known answer '"); at == 0) {
      size_t verdict = line.find_first_not_of(' ', line.rfind('\'') + 1);
      all += line.substr(14, line.rfind('\'') - 14) + ": " +
             line.substr(verdict) + "\n";
    }
  EXPECT_EQ(all,
            "right: ok\nwrong: another token\n"
            "beyond: the sample is damaged\nhuge: the sample is damaged\n");
  EXPECT_NE(r.out.find("one step equals single tokens            ok\n"),
            std::string::npos)
      << r.out;
  EXPECT_NE(r.out.find("FAILED\n"), std::string::npos) << r.out;
}

TEST_F(CliTest, LittleAddressSpace) {
  auto limited = [&](const char *kilobytes, const std::string &arguments) {
    return shell(std::string("ulimit -v ") + kilobytes + "; exec " +
                 FAKE_EXECUTABLE + " " + arguments);
  };
  // Nothing is taken before it is needed.
  Result r = limited("20000", "--version");
  EXPECT_EQ(r.code, 0) << r.err;
  r = limited("20000", "run -f good");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("too little memory"), std::string::npos) << r.err;
  r = limited("500000", "bench -p 8 -n 0 -r 1 -t 1");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("--no-ceiling"), std::string::npos) << r.err;
}

TEST_F(CliTest, TextThatIsTooLong) {
  Result r = shell("head -c 16777217 /dev/zero > text; exec " FAKE_EXECUTABLE
                   " run -f text");
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("at most 16777216 bytes"), std::string::npos) << r.err;
  r = shell("head -c 16777216 /dev/zero | " FAKE_EXECUTABLE " run");
  EXPECT_NE(r.err.find("--no-tokenizer"), std::string::npos) << r.err;
}

TEST_F(CliTest, OutputThatCannotBeWritten) {
  Result r = run("logits --tokens good -o nowhere/out");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("nowhere/out"), std::string::npos) << r.err;
  // 1024 bytes: the limit of a file's size stands in for a full disk.
  r = shell(std::string("ulimit -f 1; exec ") + FAKE_EXECUTABLE +
            " logits --tokens good -o out");
  EXPECT_EQ(r.code, 1);
  EXPECT_NE(r.err.find("File too large"), std::string::npos) << r.err;
  EXPECT_FALSE(fs::exists(work / "out"));
  EXPECT_FALSE(hasPart());
  for (const char *what : {"bench -p 8 -n 0 -r 1 --no-ceiling -o json", "info",
                           "self-test", "--version", "--help", "run --help"})
    for (const char *where : {"/dev/full", "&-"}) {
      r = run(std::string(what) + " >" + where);
      EXPECT_EQ(r.code, 1) << what << where;
      EXPECT_NE(r.err.find("cannot write"), std::string::npos) << what << r.err;
    }
}

TEST_F(CliTest, BenchSpeaksLikeLlamaBench) {
  Result r = run("bench -p 16,40 -n 5 -d 0,8 -r 3 -t 1,2 -o json");
  ASSERT_EQ(r.code, 0) << r.err;
  json all = json::parse(r.out);
  ASSERT_EQ(all.size(), 12u);
  for (const json &test : all) {
    for (const char *key :
         {"build_commit", "build_number", "cpu_info", "model_filename",
          "model_type", "model_size", "n_batch", "n_prompt", "n_gen", "n_depth",
          "n_threads", "test_time", "avg_ns", "stddev_ns", "avg_ts",
          "stddev_ts", "samples_ns", "samples_ts"})
      EXPECT_TRUE(test.contains(key)) << key;
    EXPECT_EQ(test["model_filename"], "RuntimeFakeExecutable");
    EXPECT_EQ(test["build_commit"], "unknown");
    EXPECT_EQ(test["build_number"], 0);
    EXPECT_EQ(test["version"].get<std::string>().rfind("dsv4c ", 0), 0u);
    ASSERT_EQ(test["samples_ns"].size(), 3u);
    double sum = 0;
    for (double ns : test["samples_ns"]) {
      EXPECT_GT(ns, 0);
      sum += ns;
    }
    EXPECT_NEAR(test["avg_ns"].get<double>(), sum / 3, 1);
    EXPECT_EQ(test["n_prompt"].get<int>() == 0, test["n_gen"].get<int>() != 0);
  }
  EXPECT_EQ(all[5]["n_gen"], 5);
  EXPECT_EQ(all[5]["n_depth"], 8);
  EXPECT_EQ(all[6]["n_threads"], 2);

  r = run("bench -p 16 -n 4 -r 1 -o jsonl");
  std::istringstream lines(r.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_TRUE(json::parse(line).contains("avg_ts"));
  EXPECT_EQ(count, 2);
  r = run("bench -p 16 -n 4 -d 8 -r 1");
  EXPECT_NE(r.out.find("| pp16 @ d8 |"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("| tg4 @ d8 |"), std::string::npos) << r.out;
  r = run("bench -p 16 -n 4 -r 1 -o csv");
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 3) << r.out;
  EXPECT_EQ(r.out.rfind("build_commit,build_number,cpu_info,", 0), 0u);
  EXPECT_NE(r.out.find(",\"16\",\"0\",\"0\",\""), std::string::npos) << r.out;
}

TEST_F(CliTest, BenchAndInfoSayThePlan) {
  Result r =
      run("bench -p 8 -n 4 -r 1 -t 1,2 -s 2 -c 200 --no-ceiling -o json");
  ASSERT_EQ(r.code, 0) << r.err;
  for (const json &test : json::parse(r.out)) {
    int64_t threads = test["n_threads"];
    EXPECT_EQ(test["plan_state_bytes"], 2 * 4096); // whole pages
    EXPECT_EQ(test["plan_scratch_bytes"], threads * 4096);
    EXPECT_EQ(test["plan_buffer_bytes"], 8192 + 32 * 48 * 4 + 2 * 512);
    int64_t sum = 0;
    for (const char *part : {"state", "buffer", "scratch", "rest"})
      sum += test["plan_" + std::string(part) + "_bytes"].get<int64_t>();
    EXPECT_EQ(test["plan_bytes"], sum);
    EXPECT_GT(test["anon_peak_bytes"], 0);
  }
  r = run("info --json -c 200");
  json plan = json::parse(r.out)["plan"];
  EXPECT_EQ(plan["sequences"], 1);
  EXPECT_EQ(plan["state_bytes"], 4096);
  EXPECT_EQ(plan["scratch_bytes"], 4096 * plan["workers"].get<int64_t>());
  EXPECT_EQ(plan["bytes"], plan["state_bytes"].get<int64_t>() +
                               plan["buffer_bytes"].get<int64_t>() +
                               plan["scratch_bytes"].get<int64_t>() +
                               plan["rest_bytes"].get<int64_t>());
  r = run("info -c 200");
  EXPECT_NE(r.out.find("\nplan             " +
                       std::to_string(plan["bytes"].get<int64_t>()) +
                       " bytes with 1 sequence and "),
            std::string::npos)
      << r.out;
}

TEST_F(CliTest, BenchSaysHowLongATokenTakes) {
  Result r = run("bench -p 40 -n 5 -d 0,8 -r 4 -s 1,2 --no-ceiling -o json");
  ASSERT_EQ(r.code, 0) << r.err;
  for (const json &test : json::parse(r.out)) {
    std::vector<double> took = test["samples_ns"];
    std::sort(took.begin(), took.end());
    if (test["n_prompt"] == 40) {
      EXPECT_NEAR(test["ttft_ms"], (took[1] + took[2]) / 2e6, 1e-5);
      EXPECT_TRUE(test["tpot_ms_p50"].is_null());
      EXPECT_TRUE(test["tpot_ms_p99"].is_null());
      continue;
    }
    EXPECT_TRUE(test["ttft_ms"].is_null());
    // Half of the steps take as long as the median or less, and the slowest,
    // which it is among 20 steps, fits into its repetition.
    double median = test["tpot_ms_p50"], slowest = test["tpot_ms_p99"];
    EXPECT_GT(median, 0);
    EXPECT_GE(slowest, median);
    double all = 0;
    for (double ns : took)
      all += ns * 1e-6;
    EXPECT_LE(10 * median + slowest, all + 1e-4);
    EXPECT_LE(slowest, took[3] * 1e-6 + 1e-6);
    EXPECT_GE(slowest, took[0] * 1e-6 / 10);
  }
  r = run("bench -p 8 -n 2 -r 1 --no-ceiling -o csv");
  EXPECT_NE(r.out.find(",avg_ts_per_seq,ttft_ms,tpot_ms_p50,tpot_ms_p99"),
            std::string::npos)
      << r.out;
  r = run("bench -p 0 -n 2 -r 1 -s 1,2 --no-ceiling");
  EXPECT_NE(r.out.find("| of the dot limit | bytes/token |\n"),
            std::string::npos);
  EXPECT_NE(r.out.find(" | 0.000 MB |\n"), std::string::npos) << r.out;
}

/// Rows of a CSV, header included.
std::vector<std::vector<std::string>> readCsv(const std::string &text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');)
      rows.back().push_back(cell);
  }
  return rows;
}

TEST_F(CliTest, BenchPrintsTheTableOfDs4Bench) {
  // The context has room for the last frontier and its generation alone: state
  // that is not restored to each frontier runs out of it.
  Result r = run("bench -p 40,150,256 -n 100 -t 2 -o ds4");
  ASSERT_EQ(r.code, 0) << r.err;
  auto rows = readCsv(r.out);
  ASSERT_EQ(rows.size(), 4u) << r.out;
  EXPECT_EQ(r.out.substr(0, r.out.find('\n')),
            "ctx_tokens,prefill_tokens,prefill_tps,gen_tokens,gen_tps,"
            "gen_first_ms,gen_steady_tokens,gen_steady_tps,kvcache_bytes");
  const char *contexts[] = {"40", "150", "256"};
  const char *prefilled[] = {"40", "110", "106"};
  int64_t blocks[] = {1, 2, 2};
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<std::string> &row = rows[i + 1];
    ASSERT_EQ(row.size(), 9u) << r.out;
    EXPECT_EQ(row[0], contexts[i]);
    EXPECT_EQ(row[1], prefilled[i]);
    EXPECT_GT(std::stod(row[2]), 0);
    EXPECT_EQ(row[3], "100");
    // All tokens took as long as the first and the steady ones together.
    double first = std::stod(row[5]), steady = 99e3 / std::stod(row[7]);
    EXPECT_GT(first, 0);
    EXPECT_NEAR(100e3 / std::stod(row[4]), first + steady,
                0.01 * (first + steady));
    EXPECT_EQ(row[6], "99");
    EXPECT_EQ(row[8], std::to_string(64 + blocks[i] * 128 * 4));
  }
  r = run("bench -p 40 -n 1 -o ds4");
  ASSERT_EQ(readCsv(r.out).size(), 2u) << r.err;
  EXPECT_EQ(readCsv(r.out)[1][6], "0");
  EXPECT_EQ(readCsv(r.out)[1][7], "0.00");
}

TEST_F(CliTest, BenchRefusesWhatTheTableOfDs4BenchHasNot) {
  for (std::string wrong :
       {"-d 0", "-s 1", "-r 5", "-t 1,2", "-n 0", "-n 8,9", "-p 0", "-p 9,9",
        "-p 40,20", "-p 1000 -n 25", "-p 8 -n 8 -c 15", "--trace t",
        "--profile-phases", "--repeat-depth"}) {
    Result r = run("bench -o ds4 " + wrong);
    EXPECT_EQ(r.code, 2) << wrong << r.err;
    std::string flag = wrong.substr(0, wrong.find(' '));
    EXPECT_NE(r.err.find(flag), std::string::npos) << wrong << r.err;
    EXPECT_TRUE(r.out.empty()) << wrong << r.out;
  }
  EXPECT_EQ(run("bench -p 1000 -n 24 -o ds4").code, 0);
}

TEST_F(CliTest, BenchSetsSpeedAgainstTheMachinesLimits) {
  Result r = run("bench -p 16 -n 0 -r 3 -o json");
  json test = json::parse(r.out)[0];
  EXPECT_GT(test["read_ceiling_gbs"], 0.1);
  EXPECT_GT(test["dot_ceiling_gmacs"], 0.1);
  // The fake program reads 4 bytes of state per token and no weights.
  EXPECT_EQ(test["bytes_per_token"], 0);
  r = run("bench -p 16 -n 0 -r 3 -o json --no-ceiling");
  EXPECT_EQ(json::parse(r.out)[0]["read_ceiling_gbs"], 0);
}

TEST_F(CliTest, BenchShowsPhasesAndWritesATrace) {
  Result r = run("bench -p 0 -n 4 -r 1 --no-ceiling --profile-phases --trace "
                 "trace.json -o jsonl");
  ASSERT_EQ(r.code, 0) << r.err;
  std::istringstream lines(r.out);
  std::string line;
  std::getline(lines, line); // the test itself
  double percent = 0;
  int phases = 0;
  json row;
  while (std::getline(lines, line)) {
    row = json::parse(line);
    if (row.contains("summary"))
      break;
    percent += row["pct_time"].get<double>();
    phases += row["phases"].get<int>();
  }
  EXPECT_NEAR(percent, 100, 0.5);
  EXPECT_EQ(phases, 6);
  EXPECT_FALSE(std::getline(lines, line)) << line;
  EXPECT_EQ(row["pct_time_weights"], 0); // the fake program has none
  EXPECT_EQ(row["pct_time_other"], 100);
  EXPECT_TRUE(row["pct_read_ceiling_weights"].is_null());
  std::ifstream file(work / "trace.json");
  json trace = json::parse(file);
  ASSERT_EQ(trace["traceEvents"].size(), 6u);
  double end = 0;
  for (const json &event : trace["traceEvents"]) {
    EXPECT_GE(event["ts"].get<double>(), end); // one after the other
    end = event["ts"].get<double>() + event["dur"].get<double>();
  }
  EXPECT_EQ(run("bench -o json --profile-phases").code, 2);
}

TEST_F(CliTest, UsageErrors) {
  for (const char *arguments :
       {"", "frobnicate", "logits", "logits --tokens", "logits --nonsense",
        "bench -p x", "bench -r 0", "bench -o xml", "bench -t 0x",
        "logits --tokens good -o out --threads 0",
        "logits --tokens good -o out --chunk -1", "info --context 1025",
        "logits --tokens good -o out --context 2000",
        "logits --tokens good -o out --save-state-at 70",
        "logits --tokens good -o out --save-state-at 3 --context "
        "9223372036854775807",
        "info --json=yes", "run -p text -f good"}) {
    Result r = run(arguments);
    EXPECT_EQ(r.code, 2) << arguments << ": " << r.err;
    EXPECT_FALSE(r.err.empty()) << arguments;
    EXPECT_TRUE(r.out.empty()) << arguments << r.out;
  }
}

TEST_F(CliTest, HelpAndVersion) {
  for (const char *arguments :
       {"--help", "run --help", "chat --help", "logits --help", "bench --help",
        "info --help", "self-test --help", "--version"}) {
    Result r = run(arguments);
    EXPECT_EQ(r.code, 0) << arguments;
    EXPECT_GT(r.out.size(), 10u) << arguments;
    EXPECT_TRUE(r.err.empty()) << arguments << r.err;
  }
}

TEST_F(CliTest, NoTokenizerIsSaid) {
  Result r = run("run -p hello");
  EXPECT_NE(r.code, 0);
  EXPECT_NE(r.err.find("--no-tokenizer"), std::string::npos) << r.err;
}

TEST_F(CliTest, CtrlC) {
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    execl(FAKE_EXECUTABLE, FAKE_EXECUTABLE, "bench", "-n", "900", "-r", "1000",
          "-o", "jsonl", nullptr);
    _exit(99);
  }
  usleep(200000);
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

} // namespace
