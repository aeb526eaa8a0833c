// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The user's command: a DeepSeek V4 checkpoint in, one executable out. This
// file owns the flags and the exit codes; compiler/driver does the work.
//
// Exit codes: 0 done, 1 failed (the message says what and what to do),
// 2 wrong usage, 130 interrupted.

#include "compiler/driver/Driver.h"
#include "compiler/driver/Predict.h"
#include "compiler/tune/Tune.h"
#include "runtime/base/thread_pool.h"

#include "CLI/CLI.hpp"

#include "llvm/Support/Signals.h"

#include <cstdio>
#include <unistd.h>

namespace {

constexpr const char *Description =
    R"(Compiles a DeepSeek V4 checkpoint into one standalone executable.

CHECKPOINT is a directory as published: config.json, tokenizer.json,
model.safetensors.index.json and the shards. With config.json alone, --plan and
--compile-to (up to codegen) work.

Examples:
  compile-model DeepSeek-V4-Flash -o flash             for this machine
  compile-model DeepSeek-V4-Flash --plan               memory, before anything
  compile-model DeepSeek-V4-Flash -o flash --target cpu:znver5 --context 65536
  compile-model DeepSeek-V4-Flash -o flash --weights sidecar
  compile-model tune -o here.toml                      measure this machine, then
  compile-model DeepSeek-V4-Flash -o flash --profile here.toml
  compile-model predict DeepSeek-V4-Flash --gpu h200   times on a GPU, predicted
  compile-model samples/tiny-chat --compile-to fuse -o fused.mlir)";

void addCompileFlags(CLI::App &app, dsv4::CompileOptions &o) {
  app.add_option("checkpoint", o.checkpoint, "checkpoint directory");
  app.add_option("-o,--output", o.output,
                 "file to write (IR when --compile-to names an IR phase)");
  app.add_option("--target", o.target,
                 "native, cpu:MICROARCH or cuda:ARCH (see --list-targets)");
  app.add_option("--multiprocessors", o.multiprocessors,
                 "of the GPU that launches are sized for (default: 132, an "
                 "H100 or H200)")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--fuse-launches,!--no-fuse-launches", o.fuseLaunches,
               "neighbouring phases of a GPU in one launch, the default; the "
               "same bits without (docs/cuda-fusion.md)");
  app.add_option("--device-memory", o.deviceMemory,
                 "MiB free on the GPU; the embedding and cold experts beyond "
                 "it stay in host memory, where the GPU reads them (slow)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 30));
  app.add_option("--host-memory", o.hostMemory,
                 "for --device-memory: MiB that may be pinned for them; beyond "
                 "it they stay in the file, which the GPU reads (slower still)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 30));
  app.add_option("--expert-usage", o.expertUsage,
                 "for --device-memory: lines 'layers.3.ffn.experts.17 1234' of "
                 "tokens per expert; the least used leave the GPU first");
  app.add_flag("!--no-tokenizer", o.tokenizer,
               "leave the tokenizer out (logits and bench still work)");
  app.add_option("--context", o.context,
                 "largest context in tokens (default: the model's maximum)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
  app.add_option("--sequences", o.sequences, "sequences held at once")
      ->check(CLI::Range(int64_t(1), int64_t(4096)));
  app.add_option("--step-tokens", o.stepTokens,
                 "tokens of one prefill step (multiple of 16)")
      ->check(CLI::Range(int64_t(16), int64_t(4096)));
  app.add_option("--profile", o.profile,
                 "tuning profile (TOML), as `compile-model tune` writes it");
  app.add_option("--config", o.configs,
                 "one tile configuration, before the profile: dot=f32, "
                 "micro_rows=6, fp4.prefetch_bytes=2048, ...; for a GPU "
                 "products=fp8 (faster, drops bits), decode_blocks=2, "
                 "overlap=0, tails=1")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--dot-order", o.dotOrder,
                 "order of sums in linears: split for CPUs with AMX (their "
                 "default; several times faster prefill), chain for all "
                 "others; each gives its own last bits, the same on every CPU")
      ->check(CLI::IsMember({"chain", "split"}));
  app.add_option(
         "--weights",
         [&o](const CLI::results_t &v) {
           o.weights = v[0] == "sidecar" ? dsv4::WeightsMode::Sidecar
                                         : dsv4::WeightsMode::Embed;
           return v[0] == "sidecar" || v[0] == "embed";
         },
         "embed (in the executable) or sidecar (FILE.weights)")
      ->type_name("embed|sidecar");
}

void addInspectionFlags(CLI::App &app, dsv4::CompileOptions &o,
                        std::string &plan) {
  app.add_option("--plan", plan,
                 "print every byte by class and stop; --plan=json for tools")
      ->expected(0, 1)
      ->type_name("[text|json]");
  app.add_flag("--print-configs", o.printConfigs,
               "tile configurations and who chose them (flag, profile, "
               "heuristic), and stop");
  app.add_option("--compile-to", o.compileTo,
                 "last phase: import verify fuse lower configure plan schedule "
                 "codegen link");
  app.add_option("--compile-from", o.compileFrom,
                 "take the dump of this phase as input and go on behind it");
  app.add_option("--ir", o.ir,
                 "the dump for --compile-from (default: in --dump-phases-to)");
  app.add_option("--dump-phases-to", o.dumpPhasesTo,
                 "write NN-PHASE.mlir after each phase into this directory");
  app.add_option("--dump-kernels-to", o.dumpKernelsTo,
                 "write kernels as MLIR, LLVM IR and assembly, and the "
                 "budgets of their inner loops; for a GPU CUDA C++, the cubin "
                 "and the graphs");
  app.add_flag("!--no-verify-each", o.verifyEach,
               "do not verify the IR after each pass");
  app.add_flag("-q,--quiet", o.quiet, "no progress");
}

constexpr const char *TuneDescription =
    R"(Measures which tile configurations are fastest on this machine and writes
them as a tuning profile, for `compile-model --profile`. Takes about a minute and
no checkpoint; results of a program do not depend on it. Every answer is written
at once: an interrupted run goes on where it was.)";

