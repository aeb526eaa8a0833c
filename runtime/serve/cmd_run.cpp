// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// run: one prompt, one answer. The answer alone goes to stdout.

#include "runtime/serve/generate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace dsv4::serve {

namespace {

/// Of the text of a file or of stdin.
constexpr uint64_t MaxTextBytes = 16 << 20;

/// Reads a whole file, or stdin for "-".
Status readText(const char *path, char *to, uint64_t &bytes) {
  int file = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : 0;
  if (file < 0)
    return makeSystemError(Code::NotFound, errno, "%s: cannot be opened", path);
  bytes = 0;
  Status status = okStatus();
  while (status.isOk()) {
    // One byte more than is taken, so that the end of a full text is seen.
    ssize_t got = read(file, to + bytes, MaxTextBytes + 1 - bytes);
    if (got < 0 && errno == EINTR && !interrupted())
      continue;
    if (got < 0)
      status = interrupted() ? makeError(Code::Interrupted, "interrupted")
                             : makeSystemError(Code::Io, errno,
                                               "%s: cannot be read", path);
    if (got <= 0)
      break;
    bytes += uint64_t(got);
    if (bytes > MaxTextBytes)
      status = makeError(Code::InvalidArgument,
                         "%s: expected at most %llu bytes of text, found more",
                         path, (unsigned long long)MaxTextBytes);
  }
  if (file > 0)
    close(file);
  return status;
}

void printStatistics(Generator &g) {
  fprintf(stderr,
          "prompt %lld tokens in %.3f s (%.1f tokens/s), answer %lld tokens in "
          "%.3f s (%.1f tokens/s), ",
          (long long)g.promptTokens(), g.prefillSeconds(),
          g.promptTokens() / g.prefillSeconds(), (long long)g.generated(),
          g.decodeSeconds(), g.generated() / g.decodeSeconds());
  auto mib = [](uint64_t bytes) { return (unsigned long long)(bytes >> 20); };
  if (g.engine.isOnDevice())
    fprintf(stderr, "%s, %llu MiB on it, %llu MiB reserved here\n",
            g.engine.session().device().name,
            mib(g.engine.session().devicePlan().deviceBytes),
            mib(g.engine.session().devicePlan().pinnedBytes +
                g.engine.reservedBytes()));
  else
    fprintf(stderr, "%d threads, %llu MiB reserved\n",
            g.engine.workers().threads(), mib(g.engine.reservedBytes()));
}

/// Answers `prompt` of `bytes` bytes.
Status answerPrompt(const dsv4_program &program, const Flags &flags,
                    const char *prompt, uint64_t bytes) {
  uint64_t systemBytes = flags.system ? strlen(flags.system) : 0;
  Generator g;
  DSV4_RETURN_IF_ERROR(g.open(program, flags, bytes + systemBytes));
  Status status;
  if (flags.raw) {
    status = g.encodeRaw(prompt, bytes);
  } else {
    text::ChatMessage messages[2];
    size_t count = 0;
    if (flags.system)
      messages[count++] = {
          text::ChatRole::System, {flags.system, systemBytes}, {}};
    messages[count++] = {text::ChatRole::User, {prompt, bytes}, {}};
    text::ChatOptions options;
    options.mode =
        flags.think ? text::ChatMode::Thinking : text::ChatMode::Chat;
    status = g.encodeChat({messages, count}, options);
  }
  if (status.isOk())
    status = g.answer(0, flags.predict, flags);
  if (g.generated() > 0 && !flags.raw)
    if (Status ended = writeAll(1, "\n", 1); status.isOk())
      status = ended;
  if (flags.verbose && status.isOk())
    printStatistics(g);
  g.close();
  return status;
}

Status runPrompt(const dsv4_program &program, const Flags &flags) {
  if (flags.prompt)
    return answerPrompt(program, flags, flags.prompt, strlen(flags.prompt));
  // Read before the engine is opened, whose memory depends on the length.
  Reservation memory;
  size_t text = memory.add(MaxTextBytes + 1);
  DSV4_RETURN_IF_ERROR(memory.reserve());
  char *prompt = (char *)memory.address(text);
  uint64_t bytes = 0;
  Status status = readText(flags.file ? flags.file : "-", prompt, bytes);
  if (status.isOk())
    status = answerPrompt(program, flags, prompt, bytes);
  memory.release();
  return status;
}

} // namespace

int runCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  f.sampler.temperature = program.temperature;
  f.sampler.topP = program.top_p;
  const FlagSpec specs[] = {
      {"--prompt", "-p", FlagSpec::Text, &f.prompt, "the prompt"},
      {"--file", "-f", FlagSpec::Text, &f.file,
       "read the prompt from a file (- or nothing: stdin)"},
      {"--predict", "-n", FlagSpec::Integer, &f.predict,
       "most tokens to generate (default: until the end of the context)"},
      {"--system", nullptr, FlagSpec::Text, &f.system, "system message"},
      {"--think", nullptr, FlagSpec::Switch, &f.think, "thinking mode"},
      {"--raw", nullptr, FlagSpec::Switch, &f.raw,
       "take the prompt as it stands, control tokens included, and print "
       "control tokens"},
      {"--temp", nullptr, FlagSpec::Real, &f.sampler.temperature,
       "temperature; 0: always the likeliest token"},
      {"--top-k", nullptr, FlagSpec::Count, &f.sampler.topK,
       "keep the k likeliest tokens"},
      {"--top-p", nullptr, FlagSpec::Real, &f.sampler.topP,
       "keep the likeliest tokens of this share"},
      {"--min-p", nullptr, FlagSpec::Real, &f.sampler.minP,
       "keep tokens of at least this share of the likeliest"},
      {"--seed", nullptr, FlagSpec::Seed, &f.sampler.seed, "random seed"},
      {"--ignore-eos", nullptr, FlagSpec::Switch, &f.ignoreEos,
       "go on behind the end token"},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--sequences", nullptr, FlagSpec::Integer, &f.sequences, "state slots"},
      {"--threads", "-t", FlagSpec::Threads, &f.threads, threadsHelp},
      {"--device", nullptr, FlagSpec::Count, &f.device, deviceHelp},
      {"--quiet", "-q", FlagSpec::Switch, &f.quiet, quietHelp},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"},
      {"--verify", nullptr, FlagSpec::Switch, &f.verify,
       "check the weights against their hashes first"},
      {"--verbose", "-v", FlagSpec::Switch, &f.verbose,
       "statistics on stderr"}};
  int code;
  if (!parseFlags(argc, argv, "run", "answer one prompt", specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  if (f.prompt && f.file)
    return failWith("run: expected --prompt or --file, got both");
  if (text::checkParams(f.sampler) != text::TextError::None)
    return failWith("run: %s", text::message(text::checkParams(f.sampler)));
  Status status = runPrompt(program, f);
  return status.isOk() ? int(Done) : failWith(status);
}

} // namespace dsv4::serve
