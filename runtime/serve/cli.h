// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the commands of an executable share: flags, messages, interruption. The
// commands are front ends over runtime/core/engine.h.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

#ifndef DSV4_RUNTIME_SERVE_CLI_H
#define DSV4_RUNTIME_SERVE_CLI_H

#include "runtime/base/clock.h"
#include "runtime/core/engine.h"
#include "runtime/text/sampler.h"

#include <stddef.h>
#include <stdint.h>

namespace dsv4::serve {

enum ExitCode { Done = 0, Failed = 1, Usage = 2, Interrupted = 130 };

/// Flags of all commands; each command says which it takes.
struct Flags {
  static constexpr int64_t notGiven = INT64_MIN;

  const char *prompt = nullptr, *file = nullptr, *system = nullptr;
  const char *tokens = nullptr, *output = nullptr, *format = "md";
  const char *weights = nullptr;
  const char *promptSizes = "512", *genSizes = "128", *depths = nullptr;
  const char *threadList = nullptr, *sequenceList = nullptr;
  int64_t predict = -1, context = 0, sequences = 1, chunk = 0;
  int64_t repeat = notGiven;
  int64_t saveStateAt = -1;
  int threads = 0;
  int32_t device = 0;
  bool quiet = false;
  bool raw = false, think = false, json = false, verbose = false;
  const char *trace = nullptr;
  bool ignoreEos = false, verify = false, profilePhases = false;
  bool gpuProfile = false;
  bool noPin = false, repeatDepth = false, noCeiling = false;
  text::SamplerParams sampler;
};

/// Sequences that the commands feed in one step, at most.
inline constexpr int64_t maxTogether = 1024;

/// A flag and where its value goes.
struct FlagSpec {
  const char *name, *shortName; // "--temp", "-t" or null
  enum Kind { Text, Integer, Threads, Count, Real, Seed, Switch } kind;
  void *to;
  const char *help;
};

/// Reads flags; false after an error message, or after printing the help that
/// was asked for. *exitCode is what to return then.
bool parseFlags(int argc, char **argv, const char *command, const char *summary,
                const FlagSpec *specs, size_t count, int *exitCode);

/// "error: MESSAGE" on stderr; the exit code that goes with it.
int failWith(const Status &status);
int failWith(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Flags of every command that opens an engine.
inline constexpr const char *threadsHelp =
    "worker threads (with a GPU: to check weights)";
inline constexpr const char *deviceHelp =
    "which GPU, of a program for one (default 0)";
inline constexpr const char *quietHelp =
    "no progress while weights are copied to a GPU";

/// What the flags say about the engine, and that copying weights to a GPU shows
/// its progress on stderr and ends with Ctrl-C. The environment is read here
/// and nowhere else: DSV4_HIDE_CPU_FEATURES=avx512f,avx2 takes features as
/// missing, so that the refusal of an unfit CPU can be seen on a fit one.
EngineOptions engineOptions(const Flags &flags);

/// The most tokens that an engine of these flags can hold, in whole blocks:
/// what memory beside it is planned for. A --context that the engine will
/// refuse counts as the compiled maximum.
int64_t plannedContext(const dsv4_program &program, const Flags &flags);
/// The most bytes that a snapshot of such an engine has.
uint64_t plannedSnapshot(const dsv4_program &program, const Flags &flags);

/// Set by Ctrl-C; a second one ends the process at once.
bool interrupted();
void catchInterrupts();

/// Writes what stdio holds; Failed with a message if any write failed.
int finishStdout();

/// Writes all bytes or fails (closed pipe, full disk).
Status writeAll(int file, const void *bytes, size_t count);

/// Self-tests of compiled kernels; the number of failures.
int checkKernels(Engine &engine);
int checkProducts(Engine &engine);

int runCommand(const dsv4_program &program, int argc, char **argv);
int chatCommand(const dsv4_program &program, int argc, char **argv);
int logitsCommand(const dsv4_program &program, int argc, char **argv);
int benchCommand(const dsv4_program &program, int argc, char **argv);
int infoCommand(const dsv4_program &program, int argc, char **argv);
int selfTestCommand(const dsv4_program &program, int argc, char **argv);

} // namespace dsv4::serve

#endif // DSV4_RUNTIME_SERVE_CLI_H