void addTuneFlags(CLI::App &tune, dsv4::tune::TuneOptions &o,
                  std::string &target) {
  tune.add_option("-o,--output", o.output, "profile to write")->required();
  tune.add_option("--target", target, "as of compile-model (default: native)");
  tune.add_option("--threads", o.threads, "workers (default: all cores)")
      ->check(CLI::Range(1, 1024));
  tune.add_option("--size", o.megabytes, "MiB of weights that stream")
      ->check(CLI::Range(int64_t(1), int64_t(65536)));
  tune.add_option("--rounds", o.rounds, "most measurements of a candidate")
      ->check(CLI::Range(1, 1000));
  tune.add_flag("--again", o.again, "measure even what the profile answers");
}

/// "dot = f32   of the limit: f32 81.2 % bf16 64.0 % (dropped)"
void showAnswer(const dsv4::tune::Question &question, size_t best) {
  printf("%s = %s   of the limit:", question.key.c_str(),
         question.candidates[best].value.c_str());
  for (const dsv4::tune::Candidate &c : question.candidates)
    printf(" %s %.1f %%%s", c.value.c_str(), 100 * c.median(),
           c.isOut ? " (dropped)" : "");
  printf("\n");
  fflush(stdout);
}

int tune(dsv4::tune::TuneOptions &options, const std::string &target) {
  llvm::sys::SetInterruptFunction([] { _exit(130); });
  auto fail = [](llvm::Error error) {
    fprintf(stderr, "compile-model: error: %s\n",
            llvm::toString(std::move(error)).c_str());
    return 1;
  };
  auto found = dsv4::findTarget(target);
  if (!found)
    return fail(found.takeError());
  options.target = *found;
  auto profile = dsv4::tune::tuneMachine(options, showAnswer);
  if (!profile)
    return fail(profile.takeError());
  printf("%s: written; read limit %.1f GB/s, %.1f with one thread\n",
         options.output.c_str(), profile->readGBs, profile->readGBs1);
  return 0;
}

