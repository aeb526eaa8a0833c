// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-synth: a checkpoint with pseudo-random weights in the official format,
// of the dimensions that a config.json states.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

#include "compiler/driver/Progress.h"
#include "compiler/synth/SyntheticCheckpoint.h"

#include "CLI/CLI.hpp"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

namespace {

constexpr const char *Description =
    R"(Writes a checkpoint with pseudo-random weights in the official format, of
the dimensions that CONFIG states: for benchmarks and tests at sizes for which no
weights are at hand. The text that such a model writes is noise.

Examples:
  dsv4-synth config.json -o synthetic                   all layers
  dsv4-synth config.json -o small --layers 4            the first four
  dsv4-synth config.json --layers 4 --bytes             sizes, writes nothing
  dsv4-synth config.json -o real4 --layers 4 \
    --set num_hash_layers=1 --set compress_ratios=[0,4,128,4]
  compile-model real4 -o model --no-tokenizer && ./model bench)";

void printPlan(const dsv4::SyntheticPlan &plan, bool json) {
  if (json) {
    llvm::outs() << "{\"bytes\":" << plan.Bytes
                 << ",\"shards\":" << plan.Shards.size() << ",\"by_dtype\":{";
    const char *comma = "";
    for (const auto &[name, bytes] : plan.BytesByDType) {
      llvm::outs() << comma << '"' << name << "\":" << bytes;
      comma = ",";
    }
    llvm::outs() << "}}\n";
    return;
  }
  for (const auto &[name, bytes] : plan.BytesByDType)
    llvm::outs() << name << ": " << bytes << " B (" << dsv4::humanBytes(bytes)
                 << ")\n";
  llvm::outs() << "all: " << plan.Bytes << " B ("
               << dsv4::humanBytes(plan.Bytes) << ") in " << plan.Shards.size()
               << " shard(s)\n";
}

int fail(llvm::Error error) {
  llvm::errs() << "dsv4-synth: error: " << llvm::toString(std::move(error))
               << '\n';
  return 1;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app(Description, "dsv4-synth");
  std::string config, output;
  std::vector<std::string> settings;
  int64_t layers = 0;
  uint64_t seed = 1, shardBytes = uint64_t(4) << 30;
  bool force = false, bytes = false, json = false, quiet = false;
  app.add_option("config", config, "config.json")->required();
  app.add_option("-o,--output", output, "directory to write");
  app.add_option("--layers", layers, "keep the first layers only")
      ->check(CLI::Range(int64_t(1), int64_t(4096)));
  app.add_option("--set", settings, "KEY=VALUE of the config, value in JSON")
      ->allow_extra_args(false);
  app.add_option("--seed", seed, "another seed, other weights (default 1)");
  app.add_option("--shard-bytes", shardBytes, "size of a shard (default 4 GiB)")
      ->check(CLI::Range(uint64_t(1), uint64_t(1) << 50));
  app.add_flag("--bytes", bytes, "print sizes and write nothing");
  app.add_flag("--json", json, "sizes as JSON");
  app.add_flag("--force", force, "write into a directory that has files");
  app.add_flag("-q,--quiet", quiet, "no progress");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (output.empty() && !bytes) {
    llvm::errs() << "dsv4-synth: error: expected -o DIRECTORY or --bytes\n";
    return 2;
  }
  auto plan = dsv4::planSynthetic(config, layers, settings, shardBytes);
  if (!plan)
    return fail(plan.takeError());
  printPlan(*plan, json);
  if (bytes)
    return 0;
  llvm::sys::SetInterruptFunction([] { _exit(130); });
  dsv4::Progress progress(quiet);
  progress.begin("write");
  if (llvm::Error e =
          dsv4::writeSynthetic(*plan, output, seed, force, [&](uint64_t done) {
            progress.bytes(done, plan->Bytes);
          }))
    return fail(std::move(e));
  progress.end(output);
  return 0;
}
