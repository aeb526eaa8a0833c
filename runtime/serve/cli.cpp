// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See cli.h.

#include "runtime/serve/cli.h"

#include "runtime/serve/upload_progress.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

volatile sig_atomic_t signalled = 0;

void onInterrupt(int) {
  if (signalled)
    _exit(Interrupted);
  signalled = 1;
}

void printHelp(const char *command, const char *summary, const FlagSpec *specs,
               size_t count) {
  printf("%s: %s\n\nOptions:\n", command, summary);
  for (size_t i = 0; i < count; ++i) {
    const FlagSpec &s = specs[i];
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s%s", s.shortName ? s.shortName : "",
             s.shortName ? ", " : "", s.name,
             s.kind == FlagSpec::Switch ? "" : " VALUE");
    printf("  %-28s %s\n", left, s.help);
  }
}

/// Stores a flag's text; false if it is not of the flag's kind.
bool store(const FlagSpec &spec, const char *value) {
  char *end = nullptr;
  errno = 0;
  switch (spec.kind) {
  case FlagSpec::Text:
    *static_cast<const char **>(spec.to) = value;
    return true;
  case FlagSpec::Integer:
    *static_cast<int64_t *>(spec.to) = strtoll(value, &end, 10);
    return *value && !*end && !errno;
  case FlagSpec::Threads: {
    long n = strtol(value, &end, 10);
    *static_cast<int *>(spec.to) = int(n);
    return *value && !*end && n > 0 && n <= ThreadPool::MaxThreads;
  }
  case FlagSpec::Count: { // from 0
    long n = strtol(value, &end, 10);
    *static_cast<int32_t *>(spec.to) = int32_t(n);
    return *value && !*end && n >= 0 && n <= INT32_MAX;
  }
  case FlagSpec::Real:
    *static_cast<float *>(spec.to) = strtof(value, &end);
    return *value && !*end;
  case FlagSpec::Seed:
    *static_cast<uint64_t *>(spec.to) = strtoull(value, &end, 10);
    return *value && !*end && !errno;
  case FlagSpec::Switch:
    break;
  }
  return false;
}

const FlagSpec *find(const FlagSpec *specs, size_t count, const char *name,
                     size_t length) {
  for (size_t i = 0; i < count; ++i)
    for (const char *known : {specs[i].name, specs[i].shortName})
      if (known && strlen(known) == length && !memcmp(known, name, length))
        return &specs[i];
  return nullptr;
}

} // namespace

bool parseFlags(int argc, char **argv, const char *command, const char *summary,
                const FlagSpec *specs, size_t count, int *exitCode) {
  *exitCode = Usage;
  for (int i = 0; i < argc; ++i) {
    const char *argument = argv[i];
    if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
      printHelp(command, summary, specs, count);
      *exitCode = finishStdout();
      return false;
    }
    const char *equals =
        strncmp(argument, "--", 2) ? nullptr : strchr(argument, '=');
    size_t length = equals ? size_t(equals - argument) : strlen(argument);
    const FlagSpec *spec = find(specs, count, argument, length);
    if (!spec) {
      failWith("%s: unknown option '%s'; see %s --help", command, argument,
               command);
      return false;
    }
    if (spec->kind == FlagSpec::Switch) {
      if (equals) {
        failWith("%s: %s: takes no value, got '%s'", command, spec->name,
                 equals + 1);
        return false;
      }
      *static_cast<bool *>(spec->to) = true;
      continue;
    }
    const char *value = equals         ? equals + 1
                        : i + 1 < argc ? argv[++i]
                                       : nullptr;
    if (!value || !store(*spec, value)) {
      failWith("%s: %s: expected a value of its kind, got '%s'; see %s --help",
               command, spec->name, value ? value : "nothing", command);
      return false;
    }
  }
  *exitCode = Done;
  return true;
}

int failWith(const Status &status) {
  fprintf(stderr, "error: %s\n", status.message);
  return status.code == Code::InvalidArgument ? Usage
         : status.code == Code::Interrupted   ? Interrupted
                                              : Failed;
}

int failWith(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("error: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return Usage;
}

EngineOptions engineOptions(const Flags &flags) {
  EngineOptions options;
  options.context = flags.context;
  options.sequences = flags.sequences;
  options.threads = flags.threads;
  options.verify = flags.verify;
  options.weightsPath = flags.weights;
  options.hiddenCpuFeatures = getenv("DSV4_HIDE_CPU_FEATURES");
  options.device = flags.device;
  options.upload.isStopped = [](void *) { return interrupted(); };
  if (!flags.quiet)
    options.upload.progress = showUpload;
  return options;
}

int64_t plannedContext(const dsv4_program &program, const Flags &flags) {
  int64_t most = program.limits.max_context;
  int64_t tokens =
      flags.context > 0 && flags.context < most ? flags.context : most;
  return contextBlocks(tokens) * DSV4_CONTEXT_BLOCK;
}

uint64_t plannedSnapshot(const dsv4_program &program, const Flags &flags) {
  int64_t blocks = contextBlocks(plannedContext(program, flags));
  // Rounded generously: whole pages, and a header.
  return uint64_t(evaluate(program.limits.state_bytes, blocks)) + 8192;
}

bool interrupted() { return signalled; }

void catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = onInterrupt;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A closed pipe and the limit of a file's size show as write errors.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

int finishStdout() {
  if (fflush(stdout) == 0 && !ferror(stdout))
    return Done;
  fprintf(stderr, "error: cannot write the output: %s\n", strerror(errno));
  return Failed;
}

Status writeAll(int file, const void *bytes, size_t count) {
  const char *at = (const char *)bytes;
  while (count) {
    ssize_t done = write(file, at, count);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return makeSystemError(Code::Io, errno, "cannot write the output");
    at += done;
    count -= size_t(done);
  }
  return okStatus();
}

} // namespace dsv4::serve