constexpr const char *PredictDescription =
    R"(Predicts what the model of a checkpoint takes on a GPU: a decoded token and
prefills, phase kind by phase kind, with the floor that bytes and products set
and what others have published. Needs config.json alone and no GPU. Every time
is a prediction from published figures of the GPU; docs/gpu-prediction.md has
the assumptions.)";

void addPredictFlags(CLI::App &predict, dsv4::PredictOptions &o) {
  predict.add_option("checkpoint", o.checkpoint, "checkpoint directory")
      ->required();
  predict.add_option("--gpu", o.gpu,
                     "h100, h200 (default), b200, rtx-pro-6000, dgx-spark");
  predict.add_option("--linking", o.linking,
                     "how launches follow each other: graph, "
                     "dependent-launch (default), persistent");
  predict
      .add_option("--position", o.position,
                  "of the decoded token (default: 8191)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  predict
      .add_option("--prefill", o.prompts,
                  "tokens of prompts (default: 4096 8192; 0: none)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  predict
      .add_option("--step-tokens", o.stepTokens,
                  "tokens of one step of a prefill (default: 4096)")
      ->check(CLI::Range(int64_t(16), int64_t(65536)));
  predict.add_flag("--json", o.json, "for tools; every phase by name");
}

int predict(dsv4::PredictOptions &options) {
  std::erase(options.prompts, 0);
  if (options.stepTokens % 16 != 0) {
    fprintf(stderr,
            "compile-model: predict: expected --step-tokens to be a multiple "
            "of 16, found %lld\n",
            (long long)options.stepTokens);
    return 2;
  }
  if (llvm::Error error = dsv4::predictModel(options, llvm::outs())) {
    fprintf(stderr, "compile-model: error: %s\n",
            llvm::toString(std::move(error)).c_str());
    return 1;
  }
  return 0;
}

int usage(const std::string &message) {
  fprintf(stderr, "compile-model: %s; see compile-model --help\n",
          message.c_str());
  return 2;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{Description, "compile-model"};
  dsv4::CompileOptions options;
  std::string plan;
  bool listTargets = false;
  addCompileFlags(app, options);
  addInspectionFlags(app, options, plan);
  app.add_flag("--list-targets", listTargets,
               "known targets, and this machine");
  dsv4::tune::TuneOptions tuneOptions;
  std::string tuneTarget = "native";
  tuneOptions.threads = dsv4::defaultThreads();
  tuneOptions.command = "compile-model";
  for (int i = 1; i < argc; ++i)
    tuneOptions.command += " " + std::string(argv[i]);
  CLI::App *tuneCommand = app.add_subcommand("tune", TuneDescription);
  addTuneFlags(*tuneCommand, tuneOptions, tuneTarget);
  dsv4::PredictOptions predictOptions;
  CLI::App *predictCommand = app.add_subcommand("predict", PredictDescription);
  addPredictFlags(*predictCommand, predictOptions);
  app.set_version_flag("--version", dsv4::versionText());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  if (*tuneCommand)
    return tune(tuneOptions, tuneTarget);
  if (*predictCommand)
    return predict(predictOptions);
  if (listTargets)
    return dsv4::listTargets();
  if (options.printConfigs)
    return dsv4::compileModel(options);
  if (options.checkpoint.empty())
    return usage("expected a checkpoint directory");
  if (app.count("--plan"))
    options.plan =
        plan == "json" ? dsv4::PlanFormat::Json : dsv4::PlanFormat::Text;
  if (!plan.empty() && plan != "json" && plan != "text")
    return usage("--plan: expected text or json, got '" + plan + "'");
  if (options.plan == dsv4::PlanFormat::None && options.output.empty())
    return usage("expected -o FILE");
  return dsv4::compileModel(options);
}
