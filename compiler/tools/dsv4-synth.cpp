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
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using Sizes = std::map<std::string, uint64_t>;

namespace {

constexpr const char *Description =
    R"(Writes a checkpoint with pseudo-random weights in the official format, of
the dimensions that CONFIG states: for benchmarks and tests at sizes for which no
weights are at hand. The text that such a model writes is noise.

The bytes of a tensor depend on its name, its shape and the seed alone.

Examples:
  dsv4-synth config.json -o synthetic                   all layers
  dsv4-synth config.json -o small --layers 4            the first four
  dsv4-synth config.json --layers 4 --bytes             sizes, writes nothing
  dsv4-synth config.json -o real4 --layers 4 \
    --set num_hash_layers=1 --set compress_ratios=[0,4,128,4]
  compile-model real4 -o model --no-tokenizer && ./model bench)";

/// The directory, where it is this run that makes it: an interrupt removes it
/// again, after LLVM's handler has removed the files.
std::string madeDirectory;

void interrupted() {
  rmdir(madeDirectory.c_str());
  _exit(130);
}

llvm::json::Object toJson(const Sizes &sizes) {
  llvm::json::Object out;
  for (const auto &[name, bytes] : sizes)
    out[name] = bytes;
  return out;
}

void printJson(const dsv4::SyntheticPlan &plan) {
  llvm::json::Object out{{"bytes", plan.Bytes},
                         {"tensors", plan.Tensors},
                         {"shards", plan.Shards.size()},
                         {"by_class", toJson(plan.BytesByClass)},
                         {"by_dtype", toJson(plan.BytesByDType)}};
  llvm::outs() << llvm::json::Value(std::move(out)) << '\n';
}

void printText(const dsv4::SyntheticPlan &plan) {
  for (const Sizes *sizes : {&plan.BytesByClass, &plan.BytesByDType})
    for (const auto &[name, bytes] : *sizes)
      llvm::outs() << name << ": " << bytes << " B (" << dsv4::humanBytes(bytes)
                   << ")\n";
  llvm::outs() << "all: " << plan.Bytes << " B ("
               << dsv4::humanBytes(plan.Bytes) << "), " << plan.Tensors
               << " tensors in " << plan.Shards.size() << " shard(s)\n";
}

int fail(llvm::Error error) {
  llvm::errs() << "dsv4-synth: error: " << llvm::toString(std::move(error))
               << '\n';
  return 1;
}

int write(const dsv4::SyntheticPlan &plan, const dsv4::SyntheticOutput &output,
          bool quiet) {
  if (!llvm::sys::fs::exists(output.Directory))
    madeDirectory = output.Directory;
  llvm::sys::SetInterruptFunction(interrupted);
  dsv4::Progress progress(quiet);
  progress.begin("write");
  if (llvm::Error e = dsv4::writeSynthetic(plan, output, [&](uint64_t done) {
        progress.bytes(done, plan.Bytes);
      }))
    return fail(std::move(e));
  progress.end(output.Directory + ", " + std::to_string(plan.Tensors) +
               " tensors, " + dsv4::humanBytes(plan.Bytes));
  return 0;
}

void addPlanFlags(CLI::App &app, dsv4::SyntheticOptions &o) {
  app.add_option("config", o.ConfigPath, "config.json")->required();
  app.add_option("--layers", o.Layers, "keep the first layers only")
      ->check(CLI::Range(int64_t(1), int64_t(4096)));
  app.add_option("--set", o.Settings,
                 "KEY=VALUE of the config, the value in JSON or a word")
      ->allow_extra_args(false)
      ->check([](const std::string &text) {
        size_t at = text.find('=');
        bool good = at > 0 && at + 1 < text.size(); // npos + 1 is 0: no '='
        return good && at != std::string::npos
                   ? std::string()
                   : "expected KEY=VALUE, got '" + text + "'";
      });
  app.add_option("--shard-bytes", o.ShardBytes,
                 "largest shard, as 500MB, 2GiB (default 4GiB)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->check(CLI::Range(uint64_t(1), uint64_t(1) << 50));
  app.add_flag("--draft-heads", o.DraftHeads,
               "write mtp.* tensors too, which compile-model checks and leaves "
               "out")
      ->excludes("--layers");
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app(Description, "dsv4-synth");
  dsv4::SyntheticOptions options;
  dsv4::SyntheticOutput output;
  bool bytes = false, json = false, quiet = false;
  addPlanFlags(app, options);
  app.add_option("-o,--output", output.Directory, "directory to write");
  app.add_option("--seed", output.Seed,
                 "another seed, other weights (default 1)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--tokenizer", output.Tokenizer,
                 "directory of a tokenizer to copy");
  app.add_flag("--bytes,--dry-run", bytes, "print sizes and write nothing");
  app.add_flag("--json", json, "print sizes as JSON");
  app.add_flag(
      "-f,--force", output.Force,
      "write beside other files, and in place of what dsv4-synth wrote "
      "there; other weights stay");
  app.add_flag("-q,--quiet", quiet, "no progress");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (output.Directory.empty() && !bytes) {
    llvm::errs() << "dsv4-synth: error: expected -o DIRECTORY or --bytes\n";
    return 2;
  }
  auto plan = dsv4::planSynthetic(options);
  if (!plan)
    return fail(plan.takeError());
  if (!bytes)
    if (int code = write(*plan, output, quiet))
      return code;
  if (json)
    printJson(*plan);
  else if (bytes)
    printText(*plan);
  return 0;
}
