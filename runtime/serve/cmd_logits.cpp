// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// logits: the logits of every position of a given token sequence, in calls of
// any number of tokens.

#include "runtime/serve/cli.h"
#include "runtime/serve/safetensors_io.h"

namespace dsv4::serve {

namespace {

/// Saves slot 0, forgets it, and goes on in another slot if there is one.
Status moveSequence(Engine &engine, int64_t &slot) {
  void *snapshot = engine.extra();
  DSV4_RETURN_IF_ERROR(engine.save(slot, snapshot));
  DSV4_RETURN_IF_ERROR(engine.reset(slot));
  slot = (slot + 1) % engine.sequences();
  return engine.restore(slot, snapshot, engine.snapshotBytes());
}

/// Tokens of a step that can all have logits.
int64_t rowsOfStep(const Engine &engine) {
  return engine.maxOutputs() < engine.maxStepTokens() ? engine.maxOutputs()
                                                      : engine.maxStepTokens();
}

/// Tokens of each sequence in a step; 0: there are more sequences than rows.
int64_t chunkOf(const Engine &engine, const Flags &flags) {
  int64_t most = rowsOfStep(engine) / flags.sequences;
  return flags.chunk > 0 && flags.chunk < most ? flags.chunk : most;
}

Status computeLogits(Engine &engine, const Flags &flags, const TokenFile &file,
                     LogitsWriter &writer) {
  int64_t chunk = chunkOf(engine, flags), slot = 0;
  for (int64_t at = 0; at < file.count;) {
    if (interrupted())
      return makeError(Code::Interrupted, "interrupted");
    if (at == flags.saveStateAt)
      DSV4_RETURN_IF_ERROR(moveSequence(engine, slot));
    int64_t part = file.count - at < chunk ? file.count - at : chunk;
    if (at < flags.saveStateAt && at + part > flags.saveStateAt)
      part = flags.saveStateAt - at;
    DSV4_RETURN_IF_ERROR(engine.feed(slot, file.tokens + at, part, part));
    DSV4_RETURN_IF_ERROR(
        writer.append(engine.logits(0), part * engine.vocab()));
    at += part;
  }
  return okStatus();
}

/// The same tokens in all sequences, each a chunk behind the one before, so
/// that a step has rows at many positions: the logits of the last one.
Status computeTogether(Engine &engine, const Flags &flags,
                       const TokenFile &file, LogitsWriter &writer) {
  static StepPart parts[maxTogether];
  int64_t sequences = flags.sequences, chunk = chunkOf(engine, flags);
  if (chunk < 1)
    return makeError(Code::InvalidArgument,
                     "logits: --sequences: a step takes %lld tokens, got %lld "
                     "sequences",
                     (long long)rowsOfStep(engine), (long long)sequences);
  int64_t chunks = (file.count + chunk - 1) / chunk;
  for (int64_t now = 0; now < chunks + sequences - 1; ++now) {
    if (interrupted())
      return makeError(Code::Interrupted, "interrupted");
    int64_t numParts = 0, last = 0; // rows of the last sequence
    for (int64_t s = 0; s < sequences; ++s) {
      int64_t at = (now - s) * chunk, left = file.count - at;
      if (at < 0 || left <= 0)
        continue;
      int64_t part = left < chunk ? left : chunk;
      bool isLast = s == sequences - 1;
      parts[numParts++] = {s, file.tokens + at, part, isLast ? part : 0};
      last += isLast ? part : 0;
    }
    DSV4_RETURN_IF_ERROR(engine.feed(parts, numParts));
    if (last)
      DSV4_RETURN_IF_ERROR(
          writer.append(engine.logits(0), last * engine.vocab()));
  }
  return okStatus();
}

} // namespace

int logitsCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  const FlagSpec specs[] = {
      {"--tokens", "-t", FlagSpec::Text, &f.tokens,
       "safetensors file with an I32 vector 'tokens'"},
      {"--output", "-o", FlagSpec::Text, &f.output,
       "safetensors file to write: F32 'logits' [tokens, vocabulary]"},
      {"--chunk", nullptr, FlagSpec::Integer, &f.chunk,
       "feed calls of this many tokens (the bits are the same)"},
      {"--threads", nullptr, FlagSpec::Threads, &f.threads, threadsHelp},
      {"--context", "-c", FlagSpec::Integer, &f.context, "context in tokens"},
      {"--sequences", nullptr, FlagSpec::Integer, &f.sequences,
       "feed the tokens to so many sequences in the same steps, each a chunk "
       "behind the one before (the bits are the same)"},
      {"--save-state-at", nullptr, FlagSpec::Integer, &f.saveStateAt,
       "save, forget and restore the sequence after this many tokens"},
      {"--verify", nullptr, FlagSpec::Switch, &f.verify,
       "check the weights against their hashes first"},
      {"--device", nullptr, FlagSpec::Count, &f.device, deviceHelp},
      {"--quiet", "-q", FlagSpec::Switch, &f.quiet, quietHelp},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "logits", "logits of given tokens", specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  if (!f.tokens || !f.output)
    return failWith("logits: expected --tokens FILE and -o FILE");
  if (f.chunk < 0)
    return failWith("logits: --chunk: expected at least 1 token");
  if (f.sequences < 1 || f.sequences > maxTogether)
    return failWith("logits: --sequences: expected 1 to %lld, got %lld",
                    (long long)maxTogether, (long long)f.sequences);
  if (f.sequences > 1 && f.saveStateAt >= 0)
    return failWith("logits: --save-state-at is for one sequence; leave "
                    "--sequences out");
  TokenFile file;
  if (Status s = openTokens(f.tokens, file); !s.isOk())
    return failWith(s);
  if (f.saveStateAt >= file.count)
    return failWith("logits: --save-state-at: expected fewer than the %lld "
                    "tokens of %s, got %lld",
                    (long long)file.count, f.tokens, (long long)f.saveStateAt);
  // As much state as the sequence needs: the file says how long it is.
  if (!f.context && file.count < program.limits.max_context)
    f.context = file.count;
  EngineOptions options = engineOptions(f);
  if (f.saveStateAt >= 0) { // restored into another slot where there is one
    options.sequences = program.limits.max_sequences < 2 ? 1 : 2;
    options.extraBytes = plannedSnapshot(program, f);
  }
  Engine engine;
  Status status = engine.open(program, options);
  if (status.isOk() && file.count > engine.context())
    status =
        makeError(Code::InvalidArgument,
                  "%s has %lld tokens, the context %lld; use a larger "
                  "--context",
                  f.tokens, (long long)file.count, (long long)engine.context());
  LogitsWriter writer;
  if (status.isOk())
    status = writer.open(f.output, file.count, engine.vocab());
  if (status.isOk())
    status = f.sequences > 1 ? computeTogether(engine, f, file, writer)
                             : computeLogits(engine, f, file, writer);
  if (status.isOk())
    status = writer.commit();
  writer.discard();
  engine.close();
  return status.isOk() ? int(Done) : failWith(status);
}

} // namespace dsv4::serve
